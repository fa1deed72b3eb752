"""`config show`: what is configured, without secrets, in a form that could be read again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oxpushctl.config import reading
from oxpushctl.config.table import TABLE
from tests.cli.command import Command
from tests.config import folders
from tests.config.folders import CLIENT

_GOOD = {
    "server.properties": "com.openexchange.rest.services.basic-auth.login=dovecot\n"
    "com.openexchange.rest.services.basic-auth.password=sesame\n",
    "pns.properties": "com.openexchange.pns.delayDuration = 2000\n"
    "com.openexchange.pns.maxDelayDuration=10000\n"
    f"com.openexchange.pns.transport.gcm.enabled.{CLIENT}.ox\\:mail\\:new=true\n",
    "oxpushctl.properties": "oxpushctl.push.maxAge=90m\noxpushctl.push.content=none\n",
    "mail-push.properties": "com.openexchange.push.allowedClients=\n",
}


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def _settings(command: Command, *options: str) -> list[str]:
    """Return the lines above the clients, without the comments that head them."""
    shown = command("config", "show", *options).stdout.split("\n\n# --- clients\n")[0]
    return [line for line in shown.splitlines()[4:] if line and not line.startswith("# --- ")]


def test_only_what_differs_is_shown(command: Command) -> None:
    """Values that are set and not the default, as a file takes them, in the table's order; secrets are only told."""
    folders.write(command.etc, _GOOD)

    assert _settings(command) == [
        "com.openexchange.pns.delayDuration=2000",
        f"com.openexchange.pns.transport.gcm.enabled.{CLIENT}.ox\\:mail\\:new=true",
        "com.openexchange.rest.services.basic-auth.login=dovecot",
        "# com.openexchange.rest.services.basic-auth.password=(set)",
        "com.openexchange.push.allowedClients=",
        "oxpushctl.push.maxAge=90m",
        "oxpushctl.push.content=none",
    ]


def test_all_shows_every_property_with_its_default(command: Command) -> None:
    """Each property has a line; one that has its default is a comment that says so."""
    folders.write(command.etc, _GOOD)

    lines = _settings(command, "--all")

    shown = [re.match(r"(?:# )?([\w.-]+)=", line) for line in lines]
    assert {match[1] for match in shown if match} >= {row.key for row in TABLE}
    assert "# oxpushctl.outbox=durable (default)" in lines
    assert "# com.openexchange.mail.mailServer= (default: not set)" in lines
    assert f"# oxpushctl.admin.listen=unix:{command.state}/admin.sock (default)" in lines
    delay = lines.index("com.openexchange.pns.delayDuration=2000")
    assert lines[delay - 1] == "# default: 1000"
    assert lines[delay + 1 : delay + 3] == ["# which is the default", "com.openexchange.pns.maxDelayDuration=10000"]


