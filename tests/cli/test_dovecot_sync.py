"""Registering everybody at a real Dovecot by command, and clearing them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Command, Ended
from tests.cli.keeping import configure, keep, keeping
from tests.peers.dovecot import Dovecot, LogIns
from tests.peers.engine import command
from tests.peers.ports import free_port
from tests.web.administered import admin

ANNA, BERTA = "pässwörd of anna", "berta's"
APP = "open-xchange-mobile-api-facade"
_PASSWORDS = {"anna": ANNA, "berta": BERTA}
_KEY = "the key of doveadm"
_SIGNED = re.compile(r"user=([0-9]+@[0-9]+)/[A-Za-z0-9_-]{22}")
_DOVEADM = "com_openexchange_dovecot_doveadm"


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot(log_ins=LogIns(passwords=_PASSWORDS), doveadm_key=_KEY) as running:
        yield running


@pytest.fixture
def oxpushctl(tmp_path: Path, dovecot: Dovecot) -> Iterator[Command]:
    """An installation with the registered users anna (3) and berta (4), in front of that mail server."""
    yield _installed(tmp_path, dovecot)
    for name, password in _PASSWORDS.items():
        dovecot.unregister(name, password)


def _server(dovecot: Dovecot) -> dict[str, str]:
    return {"com_openexchange_mail_mailServer": f"imap://127.0.0.1:{dovecot.imap_port}"}


def _installed(folder: Path, dovecot: Dovecot) -> Command:
    installed = keeping(folder, **_server(dovecot))
    for user, (name, password) in enumerate(_PASSWORDS.items(), 3):
        keep(installed, user, name, password)
        assert installed("registrations", "add", "-c", "1", "-u", str(user), "-i", APP).code == 0
    return installed


def _registered(dovecot: Dovecot) -> list[str | None]:
    """Return for whom anna's and berta's mailboxes are registered; what is signed without its signature."""
    found = [dovecot.registration(name, password) for name, password in _PASSWORDS.items()]
    return [None if value is None else _SIGNED.sub(r"signed \1", value) for value in found]


def _rows(ended: Ended) -> list[tuple[object, ...]]:
    """Return context, user and result, in the order of users: they are done in any."""
    return sorted((row["context"], row["user"], row["result"]) for row in json.loads(ended.stdout))


def _no_mac(ended: Ended) -> bool:
    return not re.search(r"@[0-9]+/", ended.stdout + ended.stderr)


def test_register_and_remove(oxpushctl: Command, dovecot: Dovecot) -> None:
    """All are registered, once; at a word all are cleared again."""
    first = oxpushctl.process("dovecot", "sync")
    registered = _registered(dovecot)
    second = oxpushctl("dovecot", "sync")
    removed = oxpushctl("dovecot", "sync", "--remove")
    cleared = _registered(dovecot)
    again = oxpushctl("dovecot", "sync", "--remove")

    assert first == Ended(0, "", "Users: 2 registered.\n")
    assert second == Ended(0, "", "Users: 2 registered already.\n")
    assert removed == Ended(0, "", "Users: 2 removed.\n")
    assert again == Ended(0, "", "Users: 2 without a registration of ours.\n")
    assert (registered, cleared) == (["signed 3@1", "signed 4@1"], [None, None])


def test_dry_run(oxpushctl: Command, dovecot: Dovecot) -> None:
    """It is told what would be done, and nothing is."""
    would_register = oxpushctl("dovecot", "sync", "--dry-run", "-f", "json")
    before = _registered(dovecot)
    oxpushctl("dovecot", "sync")
    would_remove = oxpushctl("dovecot", "sync", "--remove", "--dry-run", "-f", "json")

    assert (_rows(would_register), would_register.stderr) == (
        [(1, 3, "would register"), (1, 4, "would register")],
        "Users: 2 would be registered.\n",
    )
    assert (_rows(would_remove), would_remove.stderr) == (
        [(1, 3, "would remove"), (1, 4, "would remove")],
        "Users: 2 would be removed.\n",
    )
    assert (before, _registered(dovecot)) == ([None, None], ["signed 3@1", "signed 4@1"])


def test_refused(oxpushctl: Command, dovecot: Dovecot) -> None:
    """Whoever cannot be let in is named with the reason, and no other suffers from it."""
    keep(oxpushctl, 4, "berta", "no longer hers")
    oxpushctl("registrations", "add", "-c", "2", "-u", "5", "-i", APP)

    ended = oxpushctl("dovecot", "sync", "-f", "json")
    of_context = oxpushctl("dovecot", "sync", "-c", "2")

    assert (ended.code, _rows(ended)) == (77, [(1, 4, "refused"), (2, 5, "refused")])
    assert ended.stderr == "Users: 1 registered, 2 refused.\n"
    reasons = {row["user"]: row["reason"] for row in json.loads(ended.stdout)}
    assert "[AUTHENTICATIONFAILED]" in reasons[4]
    assert "no password of 5@2 is kept" in reasons[5]
    assert (of_context.code, of_context.stderr) == (77, "Users: 1 refused.\n")
    assert _registered(dovecot) == ["signed 3@1", None]


def test_what_is_anothers(oxpushctl: Command, dovecot: Dovecot) -> None:
    """A value for somebody else stays when mailboxes are cleared, and is told when another takes its place."""
    dovecot.register("anna", "user=99@1/AAAAAAAAAAAAAAAAAAAAAA", ANNA)
    cleared = oxpushctl("dovecot", "sync", "--remove", "-f", "json")
    left = _registered(dovecot)
    replaced = oxpushctl("dovecot", "sync")

    assert _rows(cleared) == [(1, 3, "already")]
    assert cleared.stderr == "Users: 2 without a registration of ours.\n"
    assert (left, _registered(dovecot)) == (["signed 99@1", None], ["signed 3@1", "signed 4@1"])
    assert replaced.stdout == "context\tuser\tresult\treason\n1\t3\tregistered\tin the place of another value\n"
    assert [_no_mac(cleared), _no_mac(replaced)] == [True, True]


def test_registered_no_longer(oxpushctl: Command, dovecot: Dovecot) -> None:
    """Who is remembered is cleared as well, though registered for no app any more."""
    oxpushctl("dovecot", "sync")
    oxpushctl("registrations", "remove", "-c", "1", "-u", "3")
    keep(oxpushctl, 3, "anna", ANNA)

    ended = oxpushctl("dovecot", "sync", "--remove")

    assert ended == Ended(0, "", "Users: 2 removed.\n")
    assert _registered(dovecot) == [None, None]


def test_over_doveadm(oxpushctl: Command, dovecot: Dovecot) -> None:
    """Doveadm needs no password, only to know the mailboxes' names."""
    doveadm = {"enabled": "true", "apiSecret": _KEY, "endpoints": dovecot.doveadm_url}
    more = {f"{_DOVEADM}_{name}": value for name, value in doveadm.items()}
    configure(oxpushctl, **more, com_openexchange_push_dovecot_preferDoveadmForMetadata="true")
    for user, name in ((3, "anna"), (4, "berta")):
        oxpushctl("credentials", "remove", "-c", "1", "-u", str(user))
        oxpushctl("users", "add", "-c", "1", "-u", str(user), "--login", name)

    ended = oxpushctl("dovecot", "sync")

    assert ended == Ended(0, "", "Users: 2 registered.\n")
    assert _registered(dovecot) == ["signed 3@1", "signed 4@1"]


