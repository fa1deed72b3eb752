"""The decision flow: where it stops, what it blames, and what it advises."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from oxpushctl.config import table
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.flow import drawing
from oxpushctl.config.flow.flow import as_object, evaluate
from oxpushctl.config.flow.registration import Target
from oxpushctl.config.flow.step import Answer
from oxpushctl.config.settings import Settings
from tests.config import folders
from tests.config.flows import (
    API,
    APNS,
    DOVEADM,
    IDLE,
    KEPT,
    MAIL,
    MASTER,
    NO_DOVECOT,
    NOTIFY,
    PUSH,
    SERVER,
    TOKENS,
    USER,
    flow_of,
    outcome_of,
    steps_of,
)

# Each switch of the flow, off and on.
_SWITCHES: tuple[tuple[Mapping[str, str], Mapping[str, str]], ...] = (
    ({f"{PUSH}allowPermanentPush": "false"}, {}),
    (NO_DOVECOT, {}),
    ({}, {f"{PUSH}imapidle.enabled": "true"}),
    ({}, {f"{PUSH}imapidle.supportsPermanentListeners": "true"}),
    ({}, NOTIFY),
    ({}, SERVER),
    (TOKENS, {}),
    ({}, {f"{MAIL}passwordSource": "global"}),
    ({}, {f"{MAIL}masterPassword": "sesame-1"}),
    ({}, {f"{PUSH}credstorage.enabled": "true"}),
    ({}, {f"{PUSH}credstorage.passcrypt": "sesame-2"}),
    ({}, {f"{DOVEADM}enabled": "true"}),
    ({}, {f"{DOVEADM}apiSecret": "sesame-3", f"{DOVEADM}endpoints": "http://d:8080/doveadm"}),
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({}, "dovecot.registration", id="nothing set"),
        pytest.param(SERVER | MASTER, "dovecot", id="master password"),
        pytest.param(SERVER | KEPT, "dovecot", id="kept passwords"),
        pytest.param(API, "dovecot", id="doveadm alone, no mail server"),
        pytest.param(MASTER, "dovecot.registration", id="no mail server"),
        pytest.param(SERVER | {f"{MAIL}passwordSource": "global"}, "dovecot.registration", id="no master password"),
        pytest.param(
            SERVER | KEPT | {f"{MAIL}passwordSource": "global"},
            "dovecot.registration",
            id="kept passwords do not stand in for the master password",
        ),
        pytest.param(
            SERVER | {f"{PUSH}credstorage.enabled": "true"}, "dovecot.registration", id="nothing to encrypt with"
        ),
        pytest.param(SERVER | MASTER | TOKENS, "dovecot.registration", id="tokens only"),
        pytest.param(SERVER | MASTER | TOKENS | API, "dovecot", id="tokens only, but doveadm"),
        pytest.param({**API, f"{DOVEADM}enabled": "false"}, "dovecot.registration", id="doveadm that is off"),
        pytest.param(
            SERVER | MASTER | {f"{PUSH}allowPermanentPush": "false"}, "allowPermanentPush", id="not on this node"
        ),
        pytest.param(SERVER | MASTER | {f"{PUSH}allowedClients": "USM-EAS*"}, "registration", id="client refused"),
        pytest.param(SERVER | MASTER | {f"{PUSH}allowedClients": ""}, "dovecot", id="every client"),
        pytest.param(NO_DOVECOT, "implementation", id="no implementation"),
        pytest.param(NO_DOVECOT | SERVER | KEPT | IDLE, "imapidle", id="IDLE"),
        pytest.param(
            NO_DOVECOT | SERVER | KEPT | {f"{PUSH}imapidle.enabled": "true"},
            "imapidle.supportsPermanentListeners",
            id="IDLE for sessions only",
        ),
        pytest.param(NO_DOVECOT | SERVER | IDLE | API, "imapidle.login", id="doveadm is of no use for IDLE"),
        pytest.param(NO_DOVECOT | NOTIFY, "mailnotify", id="datagrams need no log-in"),
        pytest.param(SERVER | MASTER | IDLE | NOTIFY, "dovecot", id="all three"),
        pytest.param(IDLE | NOTIFY, "mailnotify", id="the last one, where the others open no mailbox"),
    ],
)
def test_outcome(tmp_path: Path, values: dict[str, str], expected: str) -> None:
    """It is the implementation that serves, or the step at which it stops."""
    assert expected == outcome_of(flow_of(tmp_path, values))


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    """The configuration of an empty folder, without its findings."""
    return replace(folders.read(tmp_path_factory.mktemp("etc")), findings=())


def _combinations() -> Iterator[dict[str, str]]:
    for chosen in product(*_SWITCHES):
        yield {key: value for values in chosen for key, value in values.items()}


def _configured(nothing: Configuration, values: Mapping[str, str]) -> Configuration:
    rows = {key: match.row for key in values if (match := table.find(key))}
    return replace(nothing, settings=Settings({key: row.kind.parse(values[key]) for key, row in rows.items()}))


def _as_the_reference_says(values: Mapping[str, str]) -> str | None:
    """Decide in one go: the implementation, or nothing."""
    if f"{PUSH}allowPermanentPush" in values:
        return None
    is_global = f"{MAIL}passwordSource" in values
    passwords = [f"{MAIL}masterPassword"] if is_global else list(KEPT)
    can_log_in = values.keys().isdisjoint(TOKENS) and values.keys() >= {*SERVER, *passwords}
    if values.keys().isdisjoint(NO_DOVECOT) and (can_log_in or values.keys() >= API.keys()):
        return "dovecot"
    if can_log_in and values.keys() >= IDLE.keys():
        return "imapidle"
    return "mailnotify" if values.keys() >= NOTIFY.keys() else None


def test_every_combination_of_switches(nothing: Configuration) -> None:
    """It decides as the reference says, whatever is set."""
    differing = [
        values
        for values in _combinations()
        if evaluate(_configured(nothing, values)).implementation != _as_the_reference_says(values)
    ]
    assert differing == []


def test_remedies_of_every_combination(nothing: Configuration) -> None:
    """Whoever sets what is advised, any of the alternatives, gets a listener."""
    useless, count = [], 0
    for values in _combinations():
        flow = evaluate(_configured(nothing, values))
        for remedies in product(*(step.remedies for step in flow.steps if step.is_no)):
            lines = {line.key: line.value for remedy in remedies for line in remedy}
            count += 1
            if not evaluate(_configured(nothing, {**values, **lines})).is_spawned:
                useless.append((values, lines))
    assert useless == []
    assert count > 9_000


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(SERVER, [*MASTER], id="the master password"),
        pytest.param(
            SERVER | {f"{MAIL}passwordSource": "global"}, [f"{MAIL}masterPassword"], id="the half that is missing"
        ),
        pytest.param(
            SERVER | {f"{PUSH}credstorage.enabled": "true"}, [f"{PUSH}credstorage.passcrypt"], id="the passphrase"
        ),
        pytest.param(MASTER, [*SERVER], id="the mail server"),
        pytest.param(TOKENS | SERVER | MASTER, [*API], id="doveadm, where log-ins take tokens"),
    ],
)
def test_what_to_set_first(tmp_path: Path, values: dict[str, str], expected: list[str]) -> None:
    """The first advice is no longer than it has to be."""
    stop = flow_of(tmp_path, values).stop
    assert stop is not None
    assert expected == [line.key for line in stop.remedies[0]]


def test_doveadm_that_is_preferred(tmp_path: Path) -> None:
    """It is taken even where a log-in would do."""
    preferred = {f"{PUSH}dovecot.preferDoveadmForMetadata": "true"}
    steps = steps_of(flow_of(tmp_path, SERVER | MASTER | API | preferred))
    assert [step.name for step in steps["dovecot.registration"].steps] == ["dovecot.doveadm"]


def test_implementations_after_the_one_that_serves(tmp_path: Path) -> None:
    """They are not asked, and it is said why."""
    steps = steps_of(flow_of(tmp_path, SERVER | MASTER | IDLE))
    assert (steps["imapidle"].answer, steps["imapidle"].detail) == (Answer.NOT_EVALUATED, "dovecot does already")


def test_no_client_configured(tmp_path: Path) -> None:
    """Which clients will register is not known then, and stops nothing."""
    (step,) = [step for step in evaluate(folders.read(tmp_path)).steps if step.name == "registration"]
    assert (step.answer, step.detail) == (Answer.NOT_EVALUATED, "no client is configured")


def test_client_whose_options_have_an_error(tmp_path: Path) -> None:
    """Its users register all the same, so it is asked about."""
    broken = {"pns-gcm-options.yml": "my-app:\n  key: legacy\n"}
    configuration = folders.read(tmp_path, {"any.properties": f"{PUSH}allowedClients=other\n", **broken})
    step = steps_of(evaluate(configuration))["registration"]
    assert (step.answer, step.detail) == (Answer.NO, "not my-app")


def test_property_that_names_a_client_of_no_file(tmp_path: Path) -> None:
    """What follows the key of a property, a topic whose colons are not escaped, makes no client."""
    key = f"com.openexchange.pns.transport.gcm.enabled.{folders.CLIENT}.ox"
    configuration = folders.read(tmp_path, {"any.properties": f"{key}:mail:new=true\n", **APNS})
    assert [found.client for found in configuration.client_errors if found.key == key] == [f"{folders.CLIENT}.ox"]
    step = steps_of(evaluate(configuration))["registration"]
    assert (step.answer, step.detail) == (Answer.YES, folders.CLIENT)


def test_one_client_of_two_is_allowed(tmp_path: Path) -> None:
    """The flow goes on, and the other one is named."""
    other = {"pns-apns-options.yml": APNS["pns-apns-options.yml"] + "my-app:\n  keystore: none.p12\n  password: x\n"}
    step = steps_of(evaluate(folders.read(tmp_path, other)))["registration"]
    assert (step.answer, step.detail, step.note) == (Answer.YES, folders.CLIENT, "not allowed: my-app")


def test_client_that_is_asked_about(tmp_path: Path) -> None:
    """Its own id is compared with the list, whatever is configured."""
    flow = flow_of(tmp_path, {}, Target(client="usm-eas-7"))
    step = steps_of(flow)["registration"]
    assert (step.answer, step.note) == (Answer.YES, "no options file has this client: its devices get no pushes")
    assert as_object(flow)["client"] == "usm-eas-7"


def test_client_to_be_allowed(tmp_path: Path) -> None:
    """The list that is advised keeps what is there."""
    values = SERVER | MASTER | {f"{PUSH}allowedClients": '"USM-EAS*"'}
    stop = flow_of(tmp_path, values).stop
    assert stop is not None
    ((line,),) = stop.remedies
    assert line.value == f'"USM-EAS*", "{folders.CLIENT}*"'


def test_value_with_an_error(tmp_path: Path) -> None:
    """The default decides; that something else is set is said, and that nothing starts with it."""
    flow = flow_of(tmp_path, SERVER | MASTER | {f"{PUSH}allowPermanentPush": "ja"})
    (fact,) = flow.steps[0].decided_by
    assert (fact.value, fact.note) == ("true", "what is set has an error, see oxpushctl config check")
    assert flow.is_spawned
    assert "1 error in this configuration, with which nothing starts" in drawing.drawn(flow)


def test_value_that_differs_in_some_contexts(tmp_path: Path) -> None:
    """It is said that this is not evaluated, and where it stands; only where the middleware would evaluate it."""
    other = f"premium:\n  withTags: premium\n  {PUSH}dovecot.enabled: false\n  {PUSH}allowPermanentPush: false\n"
    steps = steps_of(evaluate(folders.read(tmp_path, {"contextSets/premium.yml": other})))
    (enabled,), (allowed,) = steps["dovecot.enabled"].decided_by, steps["allowPermanentPush"].decided_by
    assert enabled.note.startswith("contextSets/premium.yml:3 ")
    assert "not evaluated" in enabled.note
    assert allowed.note == ""


def test_log_in_that_differs_in_some_contexts(tmp_path: Path) -> None:
    """A setting that decides elsewhere, but not here, is told as well."""
    other = f"premium:\n  withTags: premium\n  {MAIL}passwordSource: global\n"
    mail = "".join(f"{key}={value}\n" for key, value in (SERVER | KEPT).items())
    flow = evaluate(folders.read(tmp_path, {"contextSets/premium.yml": other, "any.properties": mail}))
    facts = steps_of(flow)["dovecot.login"].decided_by
    assert [fact.key for fact in facts] == [*SERVER, *KEPT, f"{MAIL}passwordSource"]
    assert [fact.key for fact in facts if "not evaluated" in fact.note] == [f"{MAIL}passwordSource"]


def test_secrets(tmp_path: Path) -> None:
    """None is shown, in either form."""
    flow = flow_of(tmp_path, SERVER | MASTER | API)
    kept = flow_of(tmp_path, SERVER | KEPT | IDLE)
    shown = [form(each) for each in (flow, kept) for form in (drawing.drawn, lambda it: json.dumps(as_object(it)))]
    assert not any("sesame" in text for text in shown)
    assert all("(set)" in text for text in shown)


def test_json(tmp_path: Path) -> None:
    """A step has what decided it, with its place, and what to set."""
    flow = flow_of(tmp_path, {f"{PUSH}allowPermanentPush": "false"}, Target(USER, folders.CLIENT))
    written = as_object(flow)
    assert {key: value for key, value in written.items() if key != "steps"} == {
        "spawned": False,
        "implementation": None,
        "stops_at": "allowPermanentPush",
        "user": 3,
        "context": 1,
        "client": folders.CLIENT,
        "engine_errors": 0,
    }
    assert written["steps"][0] == {
        "step": "allowPermanentPush",
        "question": "May this node run permanent listeners?",
        "answer": "no",
        "detail": "",
        "decided_by": [
            {
                "key": f"{PUSH}allowPermanentPush",
                "value": "false",
                "source": "any.properties:1",
                "file": "any.properties",
                "line": 1,
                "note": "",
            }
        ],
        "note": "",
        "advice": "",
        "remedies": [[{"key": f"{PUSH}allowPermanentPush", "value": "true", "place": "any.properties:1"}]],
        "steps": [],
    }
