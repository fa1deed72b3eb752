"""The decision flow as a tree: the outcome first, within the width of a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from oxpushctl.config import properties
from oxpushctl.config.flow import drawing
from oxpushctl.config.flow.registration import Target
from tests.config import folders
from tests.config.flows import KEPT, MAIL, MASTER, PUSH, SERVER, USER, flow_of


@pytest.mark.parametrize("width", [60, 80, 120])
def test_drawing_keeps_to_a_width(tmp_path: Path, width: int) -> None:
    """Words go on below, behind the tree's edge; only a key or value that is longer by itself stands out."""
    values = KEPT | {f"{PUSH}allowedClients": '"a client", "another client"', f"{MAIL}authType": "xoauth2"}
    lines = drawing.drawn(flow_of(tmp_path, SERVER | values), width=width).splitlines()
    assert [line for line in lines if len(line) > width and not _is_setting(line)] == []
    tree = lines[lines.index("│") :]
    assert [line for line in tree if line[0] not in "│├└ "] == []
    assert [line for line in tree[: tree.index("└─ ✘ Does an implementation serve? no")] if line[0] not in "│├"] == []


def _is_setting(line: str) -> bool:
    return line.strip("│ ").startswith(("com.openexchange.", "= "))


def test_drawing_on_a_narrow_terminal(tmp_path: Path) -> None:
    """A value goes below its key as a whole, and a note goes on behind its bracket."""
    refused = {f"{PUSH}allowedClients": '"a client of this house", "another client"'}
    lines = drawing.drawn(flow_of(tmp_path, refused), width=70).splitlines()
    at = lines.index("├─ ✘ May a client register its users? no: not")
    assert lines[at:][:6] == [
        "├─ ✘ May a client register its users? no: not",
        "│      open-xchange-mobile-api-facade",
        "│      com.openexchange.push.allowedClients",
        '│          = "a client of this house", "another client"',
        "│          (any.properties:1)",
        "│      (the middleware's 8.x also admits a client that subscribed to",
    ]
    assert f'      {PUSH}allowedClients="a client of this house", "another client", "{folders.CLIENT}*"' in lines


_STOPPED = """\
Would a permanent listener be spawned on this node?
✘ No: it stops at “Can dovecot register mailboxes?”
  Set
      # any.properties:2
      com.openexchange.mail.passwordSource=global
      # mail.properties
      com.openexchange.mail.masterPassword=…
  or
      # mail-push.properties
      com.openexchange.push.credstorage.enabled=true
      com.openexchange.push.credstorage.passcrypt=…
  or
      # doveadm.properties
      com.openexchange.dovecot.doveadm.enabled=true
      com.openexchange.dovecot.doveadm.apiSecret=…
      com.openexchange.dovecot.doveadm.endpoints=http://mail.example.com:8080/doveadm/v1
│
├─ ✔ May this node run permanent listeners? yes
│      com.openexchange.push.allowPermanentPush = true  (default)
├─ ✔ May a client register its users? yes: open-xchange-mobile-api-facade
│      com.openexchange.push.allowedClients = "USM-EAS*", "open-xchange-mobile-api-facade*"  (default)
└─ ✘ Does an implementation serve? no
   ├─ ✘ Does dovecot serve? no
   │  ├─ ✔ Is dovecot enabled? yes
   │  │      com.openexchange.push.dovecot.enabled = true  (default)
   │  ├─ ✔ Does dovecot run permanent listeners? yes: always
   │  └─ ✘ Can dovecot register mailboxes? no
   │     ├─ ✘ With a log-in at the mail server? no
   │     │      com.openexchange.mail.passwordSource = session  (any.properties:2)
   │     │      com.openexchange.push.credstorage.enabled = false  (default)
   │     └─ ✘ With doveadm, without a log-in? no
   │            com.openexchange.dovecot.doveadm.enabled = false  (default)
   ├─ ✘ Does imapidle serve? no
   │      com.openexchange.push.imapidle.enabled = false  (default)
   └─ ✘ Does mailnotify serve? no
          com.openexchange.push.mail.notify.enabled = false  (default)"""


def test_drawing(tmp_path: Path) -> None:
    """An administrator sees at a glance where it stops, what decided that, and what to set in which file."""
    assert drawing.drawn(flow_of(tmp_path, SERVER | {f"{MAIL}passwordSource": "session"})) == _STOPPED


def test_drawing_where_no_listener_may_run(tmp_path: Path) -> None:
    """What is in the way behind that is named, but not explained."""
    drawn = drawing.drawn(flow_of(tmp_path, {f"{PUSH}allowPermanentPush": "false"}))
    assert (
        drawn.partition("\n\n")[0]
        == f"""\
Would a permanent listener be spawned on this node?
✘ No: it stops at “May this node run permanent listeners?”
  Set
      # any.properties:1
      com.openexchange.push.allowPermanentPush=true
  and it would stop at “Can dovecot register mailboxes?”
│
├─ ✘ May this node run permanent listeners? no
│      com.openexchange.push.allowPermanentPush = false  (any.properties:1)
├─ ✔ May a client register its users? yes: {folders.CLIENT}
└─ ✘ Does an implementation serve? no"""
    )


def test_drawing_where_two_steps_stop(tmp_path: Path) -> None:
    """What to set for the second one is told as well."""
    lines = drawing.drawn(flow_of(tmp_path, {f"{PUSH}allowedClients": "USM-EAS*"})).splitlines()
    assert lines[1] == "✘ No: it stops at “May a client register its users?”"
    second = lines.index("  and it would stop at “Can dovecot register mailboxes?”")
    assert lines[second + 1 :][:3] == [
        "  Set",
        "      # mail.properties",
        f"      {MAIL}mailServer=imaps://mail.example.com",
    ]


def test_drawing_where_no_setting_helps(tmp_path: Path) -> None:
    """What does is said in words."""
    drawn = drawing.drawn(flow_of(tmp_path, SERVER | MASTER, Target(USER)))
    assert "  The app has to subscribe to ox:mail:new; oxpushctl subscriptions add does so by hand." in drawn


def test_drawing_where_a_setting_alone_does_not_help(tmp_path: Path) -> None:
    """Both are said: what to set, and what is to be done besides."""
    lines = drawing.drawn(flow_of(tmp_path, SERVER | MASTER, Target(USER, "web"))).splitlines()
    allowed = '"USM-EAS*", "open-xchange-mobile-api-facade*", "web"'
    assert lines[1:6] == [
        "✘ No: it stops at “May web register its users?”",
        "  The app has to subscribe to ox:mail:new; oxpushctl subscriptions add does so by hand.",
        "  Set",
        "      # mail-push.properties",
        f"      com.openexchange.push.allowedClients={allowed}",
    ]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_drawing_for_a_poor_terminal(tmp_path: Path, encoding: str) -> None:
    """What the terminal's encoding lacks is drawn in ASCII."""
    drawn = drawing.drawn(flow_of(tmp_path, {}), encoding, width=62)
    lines = drawn.encode(encoding).decode("ascii").splitlines()
    assert "|- + May this node run permanent listeners? yes" in lines
    assert [line for line in lines if len(line) > 62 and not _is_setting(line)] == []


def test_value_that_would_steer_a_terminal(tmp_path: Path) -> None:
    """Control characters are written as escapes."""
    drawn = drawing.drawn(flow_of(tmp_path, {properties.ALLOWED_CLIENTS.key: "a\\u001b[31m"}))
    assert '= "a\\x1b[31m"  (any.properties:1)' in drawn