def test_without_metadata(tmp_path: Path) -> None:
    """A mail server without it is told apart."""
    with Dovecot(log_ins=LogIns(passwords=_PASSWORDS, has_metadata=False)) as dovecot:
        ended = _installed(tmp_path, dovecot)("dovecot", "sync", "-f", "json")

    assert (ended.code, ended.stderr) == (69, "Users: 2 unsupported.\n")
    assert _rows(ended) == [(1, 3, "unsupported"), (1, 4, "unsupported")]


def test_mail_server_away(oxpushctl: Command) -> None:
    """What could not be asked may be later."""
    configure(oxpushctl, com_openexchange_mail_mailServer=f"imap://127.0.0.1:{free_port()}")

    ended = oxpushctl("dovecot", "sync", "-f", "json")

    assert (ended.code, ended.stderr) == (75, "Users: 2 could not be tried.\n")
    assert _rows(ended) == [(1, 3, "failed"), (1, 4, "failed")]


def test_nobody(tmp_path: Path, dovecot: Dovecot) -> None:
    """Without registered users there is nothing to do."""
    assert keeping(tmp_path, **_server(dovecot))("dovecot", "sync") == Ended(0, "", "No registered users.\n")


def test_nothing_to_be_done(oxpushctl: Command, dovecot: Dovecot) -> None:
    """Where Dovecot is not to listen, or no mailbox can be reached, the properties are named; clearing still works."""
    off = {**_server(dovecot), "com_openexchange_push_dovecot_enabled": "false"}
    oxpushctl("dovecot", "sync")
    configure(oxpushctl, **off)
    refused, removed = oxpushctl("dovecot", "sync"), oxpushctl("dovecot", "sync", "--remove")
    configure(oxpushctl)
    nowhere = oxpushctl("dovecot", "sync")

    reason = "com.openexchange.push.dovecot.enabled is false, so nobody is to be registered (--remove clears)"
    assert refused == Ended(78, "", f"oxpushctl: {reason}\n")
    assert removed == Ended(0, "", "Users: 2 removed.\n")
    assert (nowhere.code, "com.openexchange.mail.mailServer" in nowhere.stderr) == (78, True)


async def test_running_engine(oxpushctl: Command, tmp_path: Path) -> None:
    """It is told that something has changed, unless nothing has."""
    async with admin([f"unix:{oxpushctl.state}/admin.sock"]) as engine:
        for arguments in (("--dry-run",), ()):
            assert (await command(oxpushctl.etc, oxpushctl.state, "dovecot", "sync", *arguments))[0] == 0

    assert engine.changed == 1
