"""`config explain`: a page for whatever an operator finds in a file or a finding."""

from __future__ import annotations

import os
import pty
import subprocess
import termios
from contextlib import suppress
from pathlib import Path

import pytest

from oxpushctl.config import codes
from oxpushctl.config.changes import REMOVED, RENAMED
from oxpushctl.config.clients import option_table
from oxpushctl.config.property import Property
from oxpushctl.config.table import TABLE
from tests.cli.command import Command
from tests.config import folders
from tests.config.folders import CLIENT
from tests.peers.engine import COMMAND


@pytest.fixture
def command(tmp_path: Path) -> Command:
    made = Command(tmp_path)
    made.etc.rmdir()  # no page needs it
    return made


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.key)
@pytest.mark.parametrize("name", ["{}", "{}=1", " {} = 1"])
def test_every_key(command: Command, row: Property[object], name: str) -> None:
    """Each key has a page, also when the whole line of a file was copied."""
    ended = command("config", "explain", name.format(row.key))

    assert (ended.code, ended.stdout.splitlines()[0]) == (0, row.key)


@pytest.mark.parametrize("name", [*RENAMED, *REMOVED, *(alias for row in TABLE for alias in row.aliases)])
def test_every_name_that_a_key_had(command: Command, name: str) -> None:
    """Old names, other spellings and keys that are gone have a page that says what became of them."""
    shown = command("config", "explain", name).stdout

    change = RENAMED.get(name) or REMOVED.get(name)
    became = (change.now, change.version) if change else ("another spelling of",)
    assert shown.startswith(f"{name}\n")
    assert all(word in " ".join(shown.split()) for word in became)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"com.openexchange.pns.transport.gcm.enabled.{CLIENT}", f"for the client {CLIENT}."),
        (
            f"com.openexchange.pns.transport.gcm.enabled.{CLIENT}.ox:mail:new",
            f"for the client {CLIENT} and the topic ox:mail:new.",
        ),
        (
            f"com.openexchange.pns.transport.gcm.enabled.{CLIENT}.ox\\:mail\\:new=true",
            f"for the client {CLIENT} and the topic ox:mail:new.",
        ),
        ("oxpushctl.database.url.file", "names a file that holds the secret oxpushctl.database.url."),
    ],
)
def test_key_with_something_behind_it(command: Command, name: str, said: str) -> None:
    """Qualifiers and .file are understood, colons escaped or not."""
    assert command("config", "explain", name).stdout.splitlines()[1].endswith(said)


def test_page_of_a_key_says_all_that_is_known(command: Command) -> None:
    """Kind, default, example, file, version, reload, who heeds it, the cascade and what changed."""
    assert command("config", "explain", "com.openexchange.push.imapidle.enabled").stdout == (
        "com.openexchange.push.imapidle.enabled\n"
        "\n"
        "Whether IMAP IDLE sessions tell of new mail, one a user. Second choice, for those whom Dovecot does\n"
        "not serve.\n"
        "\n"
        "  kind          true or false\n"
        "  default       false\n"
        "  example       com.openexchange.push.imapidle.enabled=true\n"
        "  file          push_imapidle.properties\n"
        "  since         version 7.10.4 of the middleware\n"
        "  takes effect  on reload\n"
        "  heeded by     the engine and the commands\n"
        "  cascade       the middleware may know other values for some contexts and users; they are not\n"
        "                evaluated here\n"
        "  changes       8.13: default false, before true\n"
    )


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.key)
def test_example_of_every_key(command: Command, tmp_path: Path, row: Property[object]) -> None:
    """The example line is a valid one."""
    page = command("config", "explain", row.key).stdout
    examples = [line.split(maxsplit=1)[1] for line in page.splitlines() if line.startswith("  example ")]

    read = folders.read(tmp_path, {"a.properties": "".join(f"{line}\n" for line in examples)})

    wrong = folders.codes(read) & {"OXP101", "OXP109", "OXP110", "OXP111"}
    assert wrong == set()


@pytest.mark.parametrize("option", option_table.OPTIONS, ids=lambda option: option.name)
def test_every_option_of_a_client(command: Command, option: option_table.OptionRow) -> None:
    """The options of the YAML files have pages, under the names that a package gives them as well."""
    for name in filter(None, (option.name, option.packaged)):
        ended = command("config", "explain", name)
        assert (ended.code, ended.stdout.partition(":")[0]) == (0, name)


