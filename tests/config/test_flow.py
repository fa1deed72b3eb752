"""The decision flow: where it stops, what it blames, and what it advises."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from oxpushctl.config import flow_drawing, properties, table
from oxpushctl.config.flow import Flow, as_object, evaluate
from oxpushctl.config.flow_registration import About
from oxpushctl.config.flow_step import Answer, Step
from oxpushctl.config.reading import Configuration
from oxpushctl.config.settings import Settings
from oxpushctl.model import PushUser
from tests.config import folders

_PUSH = "com.openexchange.push."
_MAIL = "com.openexchange.mail."
_DOVEADM = "com.openexchange.dovecot.doveadm."
_SERVER = {f"{_MAIL}mailServer": "imaps://mail.example.com"}
_MASTER = {f"{_MAIL}passwordSource": "global", f"{_MAIL}masterPassword": "sesame-1"}
_KEPT = {f"{_PUSH}credstorage.enabled": "true", f"{_PUSH}credstorage.passcrypt": "sesame-2"}
_API = {
    f"{_DOVEADM}enabled": "true",
    f"{_DOVEADM}apiSecret": "sesame-3",
    f"{_DOVEADM}endpoints": "http://d:8080/doveadm",
}
_NO_DOVECOT = {f"{_PUSH}dovecot.enabled": "false"}
_IDLE = {f"{_PUSH}imapidle.enabled": "true", f"{_PUSH}imapidle.supportsPermanentListeners": "true"}
_NOTIFY = {f"{_PUSH}mail.notify.enabled": "true"}
_TOKENS = {f"{_MAIL}authType": "xoauth2"}
_APNS = {"pns-apns-options.yml": f"{folders.CLIENT}:\n  keystore: none.p12\n  password: x\n"}
_USER = PushUser(1, 3)

# Each switch of the flow, off and on.
_SWITCHES: tuple[tuple[Mapping[str, str], Mapping[str, str]], ...] = (
    ({f"{_PUSH}allowPermanentPush": "false"}, {}),
    (_NO_DOVECOT, {}),
    ({}, {f"{_PUSH}imapidle.enabled": "true"}),
    ({}, {f"{_PUSH}imapidle.supportsPermanentListeners": "true"}),
    ({}, _NOTIFY),
    ({}, _SERVER),
    (_TOKENS, {}),
    ({}, {f"{_MAIL}passwordSource": "global"}),
    ({}, {f"{_MAIL}masterPassword": "sesame-1"}),
    ({}, {f"{_PUSH}credstorage.enabled": "true"}),
    ({}, {f"{_PUSH}credstorage.passcrypt": "sesame-2"}),
    ({}, {f"{_DOVEADM}enabled": "true"}),
    ({}, {f"{_DOVEADM}apiSecret": "sesame-3", f"{_DOVEADM}endpoints": "http://d:8080/doveadm"}),
)


def _flow(folder: Path, values: Mapping[str, str], about: About | None = None) -> Flow:
    lines = [f"{key}={value}\n" for key, value in values.items()]
    return evaluate(folders.read(folder, {"any.properties": "".join(lines), **_APNS}), about)


def _steps(flow: Flow) -> dict[str, Step]:
    """Return all steps by their names."""
    found: dict[str, Step] = {}

    def collect(steps: tuple[Step, ...]) -> None:
        for step in steps:
            found[step.name] = step
            collect(step.steps)

    collect(flow.steps)
    return found


def _outcome(flow: Flow) -> str | None:
    """Return the implementation that serves, or the step that stops it."""
    return flow.implementation or (flow.stop.name if flow.stop else None)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({}, "dovecot.registration", id="nothing set"),
        pytest.param(_SERVER | _MASTER, "dovecot", id="master password"),
        pytest.param(_SERVER | _KEPT, "dovecot", id="kept passwords"),
        pytest.param(_API, "dovecot", id="doveadm alone, no mail server"),
        pytest.param(_MASTER, "dovecot.registration", id="no mail server"),
        pytest.param(_SERVER | {f"{_MAIL}passwordSource": "global"}, "dovecot.registration", id="no master password"),
        pytest.param(
            _SERVER | _KEPT | {f"{_MAIL}passwordSource": "global"},
            "dovecot.registration",
            id="kept passwords do not stand in for the master password",
        ),
        pytest.param(
            _SERVER | {f"{_PUSH}credstorage.enabled": "true"}, "dovecot.registration", id="nothing to encrypt with"
        ),
        pytest.param(_SERVER | _MASTER | _TOKENS, "dovecot.registration", id="tokens only"),
        pytest.param(_SERVER | _MASTER | _TOKENS | _API, "dovecot", id="tokens only, but doveadm"),
        pytest.param({**_API, f"{_DOVEADM}enabled": "false"}, "dovecot.registration", id="doveadm that is off"),
        pytest.param(
            _SERVER | _MASTER | {f"{_PUSH}allowPermanentPush": "false"}, "allowPermanentPush", id="not on this node"
        ),
        pytest.param(_SERVER | _MASTER | {f"{_PUSH}allowedClients": "USM-EAS*"}, "registration", id="client refused"),
        pytest.param(_SERVER | _MASTER | {f"{_PUSH}allowedClients": ""}, "dovecot", id="every client"),
        pytest.param(_NO_DOVECOT, "implementation", id="no implementation"),
        pytest.param(_NO_DOVECOT | _SERVER | _KEPT | _IDLE, "imapidle", id="IDLE"),
        pytest.param(
            _NO_DOVECOT | _SERVER | _KEPT | {f"{_PUSH}imapidle.enabled": "true"},
            "imapidle.supportsPermanentListeners",
            id="IDLE for sessions only",
        ),
        pytest.param(_NO_DOVECOT | _SERVER | _IDLE | _API, "imapidle.login", id="doveadm is of no use for IDLE"),
        pytest.param(_NO_DOVECOT | _NOTIFY, "mailnotify", id="datagrams need no log-in"),
        pytest.param(_SERVER | _MASTER | _IDLE | _NOTIFY, "dovecot", id="all three"),
        pytest.param(_IDLE | _NOTIFY, "mailnotify", id="the last one, where the others open no mailbox"),
    ],
)
def test_outcome(tmp_path: Path, values: dict[str, str], expected: str) -> None:
    """It is the implementation that serves, or the step at which it stops."""
    assert expected == _outcome(_flow(tmp_path, values))


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
    if f"{_PUSH}allowPermanentPush" in values:
        return None
    is_global = f"{_MAIL}passwordSource" in values
    passwords = [f"{_MAIL}masterPassword"] if is_global else list(_KEPT)
    can_log_in = values.keys().isdisjoint(_TOKENS) and values.keys() >= {*_SERVER, *passwords}
    if values.keys().isdisjoint(_NO_DOVECOT) and (can_log_in or values.keys() >= _API.keys()):
        return "dovecot"
    if can_log_in and values.keys() >= _IDLE.keys():
        return "imapidle"
    return "mailnotify" if values.keys() >= _NOTIFY.keys() else None


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
        pytest.param(_SERVER, [*_MASTER], id="the master password"),
        pytest.param(
            _SERVER | {f"{_MAIL}passwordSource": "global"}, [f"{_MAIL}masterPassword"], id="the half that is missing"
        ),
        pytest.param(
            _SERVER | {f"{_PUSH}credstorage.enabled": "true"}, [f"{_PUSH}credstorage.passcrypt"], id="the passphrase"
        ),
        pytest.param(_MASTER, [*_SERVER], id="the mail server"),
        pytest.param(_TOKENS | _SERVER | _MASTER, [*_API], id="doveadm, where log-ins take tokens"),
    ],
)
def test_what_to_set_first(tmp_path: Path, values: dict[str, str], expected: list[str]) -> None:
    """The first advice is no longer than it has to be."""
    stop = _flow(tmp_path, values).stop
    assert stop is not None
    assert expected == [line.key for line in stop.remedies[0]]


def test_doveadm_that_is_preferred(tmp_path: Path) -> None:
    """It is taken even where a log-in would do."""
    preferred = {f"{_PUSH}dovecot.preferDoveadmForMetadata": "true"}
    steps = _steps(_flow(tmp_path, _SERVER | _MASTER | _API | preferred))
    assert [step.name for step in steps["dovecot.registration"].steps] == ["dovecot.doveadm"]


def test_implementations_after_the_one_that_serves(tmp_path: Path) -> None:
    """They are not asked, and it is said why."""
    steps = _steps(_flow(tmp_path, _SERVER | _MASTER | _IDLE))
    assert (steps["imapidle"].answer, steps["imapidle"].detail) == (Answer.NOT_EVALUATED, "dovecot does already")


def test_no_client_configured(tmp_path: Path) -> None:
    """Which clients will register is not known then, and stops nothing."""
    (step,) = [step for step in evaluate(folders.read(tmp_path)).steps if step.name == "registration"]
    assert (step.answer, step.detail) == (Answer.NOT_EVALUATED, "no client is configured")


def test_client_whose_options_have_an_error(tmp_path: Path) -> None:
    """Its users register all the same, so it is asked about."""
    broken = {"pns-gcm-options.yml": "my-app:\n  key: legacy\n"}
    configuration = folders.read(tmp_path, {"any.properties": f"{_PUSH}allowedClients=other\n", **broken})
    step = _steps(evaluate(configuration))["registration"]
    assert (step.answer, step.detail) == (Answer.NO, "not my-app")


def test_one_client_of_two_is_allowed(tmp_path: Path) -> None:
    """The flow goes on, and the other one is named."""
    other = {"pns-apns-options.yml": _APNS["pns-apns-options.yml"] + "my-app:\n  keystore: none.p12\n  password: x\n"}
    step = _steps(evaluate(folders.read(tmp_path, other)))["registration"]
    assert (step.answer, step.detail, step.note) == (Answer.YES, folders.CLIENT, "not allowed: my-app")


def test_client_that_is_asked_about(tmp_path: Path) -> None:
    """Its own id is compared with the list, whatever is configured."""
    flow = _flow(tmp_path, {}, About(client="usm-eas-7"))
    step = _steps(flow)["registration"]
    assert (step.answer, step.note) == (Answer.YES, "no options file has this client: its devices get no pushes")
    assert as_object(flow)["client"] == "usm-eas-7"


def test_client_to_be_allowed(tmp_path: Path) -> None:
    """The list that is advised keeps what is there."""
    values = _SERVER | _MASTER | {f"{_PUSH}allowedClients": '"USM-EAS*"'}
    stop = _flow(tmp_path, values).stop
    assert stop is not None
    ((line,),) = stop.remedies
    assert line.value == f'"USM-EAS*", "{folders.CLIENT}*"'


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        pytest.param(About(_USER), "registration.subscription", id="no device"),
        pytest.param(About(_USER, subscribed=frozenset({folders.CLIENT})), "dovecot", id="a device"),
        pytest.param(About(_USER, subscribed=frozenset({"web"})), "registration.allowedClients", id="not allowed"),
        pytest.param(About(_USER, subscribed=frozenset({"web", folders.CLIENT})), "dovecot", id="one that is allowed"),
        pytest.param(
            About(_USER, folders.CLIENT, frozenset({"USM-EAS"})), "registration.subscription", id="another client's"
        ),
        pytest.param(
            About(_USER, others=frozenset({folders.CLIENT})), "registration.subscription", id="expired, or other topics"
        ),
    ],
)
def test_user(tmp_path: Path, about: About, expected: str) -> None:
    """A user is registered by a live device of an allowed client that subscribed to new mail."""
    assert expected == _outcome(_flow(tmp_path, _SERVER | _MASTER, about))


def test_device_that_expired(tmp_path: Path) -> None:
    """It is named, so that nobody wonders where it is."""
    steps = _steps(_flow(tmp_path, {}, About(_USER, others=frozenset({folders.CLIENT}))))
    assert steps["registration.subscription"].note == f"expired, or for other topics: {folders.CLIENT}"


def test_password_of_one_user(tmp_path: Path) -> None:
    """Whether one is kept is not known to this version, which is said."""
    about = About(_USER, subscribed=frozenset({folders.CLIENT}))
    step = _steps(_flow(tmp_path, _SERVER | _KEPT, about))["dovecot.login"]
    assert step.note == "whether the user's password is kept is not evaluated in this version"


def test_value_with_an_error(tmp_path: Path) -> None:
    """The default decides; that something else is set is said, and that nothing starts with it."""
    flow = _flow(tmp_path, _SERVER | _MASTER | {f"{_PUSH}allowPermanentPush": "ja"})
    (fact,) = flow.steps[0].decided_by
    assert (fact.value, fact.note) == ("true", "what is set has an error, see oxpushctl config check")
    assert flow.is_spawned
    assert "1 error in this configuration, with which nothing starts" in flow_drawing.drawn(flow)


def test_value_that_differs_in_some_contexts(tmp_path: Path) -> None:
    """It is said that this is not evaluated, and where it stands; only where the middleware would evaluate it."""
    other = f"premium:\n  withTags: premium\n  {_PUSH}dovecot.enabled: false\n  {_PUSH}allowPermanentPush: false\n"
    steps = _steps(evaluate(folders.read(tmp_path, {"contextSets/premium.yml": other})))
    (enabled,), (allowed,) = steps["dovecot.enabled"].decided_by, steps["allowPermanentPush"].decided_by
    assert enabled.note.startswith("contextSets/premium.yml:3 ")
    assert "not evaluated" in enabled.note
    assert allowed.note == ""


def test_log_in_that_differs_in_some_contexts(tmp_path: Path) -> None:
    """A setting that decides elsewhere, but not here, is told as well."""
    other = f"premium:\n  withTags: premium\n  {_MAIL}passwordSource: global\n"
    mail = "".join(f"{key}={value}\n" for key, value in (_SERVER | _KEPT).items())
    flow = evaluate(folders.read(tmp_path, {"contextSets/premium.yml": other, "any.properties": mail}))
    facts = _steps(flow)["dovecot.login"].decided_by
    assert [fact.key for fact in facts] == [*_SERVER, *_KEPT, f"{_MAIL}passwordSource"]
    assert [fact.key for fact in facts if "not evaluated" in fact.note] == [f"{_MAIL}passwordSource"]


def test_secrets(tmp_path: Path) -> None:
    """None is shown, in either form."""
    flow = _flow(tmp_path, _SERVER | _MASTER | _API)
    kept = _flow(tmp_path, _SERVER | _KEPT | _IDLE)
    shown = [form(each) for each in (flow, kept) for form in (flow_drawing.drawn, lambda it: json.dumps(as_object(it)))]
    assert not any("sesame" in text for text in shown)
    assert all("(set)" in text for text in shown)


def test_json(tmp_path: Path) -> None:
    """A step has what decided it, with its place, and what to set."""
    flow = _flow(tmp_path, {f"{_PUSH}allowPermanentPush": "false"}, About(_USER, folders.CLIENT))
    written = as_object(flow)
    assert {key: value for key, value in written.items() if key != "steps"} == {
        "spawned": False,
        "implementation": None,
        "stops_at": "allowPermanentPush",
        "user": 3,
        "context": 1,
        "client": folders.CLIENT,
        "errors": 0,
    }
    assert written["steps"][0] == {
        "step": "allowPermanentPush",
        "question": "May this node run permanent listeners?",
        "answer": "no",
        "detail": "",
        "decided_by": [
            {
                "key": f"{_PUSH}allowPermanentPush",
                "value": "false",
                "source": "any.properties:1",
                "file": "any.properties",
                "line": 1,
                "note": "",
            }
        ],
        "note": "",
        "advice": "",
        "remedies": [[{"key": f"{_PUSH}allowPermanentPush", "value": "true", "place": "any.properties:1"}]],
        "steps": [],
    }


_STOPPED = """\
Would a permanent listener be spawned on this node?
│
├─ ✔ May this node run permanent listeners? yes
│      com.openexchange.push.allowPermanentPush = true  (default)
├─ ✔ May a client register its users? yes: open-xchange-mobile-api-facade
│      com.openexchange.push.allowedClients = "USM-EAS*", "open-xchange-mobile-api-facade*"  (default)
├─ ✘ Does an implementation serve? no
│  ├─ ✘ Does dovecot serve? no
│  │  ├─ ✔ Is dovecot enabled? yes
│  │  │      com.openexchange.push.dovecot.enabled = true  (default)
│  │  ├─ ✔ Does dovecot run permanent listeners? yes: always
│  │  └─ ✘ Can dovecot register mailboxes? no
│  │     ├─ ✘ With a log-in at the mail server? no
│  │     │      com.openexchange.mail.passwordSource = session  (any.properties:2)
│  │     │      com.openexchange.push.credstorage.enabled = false  (default)
│  │     └─ ✘ With doveadm, without a log-in? no
│  │            com.openexchange.dovecot.doveadm.enabled = false  (default)
│  ├─ ✘ Does imapidle serve? no
│  │  └─ ✘ Is imapidle enabled? no
│  │         com.openexchange.push.imapidle.enabled = false  (default)
│  └─ ✘ Does mailnotify serve? no
│     └─ ✘ Is mailnotify enabled? no
│            com.openexchange.push.mail.notify.enabled = false  (default)
└─ ✘ No: it stops at “Can dovecot register mailboxes?”
     Set
         com.openexchange.mail.passwordSource=global  (any.properties:2)
         com.openexchange.mail.masterPassword=…       (mail.properties)
     or
         com.openexchange.push.credstorage.enabled=true  (mail-push.properties)
         com.openexchange.push.credstorage.passcrypt=…   (mail-push.properties)
     or
         com.openexchange.dovecot.doveadm.enabled=true                                       (doveadm.properties)
         com.openexchange.dovecot.doveadm.apiSecret=…                                        (doveadm.properties)
         com.openexchange.dovecot.doveadm.endpoints=http://mail.example.com:8080/doveadm/v1  (doveadm.properties)

