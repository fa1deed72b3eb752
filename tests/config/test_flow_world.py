"""The decision flow beside the findings: registrations, Dovecot and the mail server, and what works all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from oxpushctl.config.flow import drawing
from oxpushctl.config.flow.flow import as_object, evaluate
from oxpushctl.config.flow.step import Answer
from tests.config.flows import (
    API,
    IDLE,
    KEPT,
    MASTER,
    NO_DOVECOT,
    PUSH,
    SERVER,
    checked,
    on_one_line,
    outcome_of,
    steps_of,
)


@pytest.mark.parametrize(
    ("values", "code", "expected"),
    [
        pytest.param(SERVER | MASTER, "OXP606", "dovecot.registration", id="no METADATA"),
        pytest.param(SERVER | MASTER, "OXP609", "dovecot.registration", id="no place"),
        pytest.param(API, "OXP606", "dovecot", id="doveadm does without METADATA"),
        pytest.param(API, "OXP609", "dovecot.registration", id="doveadm does not without a place"),
        pytest.param(SERVER | MASTER | IDLE, "OXP609", "imapidle", id="IDLE does without either"),
    ],
)
def test_dovecot_that_takes_no_registration(tmp_path: Path, values: dict[str, str], code: str, expected: str) -> None:
    """What the check found in Dovecot's configuration stops the flow."""
    flow = evaluate(checked(tmp_path, values, code))
    assert expected == outcome_of(flow)


def test_drawing_of_dovecot_that_takes_no_registration(tmp_path: Path) -> None:
    """The finding is named, and no setting of ours is advised, since none helps."""
    flow = evaluate(checked(tmp_path, SERVER | MASTER, "OXP609", "OXP606"))
    lines = drawing.drawn(flow).splitlines()
    assert lines[1:4] == [
        "✘ No: it stops at “Can dovecot register mailboxes?”",
        "  Dovecot's own configuration has to be mended: see OXP606, OXP609.",
        "│",
    ]
    assert "   │  └─ ✘ Can dovecot register mailboxes? no: see OXP606, OXP609" in lines


@pytest.mark.parametrize(
    ("values", "code", "name"),
    [
        (SERVER | MASTER, "OXP608", "dovecot.registration"),
        (SERVER | MASTER, "OXP716", "dovecot.registration"),
        (SERVER | MASTER, "OXP711", "dovecot.login"),
        (NO_DOVECOT | IDLE | SERVER | MASTER, "OXP717", "imapidle.login"),
    ],
)
def test_answer_of_the_world(tmp_path: Path, values: dict[str, str], code: str, name: str) -> None:
    """What may be otherwise tomorrow, or from another machine, stops nothing but is pointed at."""
    step = steps_of(evaluate(checked(tmp_path, values, code)))[name]
    assert (step.answer, step.note) == (Answer.YES, f"see {code}")


def test_dovecot_that_tells_nobody(tmp_path: Path) -> None:
    """A listener would be there, but what it waits for does not come."""
    flow = evaluate(checked(tmp_path, SERVER | MASTER, "OXP611"))
    lines = drawing.drawn(flow).splitlines()
    assert lines[2] == "  But no push arrives: Dovecot's own configuration has errors, see OXP611."


_INTAKE = {
    "com.openexchange.rest.services.basic-auth.login": "dovecot",
    "com.openexchange.rest.services.basic-auth.password": "sesame-4",
    "com.openexchange.pns.transport.apn.ios.enabled": "true",
}


@pytest.mark.parametrize(
    ("values", "codes", "is_told"),
    [
        pytest.param(_INTAKE, (), True, id="usable"),
        pytest.param({**_INTAKE, f"{PUSH}allowPermanentPush": "false"}, (), True, id="no listener at all"),
        pytest.param({}, (), False, id="no credentials for Dovecot"),
        pytest.param({**_INTAKE, "com.openexchange.pns.transport.apn.ios.enabled": "false"}, (), False, id="no client"),
        pytest.param(_INTAKE | KEPT, (), False, id="signed ones only"),
        pytest.param(_INTAKE, ("OXP609",), False, id="no place for registrations"),
        pytest.param(_INTAKE, ("OXP611",), False, id="nobody tells"),
        pytest.param(_INTAKE | SERVER | MASTER, (), False, id="a listener"),
    ],
)
def test_mailboxes_registered_by_hand(
    tmp_path: Path, values: dict[str, str], codes: tuple[str, ...], is_told: bool
) -> None:
    """That their pushes work without a listener is the last that is said, and in the JSON form."""
    (tmp_path / "none.p12").touch()
    flow = evaluate(checked(tmp_path, values, *codes))
    told = "mailboxes that are registered at Dovecot by hand get their pushes without a permanent listener"
    assert as_object(flow)["steps"][-1]["note"] == (told if is_told else "")
    assert on_one_line(flow).endswith(f"All the same, {told}.") is is_told
