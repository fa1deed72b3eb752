from __future__ import annotations

from pathlib import Path

import pytest

from oxpushctl.config import reading
from oxpushctl.config.listening import DOVEADM_ENDPOINTS, DOVECOT_ENABLED, IDLE_DELAY, IDLE_PUSH_MODE
from oxpushctl.config.own import PUSH_CONTENT
from oxpushctl.config.properties import DELAY_DURATION, GCM_ENABLED, PASSCRYPT, REST_PASSWORD
from oxpushctl.config.settings import Origin
from oxpushctl.errors import BadUsage, MissingFile
from oxpushctl.model import NEW_MAIL
from tests.config import folders

_KEY = DELAY_DURATION.key
_VARIABLE = "OXPUSHCTL_com_openexchange_pns_delayDuration"
_FILE = {"pns.properties": f"\n{_KEY}=2\n"}


@pytest.mark.parametrize(
    ("files", "environ", "overrides", "value", "origin"),
    [
        ({}, {}, (), 1000, None),
        (_FILE, {}, (), 2, Origin("pns.properties", 2, 1)),
        (_FILE, {_VARIABLE: "3"}, (), 3, Origin("environment")),
        (_FILE, {_VARIABLE: "3"}, (f"{_KEY}=4",), 4, Origin("-o")),
        (_FILE, {}, (f"{_KEY}=4", f"{_KEY}=5"), 5, Origin("-o")),
    ],
)
def test_later_sources_win(
    tmp_path: Path,
    files: dict[str, str | bytes],
    environ: dict[str, str],
    overrides: tuple[str, ...],
    value: int,
    origin: Origin | None,
) -> None:
    """Defaults, files, environment, -o: and where the value came from is kept."""
    settings = folders.read(tmp_path, files, environ=environ, overrides=overrides).settings
    assert (settings[DELAY_DURATION], settings.origin(DELAY_DURATION)) == (value, origin)


def test_an_overridden_line_is_checked(tmp_path: Path) -> None:
    """What is hidden today comes to light some day."""
    files = {"pns.properties": f"{_KEY}=5s\n"}
    configuration = folders.read(tmp_path, files, overrides=(f"{_KEY}=5",))
    assert [found.line for found in configuration.engine_errors] == [1]
    assert configuration.settings[DELAY_DURATION] == 5


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("com.openexchange.push.credstorage.enabled=ture", "did you mean true?"),
        ("com.openexchange.push.credstorage.enabled=yes", ""),
        ("com.openexchange.mail.passwordSource=globl", "did you mean global?"),
        ("com.openexchange.mail.passwordSource=Session ,", "did you mean session?"),
        ("oxpushctl.push.content=everything", ""),
    ],
)
def test_the_value_that_was_meant_is_named(tmp_path: Path, line: str, hint: str) -> None:
    """Where few values are possible and one of them is near; nothing is guessed otherwise."""
    [error] = folders.read(tmp_path, {"a.properties": line}).engine_errors
    assert (error.code, error.hint) == ("OXP109", hint)


def test_every_line_is_checked(tmp_path: Path) -> None:
    """The last line wins, and yet each of the others says what is wrong with it."""
    configuration = folders.read(tmp_path, {"pns.properties": f"{_KEY}=a\n{_KEY}=b\n{_KEY}=2\n"})
    errors = [(found.code, found.line) for found in configuration.engine_errors]
    assert errors == [("OXP109", 1), ("OXP109", 2)]
    assert configuration.settings[DELAY_DURATION] == 2


_TOPIC_SWITCH = f"{GCM_ENABLED.key}.my-app."


@pytest.mark.parametrize(
    ("topic", "hint"),
    [
        ("ox:mail:new", None),
        ("ox:calendar:updates", None),
        ("*", "without a topic the switch is for all of them"),
        ("ox:mail:nwe", "did you mean ox:mail:new?"),
        ("OX:Mail:New", "did you mean ox:mail:new?"),
        ("ox:mail:*", "did you mean ox:mail:new?"),
        ("ox::mail", "did you mean ox:mail:new?"),
        ("ox:calendar:new", "did you mean ox:calendar:updates?"),
        ("tasks:", "new mail is ox:mail:new"),
    ],
)
def test_a_switch_for_a_topic_that_is_never_pushed_is_told(tmp_path: Path, topic: str, hint: str | None) -> None:
    """It is asked for with the topic of a push as it is, so a near miss or a wildcard decides nothing."""
    configuration = folders.read(tmp_path, overrides=(f"{_TOPIC_SWITCH}{topic}=false",))
    told = [
        (found.severity.value, found.client, found.hint) for found in configuration.findings if found.code == "OXP114"
    ]
    assert told == ([] if hint is None else [("warning", "my-app", hint)])


