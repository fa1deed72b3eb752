"""The decision flow of one user: registered or not, with or without a device, its password kept or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from oxpushctl.config.flow import drawing
from oxpushctl.config.flow.flow import as_object
from oxpushctl.config.flow.registration import Target
from oxpushctl.config.flow.step import Answer
from oxpushctl.model import PushUser
from tests.config.flows import (
    API,
    IDLE,
    KEPT,
    MASTER,
    NO_DOVECOT,
    NOTIFY,
    PUSH,
    SERVER,
    USER,
    flow_of,
    on_one_line,
    outcome_of,
    steps_of,
)
from tests.config.folders import CLIENT

_BOTH = {f"{PUSH}allowedClients": f'"web", "{CLIENT}"'}
_AGAIN = "The app has to subscribe again"


def _target(
    subscribed: str = "",
    registered: str = "",
    *,
    client: str | None = None,
    others: str = "",
    is_password_kept: bool | None = None,
) -> Target:
    """Make a target of clients that stand beside each other."""
    return Target(
        USER,
        client,
        frozenset(subscribed.split()),
        frozenset(others.split()),
        frozenset(registered.split()),
        is_password_kept,
    )


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(_target(), "registration.subscription", id="nothing"),
        pytest.param(_target(CLIENT, CLIENT), "dovecot", id="a device, registered"),
        pytest.param(_target("", CLIENT), "dovecot", id="registered by hand"),
        pytest.param(_target(CLIENT, ""), "registration", id="a device, not registered"),
        pytest.param(_target("web", ""), "registration.allowedClients", id="a device, not allowed"),
        pytest.param(_target("web", "web"), "registration.allowedClients", id="registered, not allowed any more"),
        pytest.param(_target(f"web {CLIENT}", CLIENT), "dovecot", id="one of two devices"),
        pytest.param(_target(CLIENT, "web"), "registration", id="another client's registration"),
        pytest.param(_target("", "web"), "registration.allowedClients", id="another client's registration, no device"),
        pytest.param(
            _target("USM-EAS", "USM-EAS", client=CLIENT), "registration.subscription", id="not with the client asked"
        ),
        pytest.param(_target(CLIENT, "USM-EAS", client=CLIENT), "registration", id="the client asked, a device alone"),
        pytest.param(_target(others=CLIENT), "registration.subscription", id="expired, or other topics"),
    ],
)
def test_user(tmp_path: Path, target: Target, expected: str) -> None:
    """A user is registered by a row of an allowed client, whatever its devices."""
    assert expected == outcome_of(flow_of(tmp_path, SERVER | MASTER, target))


def test_device_that_expired(tmp_path: Path) -> None:
    """It is named, so that nobody wonders where it is."""
    steps = steps_of(flow_of(tmp_path, {}, _target(others=CLIENT)))
    assert steps["registration.subscription"].note == f"expired, or for other topics: {CLIENT}"


def test_registration_without_a_device(tmp_path: Path) -> None:
    """A listener would run for nobody's phone: that is said where the device is missed, and in the outcome."""
    flow = flow_of(tmp_path, SERVER | MASTER, _target("", CLIENT))
    steps = steps_of(flow)
    assert (steps["registration"].answer, steps["registration"].detail) == (Answer.YES, CLIENT)
    assert (steps["registration.subscription"].answer, steps["registration.subscription"].detail) == (
        Answer.NO,
        "registered by hand, or by the middleware",
    )
    assert "But no push arrives: no device of the user has subscribed to ox:mail:new." in on_one_line(flow)


