"""The decision flow of one user and what is stored of it: in the directory, with its password, of Dovecot."""

from __future__ import annotations

from pathlib import Path

import pytest

from oxpushctl.config.flow.registration import Target
from oxpushctl.config.flow.step import Answer
from oxpushctl.config.flow.stored import AtDovecot, Stored
from oxpushctl.model import DirectoryEntry
from tests.config.flows import (
    API,
    IDLE,
    KEPT,
    MAIL,
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

ANNA = DirectoryEntry(USER, "anna", "anna@example.com")
WITHOUT_MAIL = DirectoryEntry(USER, "anna", "")
AT_MS = 1_795_434_152_000
STANDING = AtDovecot("anna", AT_MS, is_of_today=True)
MAIL_SOURCE = {f"{MAIL}loginSource": "mail"}


def _target(stored: Stored, *, registered: str = CLIENT, is_password_kept: bool | None = None) -> Target:
    clients = frozenset(registered.split())
    return Target(USER, None, clients, frozenset(), clients, is_password_kept, stored)


@pytest.mark.parametrize(
    ("values", "stored", "is_kept", "expected", "advised"),
    [
        pytest.param(
            SERVER | MASTER,
            Stored(),
            None,
            "dovecot.registration",
            "oxpushctl users add -c 1 -u 3 --login LOGIN",
            id="a master password, and no entry",
        ),
        pytest.param(
            SERVER | MASTER | MAIL_SOURCE,
            Stored(WITHOUT_MAIL),
            None,
            "dovecot.registration",
            "oxpushctl users add -c 1 -u 3 --login anna --mail ADDRESS",
            id="log-ins with addresses, and none is known",
        ),
        pytest.param(
            SERVER | KEPT,
            Stored(ANNA),
            False,
            "dovecot.registration",
            "oxpushctl credentials set -c 1 -u 3 --login anna takes it",
            id="no password",
        ),
        pytest.param(
            SERVER | KEPT,
            Stored(ANNA, kept_login="a n", is_password_refused=True),
            True,
            "dovecot.registration",
            "Another password has to be kept: the app logs in and subscribes again, or oxpushctl credentials set -c 1 "
            "-u 3 --login 'a n' takes it",
            id="a refused password",
        ),
        pytest.param(
            SERVER | KEPT | NO_DOVECOT | IDLE,
            Stored(ANNA, kept_login="anna", is_password_refused=True),
            True,
            "imapidle.login",
            "oxpushctl credentials set -c 1 -u 3 --login anna",
            id="a refused password, for IDLE",
        ),
        pytest.param(
            SERVER | KEPT,
            Stored(ANNA, kept_login="berta", is_login_anothers=True),
            True,
            "dovecot.registration",
            "oxpushctl credentials set -c 1 -u 3 --login anna",
            id="a password of another login",
        ),
        pytest.param(
            API,
            Stored(),
            None,
            "dovecot.registration",
            "oxpushctl users add -c 1 -u 3 --login LOGIN",
            id="doveadm, and nobody knows the name",
        ),
        pytest.param(
            NO_DOVECOT | NOTIFY,
            Stored(WITHOUT_MAIL),
            None,
            "mailnotify.names",
            f"oxpushctl users add -c 1 -u 3 --login anna --mail ADDRESS. With {PUSH}mail.notify.use_ox_login=true",
            id="datagrams, and no address",
        ),
    ],
)
def test_what_one_user_lacks(
    tmp_path: Path, values: dict[str, str], stored: Stored, is_kept: bool | None, expected: str, advised: str
) -> None:
    """It stops there, and the command that mends it is told; no setting is, since none does."""
    flow = flow_of(tmp_path, values, _target(stored, is_password_kept=is_kept))
    drawn = on_one_line(flow)
    assert outcome_of(flow) == expected
    assert advised in drawn
    assert " Set #" not in drawn


@pytest.mark.parametrize(
    ("at_dovecot", "said"),
    [
        pytest.param(
            None,
            "not registered at Dovecot yet: the running engine sees to it, or oxpushctl dovecot sync",
            id="not yet",
        ),
        pytest.param(STANDING, "registered as anna, last verified 2026-11-23 11:42 UTC", id="standing"),
        pytest.param(
            AtDovecot("anna", 0, is_of_today=True),
            "registering anna was begun, and is not known to have worked: oxpushctl dovecot sync tries it now",
            id="begun",
        ),
        pytest.param(
            AtDovecot("ann", AT_MS, is_of_today=False),
            "registered as ann, last verified 2026-11-23 11:42 UTC, under another name or with another value than "
            "today's: oxpushctl dovecot sync writes it anew",
            id="another one's",
        ),
    ],
)
def test_registration_at_dovecot(tmp_path: Path, at_dovecot: AtDovecot | None, said: str) -> None:
    """How it stands is told, and what brings it up to date."""
    flow = flow_of(tmp_path, SERVER | MASTER, _target(Stored(ANNA, at_dovecot)))
    step = steps_of(flow)["dovecot.registration"]
    assert (outcome_of(flow), step.note) == ("dovecot", said)


def test_registration_that_outlives_its_password(tmp_path: Path) -> None:
    """Dovecot goes on to tell of mail, so that there is a listener; when it ends is told."""
    stored = Stored(ANNA, STANDING, "anna", is_password_refused=True)
    flow = flow_of(tmp_path, SERVER | KEPT, _target(stored, is_password_kept=True))
    step = steps_of(flow)["dovecot.registration"]
    assert (outcome_of(flow), step.answer) == ("dovecot", Answer.YES)
    assert step.note.endswith("it cannot be verified any more, and ends within a day of that")


@pytest.mark.parametrize("registered", ["", "not-allowed"])
@pytest.mark.parametrize("at_dovecot", [None, STANDING], ids=["never", "still"])
def test_user_who_is_not_to_be_registered(tmp_path: Path, registered: str, at_dovecot: AtDovecot | None) -> None:
    """Nobody is told to wait for what does not come; what is left at Dovecot goes."""
    flow = flow_of(tmp_path, SERVER | MASTER, _target(Stored(ANNA, at_dovecot), registered=registered))
    note = steps_of(flow)["dovecot.registration"].note
    assert "sync" not in note
    assert ("the running engine takes that back" in note) is (at_dovecot is not None)