_OF_8: dict[str, str | bytes] = {"pushClientConfig/clients.yml": ""}


@pytest.mark.parametrize(
    ("files", "overrides", "told"),
    [
        ({}, (), []),
        (_OF_8, (), [DOVECOT_ENABLED.key]),
        (_OF_8, (f"{DOVECOT_ENABLED.key}=true",), []),
        (_OF_8, (f"{DOVECOT_ENABLED.key}=maybe",), []),
        ({**_OF_8, "pns-gcm-options.yml": ""}, (), []),
    ],
)
def test_a_default_that_8_changed_is_told(
    tmp_path: Path, files: dict[str, str | bytes], overrides: tuple[str, ...], told: list[str]
) -> None:
    """A configuration of the 8.x generation that leaves out a key means its default, which is another here."""
    findings = folders.read(tmp_path, files, overrides=overrides).findings
    assert [found.key for found in findings if found.code == "OXP113"] == told


def test_the_most_specific_name_wins(tmp_path: Path) -> None:
    """KEY.client.topic goes before KEY.client, and that before KEY."""
    files = {
        "pns.properties": f"{GCM_ENABLED.key}=false\n"
        f"{GCM_ENABLED.key}.a.b=true\n"
        f"{GCM_ENABLED.key}.a.b.ox\\:mail\\:new=false\n"
    }
    settings = folders.read(tmp_path, files).settings
    asked = (("x", NEW_MAIL), ("a.b", "ox:calendar"), ("a.b", NEW_MAIL))
    assert [settings.qualified(GCM_ENABLED, *names) for names in asked] == [False, True, False]


def test_a_variable_may_name_a_client(tmp_path: Path) -> None:
    """A variable's name has no dots or hyphens, so it is matched against the clients that there are."""
    files = {"pns-gcm-options.yml": "my-app: {enabled: false}\n"}
    configuration = folders.read(tmp_path, files, environ={"OXPUSHCTL_oxpushctl_push_content_my_app": "none"})
    assert configuration.settings.qualified(PUSH_CONTENT, "my-app") == "none"


def test_a_variable_that_can_mean_two_clients_is_an_error(tmp_path: Path) -> None:
    """Nothing is guessed."""
    files = {"pns-gcm-options.yml": "my-app: {enabled: false}\nmy.app: {enabled: false}\n"}
    configuration = folders.read(tmp_path, files, environ={"OXPUSHCTL_oxpushctl_push_content_my_app": "none"})
    assert [found.code for found in configuration.engine_errors] == ["OXP004"]
    assert configuration.settings.qualified(PUSH_CONTENT, "my-app") == "subject"


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        (_VARIABLE.upper(), f"did you mean {_VARIABLE}?"),
        ("OXPUSHCTL_OXPUSHCTL_DATABASE_URL", "did you mean OXPUSHCTL_oxpushctl_database_url?"),
        ("OXPUSHCTL_DATABASE_URL", "did you mean OXPUSHCTL_oxpushctl_database_url?"),
        ("OXPUSHCTL_oxpushctl_databse_url", "did you mean OXPUSHCTL_oxpushctl_database_url?"),
        ("OXPUSHCTL_HOME", "the case is that of the key"),
    ],
)
def test_a_variable_of_no_property_is_told(tmp_path: Path, variable: str, hint: str) -> None:
    """The case is that of the key, and our own keys begin with oxpushctl once more."""
    configuration = folders.read(tmp_path, environ={variable: "3", "OXPUSHCTL_ETC": "/x"})
    told = [(found.code, found.hint) for found in configuration.findings if found.file == "environment"]
    assert told == [("OXP005", hint)]


@pytest.mark.parametrize("override", [f"{PASSCRYPT.key}=sesame", "oxpushctl.proxy=http://u:sesame@h"])
def test_overrides_that_cannot_be_meant_are_usage_errors(tmp_path: Path, override: str) -> None:
    """A secret that everybody could read in the process list: exit code 2."""
    with pytest.raises(BadUsage) as raised:
        folders.read(tmp_path, overrides=(override,))
    assert raised.value.exit_code == 2
    assert "sesame" not in str(raised.value)


def test_a_url_without_a_password_may_be_given_by_option(tmp_path: Path) -> None:
    """Only what is a secret is refused."""
    configuration = folders.read(tmp_path, overrides=("oxpushctl.database.url=sqlite:////tmp/x.db",))
    assert configuration.database_url == "sqlite:////tmp/x.db"