@pytest.mark.parametrize(
    ("target", "values", "by_hand"),
    [
        pytest.param(_target(CLIENT), {}, f"registrations add -c 1 -u 3 -i {CLIENT}", id="allowed since"),
        pytest.param(_target("web"), {}, "registrations add -c 1 -u 3 -i web", id="to be allowed yet"),
        pytest.param(_target("web", CLIENT, client="web"), _BOTH, "registrations add -c 1 -u 3 -i web", id="asked for"),
        pytest.param(_target("a'b"), {f"{PUSH}allowedClients": ""}, "add -c 1 -u 3 -i 'a'\"'\"'b' ", id="to be quoted"),
        pytest.param(_target("web", "web"), {}, None, id="the list alone is in the way"),
        pytest.param(_target("", "web"), {}, None, id="the list alone, and no device"),
        pytest.param(_target(CLIENT, CLIENT), {}, None, id="registered"),
    ],
)
def test_device_that_has_to_subscribe_again(
    tmp_path: Path, target: Target, values: dict[str, str], by_hand: str | None
) -> None:
    """Allowing its client does not register a user whose device had subscribed before; which command does is told."""
    flow = flow_of(tmp_path, SERVER | MASTER | values, target)
    advice = steps_of(flow)["registration"].advice
    assert (_AGAIN in advice, _AGAIN in on_one_line(flow)) == (by_hand is not None, by_hand is not None)
    assert by_hand in advice if by_hand else advice == ""
    assert ("once its client is allowed" in advice) is (target == _target("web"))


def test_step_names(tmp_path: Path) -> None:
    """Scripts find the steps by names that stay."""
    written = as_object(flow_of(tmp_path, SERVER | MASTER, _target(CLIENT, CLIENT)))["steps"][1]
    assert [written["step"], *(step["step"] for step in written["steps"])] == [
        "registration",
        "registration.allowedClients",
        "registration.subscription",
    ]


@pytest.mark.parametrize(
    ("is_kept", "values", "expected"),
    [
        pytest.param(True, SERVER | KEPT, "dovecot", id="kept"),
        pytest.param(None, SERVER | KEPT, "dovecot", id="not known"),
        pytest.param(False, SERVER | KEPT, "dovecot.registration", id="not kept"),
        pytest.param(False, SERVER | KEPT | API, "dovecot", id="doveadm needs none"),
        pytest.param(False, SERVER | KEPT | NO_DOVECOT | IDLE, "imapidle.login", id="not kept, for IDLE"),
        pytest.param(False, SERVER | KEPT | NO_DOVECOT | NOTIFY, "mailnotify", id="notifyd needs none"),
        pytest.param(False, SERVER | MASTER, "dovecot", id="a master password"),
    ],
)
def test_password_of_one_user(tmp_path: Path, is_kept: bool | None, values: dict[str, str], expected: str) -> None:
    """Where kept passwords open mailboxes, a user without one has no listener."""
    flow = flow_of(tmp_path, values, _target(CLIENT, CLIENT, is_password_kept=is_kept))
    assert expected == outcome_of(flow)


@pytest.mark.parametrize(
    ("is_kept", "note"),
    [
        (True, ""),
        (None, "whether the user's password is kept is not known: what keeps passwords does not answer"),
    ],
)
def test_what_is_known_of_a_password(tmp_path: Path, is_kept: bool | None, note: str) -> None:
    """What nobody could be asked about is no answer."""
    step = steps_of(flow_of(tmp_path, SERVER | KEPT, _target(CLIENT, CLIENT, is_password_kept=is_kept)))[
        "dovecot.login"
    ]
    assert (step.answer, step.note) == (Answer.YES, note)


@pytest.mark.parametrize("values", [SERVER | KEPT, SERVER | KEPT | NO_DOVECOT | IDLE], ids=["dovecot", "imapidle"])
def test_drawing_of_a_password_that_is_not_kept(tmp_path: Path, values: dict[str, str]) -> None:
    """What to do for this one user is told, and nothing to set for all of them."""
    lines = drawing.drawn(flow_of(tmp_path, values, _target(CLIENT, CLIENT, is_password_kept=False))).splitlines()
    outcome = " ".join(lines[2 : lines.index("│")])
    assert "oxpushctl credentials set -c 1 -u 3 --login LOGIN" in " ".join(outcome.split())
    assert "Set" not in [line.strip() for line in lines]
    assert any("no: no password of the user is kept" in line for line in lines)


def test_another_user(tmp_path: Path) -> None:
    """The commands that are advised are about the very user."""
    target = Target(PushUser(7, 11), subscribed=frozenset({CLIENT}))
    assert "-c 7 -u 11" in steps_of(flow_of(tmp_path, SERVER | MASTER, target))["registration"].advice