def test_sources_tell_where_each_value_came_from(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file and line, the environment, -o, a secret's own file, systemd's credentials, or the default."""
    own, handed_over = tmp_path / "passcrypt", tmp_path / "given" / "com.openexchange.mail.masterPassword"
    folders.write(tmp_path, {"passcrypt": "sesame", "given/com.openexchange.mail.masterPassword": "sesame"})
    secret = f"com.openexchange.push.credstorage.passcrypt.file={own}\n"
    folders.write(command.etc, {**_GOOD, "mail-push.properties": secret})
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(handed_over.parent))
    monkeypatch.setenv("OXPUSHCTL_oxpushctl_push_maxAge", "3h")

    lines = _settings(command, "--sources", "--all")
    overridden = command("-o", "oxpushctl.push.content=full", "config", "show", "--sources").stdout.splitlines()

    origins = {line: before.split(";")[0] for before, line in zip(["", *lines], lines, strict=False)}
    assert origins["com.openexchange.pns.delayDuration=2000"] == "# from pns.properties:1"
    assert origins["oxpushctl.push.maxAge=3h"] == "# from environment"
    assert origins["# com.openexchange.push.credstorage.passcrypt=(set)"] == f"# from {own}"
    assert origins["# com.openexchange.mail.masterPassword=(set)"] == f"# from {handed_over}"
    assert overridden[overridden.index("oxpushctl.push.content=full") - 1] == "# from -o"


def test_output_read_again_is_the_same_configuration(command: Command, tmp_path: Path) -> None:
    """Put into a file, it sets what the original sets; the secrets are what is missing."""
    folders.write(command.etc, _GOOD)
    again = tmp_path / "again"

    for options in (["--sources"], ["--all", "--sources"]):
        folders.write(again, {"all.properties": command("config", "show", *options).stdout})
        before, after = (
            reading.read(etc, environ={"STATE_DIRECTORY": "/"}, overrides=()) for etc in (command.etc, again)
        )
        # One file has the keys of all, so some stand where nobody looks for them.
        assert {found.code for found in after.findings if found.code < "OXP2"} - {"OXP106"} == {"OXP102"}
        for row in TABLE:
            assert row.is_secret or after.settings[row] == before.settings[row]
        switched = f"com.openexchange.pns.transport.gcm.enabled.{CLIENT}.ox:mail:new"
        assert switched in after.settings.origins


def test_value_with_an_error_is_shown_as_what_is_used(command: Command) -> None:
    """The default stands there, what is wrong above it and on stderr; the command itself has done its work."""
    folders.write(command.etc, {**_GOOD, "pns.properties": "com.openexchange.pns.delayDuration=5s\n"})

    ended = command("config", "show")

    assert (
        "# OXP109 at pns.properties:1: '5s' is not milliseconds\n# com.openexchange.pns.delayDuration=1000 (default)\n"
    ) in ended.stdout
    assert ended.code == 0
    assert ended.stderr.splitlines() == [
        "pns.properties:1:1: error OXP109 com.openexchange.pns.delayDuration: '5s' is not milliseconds",
        f"{command.etc}: 1 error: run oxpushctl config check",
    ]


def test_clients_say_whether_they_are_in_service(command: Command) -> None:
    """Below the properties each client stands with its place, its state and its options, the password only told."""
    folders.write(
        command.etc,
        {
            "pns.properties": "com.openexchange.pns.transport.apn.ios.enabled=true\n",
            "pns-apns-options.yml": f"{CLIENT}:\n  keystore: none.p12\n  password: sesame\n  topic: com.example.mail\n",
            "pns-gcm-options.yml": f"{CLIENT}:\n  enabled: false\n  keyPath: account.json\n",
            "pns-mobile-api-facade-clients.yml": "our-app:\n  enabled: true\n",
        },
    )

    shown = command("config", "show", "--sources").stdout.split("# --- clients\n")[1]

    etc = command.etc
    assert shown.splitlines() == [
        f"# {CLIENT}, apn, pns-apns-options.yml:1: out of service",
        f"#   OXP301 at pns-apns-options.yml:2: there is no file {etc}/none.p12",
        "#   authtype: certificate",
        "#   topic: com.example.mail  (pns-apns-options.yml:4)",
        f"#   keystore: {etc}/none.p12  (pns-apns-options.yml:2)",
        "#   password: (set)  (pns-apns-options.yml:3)",
        "#   production: true",
        f"# {CLIENT}, gcm, pns-gcm-options.yml:1: switched off by enabled: false",
        f"#   keyPath: {etc}/account.json  (pns-gcm-options.yml:3)",
        "# further clients that get mail pushes: our-app",
    ]


@pytest.mark.parametrize("options", [(), ("--sources",)])
def test_option_with_an_error_is_shown_as_what_is_used(command: Command, options: tuple[str, ...]) -> None:
    """What holds in its place does not pass for what the file says."""
    written = f"{CLIENT}:\n  authtype: token\n  topic: com.example.mail\n  production: maybe\n"
    folders.write(command.etc, {"pns-apns-options.yml": written})

    shown = command("config", "show", *options).stdout.split("# --- clients\n")[1].splitlines()

    assert "#   authtype: certificate  (in place of what pns-apns-options.yml:2 says)" in shown
    assert "#   production: true  (in place of what pns-apns-options.yml:4 says)" in shown
    assert [line.startswith("#   topic: com.example.mail") for line in shown].count(True) == 1
    assert sum("in place of" in line for line in shown) == 2


def test_no_clients_is_said(command: Command) -> None:
    """An empty folder has its defaults, and nothing is pushed."""
    ended = command("config", "show")

    assert _settings(command) == []
    assert ended.stdout.endswith("\n\n# --- clients\n# none is configured: nothing is pushed\n")
    assert (ended.code, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql://ox:sesame@db.example.com:3306/oxpush", "mysql://ox:(set)@db.example.com:3306/oxpush"),
        ("mysql://ox:se@sa:m/e@db.example.com/oxpush", "mysql://ox:(set)@db.example.com/oxpush"),
        ("mysql://sesame@db.example.com/oxpush", "(set)"),
        ("mysql://ox:sesame@db.example.com/oxpush?ssl_key=sesame", "(set)"),
        ("mysql://ox@se:same@db.example.com/oxpush", "(set)"),
    ],
)
def test_database_is_named_without_its_password(command: Command, url: str, shown: str) -> None:
    """Where the password is sure to be all that is secret, login, host and schema are shown."""
    folders.write(command.etc, {"oxpushctl.properties": f"oxpushctl.database.url={url}\n"})

    assert f"# oxpushctl.database.url={shown}" in _settings(command)


def test_database_without_a_password_is_shown(command: Command) -> None:
    """A path is no secret, although the property may hold one."""
    folders.write(command.etc, {"oxpushctl.properties": "oxpushctl.database.url=sqlite:////srv/push.db\n"})

    assert "oxpushctl.database.url=sqlite:////srv/push.db" in _settings(command)


def test_secret_behind_a_forgotten_backslash_is_not_shown(command: Command) -> None:
    """A line that ends in a backslash swallows the next one, and with it a secret."""
    swallowing = "com.openexchange.push.imapidle.folder=INBOX\\\ncom.openexchange.push.credstorage.passcrypt=sesame\n"
    folders.write(command.etc, {"push_imapidle.properties": swallowing})

    ended = command("config", "show", "--all", "--sources")

    assert "sesame" not in ended.stdout + ended.stderr
    assert "# com.openexchange.push.imapidle.folder=INBOX (default)" in ended.stdout


def test_nothing_reaches_the_terminal_but_text(command: Command) -> None:
    """Control characters of a file are written as escapes, which read as what they are."""
    folders.write(
        command.etc,
        {
            "mail.properties": "com.openexchange.mail.authProxyDelimiter=*\\u001b[31m\n",
            "pns-apns-options.yml": f'"{CLIENT}\\e[31m":\n  topic: "\\e[31m"\n',
        },
    )

    ended = command("config", "show")

    assert ended.stdout.replace("\n", "").isprintable()
    assert ended.stderr.replace("\n", "").isprintable()
    assert "com.openexchange.mail.authProxyDelimiter=*\\u001b[31m" in ended.stdout


def test_missing_folder(tmp_path: Path) -> None:
    """Without a folder there is nothing to show."""
    command = Command(tmp_path)
    command.etc.rmdir()

    assert command("config", "show").code == 66