def test_options_are_those_that_are_read(tmp_path: Path) -> None:
    """What has a page is read from the YAML files, and what is read there has a page."""
    known = {option.name for option in option_table.OPTIONS}
    files = {
        "pns-apns-options.yml": "a:\n  no: 1\n",
        "pns-gcm-options.yml": "a:\n  no: 1\n",
        "pns-mobile-api-facade-clients.yml": "a:\n  no: 1\n",
        "pushClientConfig/a.yml": "a-ios:\n  _type: apn\n  no: 1\n",
    }

    hints = [found.hint for found in folders.read(tmp_path, files).findings if found.code == "OXP203"]

    assert {name for hint in hints for name in hint.removeprefix("known are ").split(", ")} == known


@pytest.mark.parametrize("name", ["OXP209", "oxp209"])
def test_code(command: Command, name: str) -> None:
    """A code's page begins with the code and its title."""
    assert command("config", "explain", name).stdout.startswith("OXP209: A legacy FCM server key\n\n")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("OXP999", "Error: OXP999: there is no finding with this code (oxpushctl config explain lists all)"),
        ("com.openexchange.pns.delayDurations", "did you mean com.openexchange.pns.delayDuration?"),
        ("com.openexchange.PNS.delaydurations", "did you mean com.openexchange.pns.delayDuration?"),
        ("maxAge", "did you mean oxpushctl.sessions.maxAge or oxpushctl.push.maxAge?"),
        ("kestore", "did you mean keystore?"),
        ("com.openexchange.caldav.enabled", "it belongs to another module of the middleware, or to none"),
        (
            "",
            "Error: an empty name is neither a property, nor an option of a client, nor a code "
            "(oxpushctl config explain lists all)",
        ),
        (" ", "nor a code (oxpushctl config explain lists all)"),
    ],
)
def test_unknown_name(command: Command, name: str, said: str) -> None:
    """It is a usage error that helps; the number of a code is not guessed."""
    ended = command("config", "explain", name)

    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.rstrip().endswith(said)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("com.openexchange.PNS.delayduration", "com.openexchange.pns.delayDuration"),
        (
            "COM.OPENEXCHANGE.PUSH.MAIL.NOTIFY.IMAP_LOGIN_DELIMITER=*",
            "com.openexchange.push.mail.notify.imap_login_delimiter",
        ),
        ("Enabled", "enabled: an option of a client"),
        ("KEYPATH", "keyPath: an option of a client"),
        ("apnkeyid", "apnKeyId: as packaged, an option of a client"),
    ],
)
def test_case_does_not_matter(command: Command, name: str, meant: str) -> None:
    """A name in another case has its page, which says that files are stricter."""
    ended = command("config", "explain", name)

    assert (ended.code, ended.stdout.splitlines()[:2]) == (0, [meant, "  (in files its case counts)"])


def test_pages_fit_the_terminal(command: Command) -> None:
    """Pages and list are wrapped at its width; a wide one does not make lines longer than can be read."""
    narrow = [_on_a_terminal(60, "config", "explain", *name) for name in ((), ("OXP209",), ("oxpushctl.push.maxAge",))]
    wide = _on_a_terminal(200, "config", "explain", "OXP209")

    longest = max(len(row.key) + 2 for row in TABLE)
    assert [max(map(len, lines)) <= 60 for lines in narrow[1:]] == [True, True]
    assert max(map(len, narrow[0])) == longest
    assert "".join(narrow[0]).count("…") == 0
    words = "HTTP CONNECT proxy for APNs and FCM: http://host:port"
    assert words in " ".join(" ".join(narrow[0]).split())
    assert 60 < max(map(len, wide)) <= 100


def _on_a_terminal(width: int, *arguments: str) -> list[str]:
    """Return the lines that a command prints to a terminal of a width."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, width))
    process = subprocess.Popen([COMMAND, *arguments], stdout=theirs, stdin=theirs, env=_without_columns())
    os.close(theirs)
    shown = b""
    with suppress(OSError), os.fdopen(ours, "rb", buffering=0) as terminal:  # EIO is how Linux tells the end
        while piece := terminal.read(65536):
            shown += piece
    assert process.wait() == 0
    return shown.decode().splitlines()


def _without_columns() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "COLUMNS"}


def test_without_a_name_everything_is_listed(command: Command) -> None:
    """One line each: the keys by their file, the options of clients, the codes with their titles."""
    ended = command("config", "explain")

    lines = ended.stdout.splitlines()
    names = [line.split()[0] for line in lines if line.startswith("  ")]
    assert ended.code == 0
    assert sorted(names) == sorted(
        [*(row.key for row in TABLE), *(option.name for option in option_table.OPTIONS), *codes.CATALOGUE]
    )
    assert lines[lines.index("imap.properties:") + 1].split()[0] == "com.openexchange.imap.requireTls"
    assert "  OXP209  A legacy FCM server key" in lines


def test_name_with_control_characters(command: Command) -> None:
    """A name goes back to the terminal as it can be shown."""
    assert "Error: \\x07: is neither" in command("config", "explain", "\x07").stderr