This version of oxpushctl runs no listeners yet; it takes the notify requests that Dovecot sends."""


def test_drawing(tmp_path: Path) -> None:
    """An administrator sees at a glance where it stops, what decided that, and what to set in which file."""
    assert flow_drawing.drawn(_flow(tmp_path, _SERVER | {f"{_MAIL}passwordSource": "session"})) == _STOPPED


def test_drawing_where_two_steps_stop(tmp_path: Path) -> None:
    """What is in the way behind the first one is told as well."""
    lines = flow_drawing.drawn(_flow(tmp_path, {f"{_PUSH}allowPermanentPush": "false"})).splitlines()
    assert "└─ ✘ No: it stops at “May this node run permanent listeners?”" in lines
    assert "     and it would stop at “Can dovecot register mailboxes?”" in lines


def test_drawing_where_no_setting_helps(tmp_path: Path) -> None:
    """What does is said in words."""
    drawn = flow_drawing.drawn(_flow(tmp_path, _SERVER | _MASTER, About(_USER)))
    assert "     The app has to subscribe to ox:mail:new; oxpushctl subscriptions add does so by hand." in drawn


def test_drawing_where_a_setting_alone_does_not_help(tmp_path: Path) -> None:
    """Both are said: what to set, and what is to be done besides."""
    lines = flow_drawing.drawn(_flow(tmp_path, _SERVER | _MASTER, About(_USER, "web"))).splitlines()
    allowed = '"USM-EAS*", "open-xchange-mobile-api-facade*", "web"'
    assert lines[lines.index("└─ ✘ No: it stops at “May web register its users?”") + 1 :][:3] == [
        "     The app has to subscribe to ox:mail:new; oxpushctl subscriptions add does so by hand.",
        "     Set",
        f"         com.openexchange.push.allowedClients={allowed}  (mail-push.properties)",
    ]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_drawing_for_a_poor_terminal(tmp_path: Path, encoding: str) -> None:
    """What the terminal's encoding lacks is drawn in ASCII."""
    drawn = flow_drawing.drawn(_flow(tmp_path, {}), encoding)
    assert "|- + May this node run permanent listeners? yes" in drawn.encode(encoding).decode("ascii")


def test_value_that_would_steer_a_terminal(tmp_path: Path) -> None:
    """Control characters are written as escapes."""
    drawn = flow_drawing.drawn(_flow(tmp_path, {properties.ALLOWED_CLIENTS.key: "a\\u001b[31m"}))
    assert '= "a\\x1b[31m"  (any.properties:1)' in drawn