def test_an_unknown_override_is_told(tmp_path: Path) -> None:
    """Whoever writes -o means something by it, whatever the key begins with."""
    configuration = folders.read(tmp_path, overrides=("delayDuration=5",))
    assert [(found.code, found.file) for found in configuration.findings if found.file] == [("OXP101", "-o")]


@pytest.mark.parametrize(
    ("files", "environ", "told"),
    [
        ({"server.properties": f"{REST_PASSWORD.key}=sesame"}, {}, set()),
        ({"server.properties": f"{REST_PASSWORD.key}.file=secret", "secret": "sesame\n"}, {}, set()),
        ({}, {"OXPUSHCTL_com_openexchange_rest_services_basic_auth_password": "sesame"}, {"OXP006"}),
        ({"secret": "sesame"}, {"OXPUSHCTL_com_openexchange_rest_services_basic_auth_password_file": "secret"}, set()),
        ({f"run/{REST_PASSWORD.key}": "sesame\n"}, {"CREDENTIALS_DIRECTORY": "ETC/run"}, set()),
    ],
    ids=["file", "file of its own", "environment", "file named in the environment", "systemd"],
)
def test_a_secret_comes_from_elsewhere(
    tmp_path: Path,
    files: dict[str, str | bytes],
    environ: dict[str, str],
    told: set[str],
) -> None:
    """Every way to hand a secret over ends in the same setting; the environment is warned of."""
    environ = {name: text.replace("ETC", str(tmp_path)) for name, text in environ.items()}
    configuration = folders.read(tmp_path, files, environ=environ)
    assert configuration.settings[REST_PASSWORD] == "sesame"
    assert {found.code for found in configuration.findings if found.key == REST_PASSWORD.key} == told


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Exit code 66, and what helps."""
    with pytest.raises(MissingFile, match=r"nowhere.*demo") as raised:
        reading.read(tmp_path / "nowhere", environ={}, overrides=())
    assert raised.value.exit_code == 66


_ENDPOINTS = DOVEADM_ENDPOINTS.key


@pytest.mark.parametrize("order", [1, -1])
def test_an_overriding_name_wins(tmp_path: Path, order: int) -> None:
    """As with the middleware, wherever the two lines stand."""
    lines = [f"{_ENDPOINTS}=http://a.example.com/", f"{_ENDPOINTS}.default=http://b.example.com/"]
    configuration = folders.read(tmp_path, {"doveadm.properties": "\n".join(lines[::order])})
    assert configuration.settings[DOVEADM_ENDPOINTS] == ("http://b.example.com/",)
    assert [found.code for found in configuration.findings if found.file] == []


@pytest.mark.parametrize("order", [1, -1])
def test_a_new_name_wins_over_an_old_one(tmp_path: Path, order: int) -> None:
    """An old line that was left behind is told, and does no harm."""
    lines = ["com.openexchange.push.imapidle.pushmode=always", f"{IDLE_PUSH_MODE.key}=newmail"]
    configuration = folders.read(tmp_path, {"push_imapidle.properties": "\n".join(lines[::order])})
    assert configuration.settings[IDLE_PUSH_MODE] == "newmail"
    assert [(found.code, found.severity.value) for found in configuration.findings if found.file] == [
        ("OXP110", "warning")
    ]


@pytest.mark.parametrize("delay", ["0", "-1", "-5000"])
def test_a_delay_that_is_none(tmp_path: Path, delay: str) -> None:
    """The middleware takes its default then, and says nothing."""
    configuration = folders.read(tmp_path, overrides=(f"{IDLE_DELAY.key}={delay}",))
    assert configuration.settings[IDLE_DELAY] == 5000
    assert [(found.code, found.severity.value) for found in configuration.findings if found.file] == [
        ("OXP117", "warning")
    ]


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ("com.openexchange.push.imapidle.clusterLock=foo", {"OXP106"}),
        ("com.openexchange.push.dovecot.clusterLock=foo", {"OXP106", "OXP109"}),
        ("com.openexchange.pns.numProcessorThreads=abc", {"OXP106", "OXP109"}),
        ("com.openexchange.push.malpoll.concurrentGlobal=true", {"OXP106"}),
    ],
)
def test_what_nobody_heeds_stops_nothing(tmp_path: Path, line: str, codes: set[str]) -> None:
    """However wrong its value is."""
    configuration = folders.read(tmp_path, overrides=(line,))
    assert {found.code for found in configuration.findings if found.file} == codes
    assert configuration.engine_errors == ()
