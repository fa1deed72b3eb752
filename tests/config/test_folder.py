from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oxpushctl.config import render
from oxpushctl.config.own import PACKAGED, TLS_CA
from oxpushctl.config.properties import DELAY_DURATION
from oxpushctl.config.settings import Origin
from tests.config import folders
from tests.config.folders import CLIENT

_OPTIONS = st.sampled_from(["enabled", "authtype", "keystore", "privatekey", "keyid", "_type", "keyPath", "key", "x"])
_VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.lists(st.text(max_size=3)))
_CLIENTS = st.dictionaries(
    st.sampled_from([CLIENT, CLIENT + "-ios", CLIENT + "-android", "other"]),
    st.one_of(_VALUES, st.dictionaries(_OPTIONS, _VALUES)),
)
_FILES = st.sampled_from(
    ["pns-apns-options.yml", "pns-gcm-options.yml", "pns-mobile-api-facade-clients.yml", "pushClientConfig/x.yml"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(_FILES, _CLIENTS)
def test_any_options_end_in_findings(tmp_path: Path, name: str, clients: object) -> None:
    """Whatever YAML says of clients, the reading ends, nothing of it stops the engine, and all of it can be printed."""
    configuration = folders.read(tmp_path, {name: yaml.safe_dump(clients)})
    (tmp_path / name).unlink()
    assert configuration.engine_errors == ()
    assert all(render.line(found).isprintable() for found in configuration.findings)


def test_only_files_of_the_folder_itself_are_read(tmp_path: Path) -> None:
    """Not those below it, nor hidden ones of an editor."""
    line = f"{DELAY_DURATION.key}=no\n"
    files = {
        "below/pns.properties": line,
        "folder.properties/pns.properties": line,
        ".#pns.properties": line,
        "pns.properties.bak": line,
    }
    assert folders.read(tmp_path, files).engine_errors == ()


def test_a_folder_that_is_called_like_a_file_is_told(tmp_path: Path) -> None:
    """What somebody put into it has no effect, which is easily overlooked; a link to a folder is no better."""
    (tmp_path / "a.properties").mkdir()
    (tmp_path / "b.properties").symlink_to(tmp_path / "a.properties")
    found = folders.read(tmp_path).findings
    told = [(one.severity.value, one.code, one.file) for one in found if one.file]
    assert told == [("warning", "OXP007", "a.properties"), ("warning", "OXP007", "b.properties")]


def test_what_cannot_be_read_is_an_engine_error(tmp_path: Path) -> None:
    """A key may stand in any file: what leads nowhere, has no end, or is beyond all measure may have held it."""
    (tmp_path / "a.properties").symlink_to("nowhere")
    (tmp_path / "b.properties").symlink_to("b.properties")
    os.mkfifo(tmp_path / "c.properties")
    with (tmp_path / "e.properties").open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    (tmp_path / "f.properties").symlink_to("/proc/self/mem")  # opens like a file, and cannot be read
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "d.properties"))
        errors = folders.read(tmp_path).engine_errors
    assert [(found.code, found.file, found.message) for found in errors] == [
        ("OXP001", "a.properties", "is a symbolic link to nowhere, which is not there"),
        ("OXP001", "b.properties", "cannot be read: Too many levels of symbolic links"),
        ("OXP001", "c.properties", "is not a regular file"),
        ("OXP001", "d.properties", "is not a regular file"),
        ("OXP001", "e.properties", "is larger than 64 MiB"),
        ("OXP001", "f.properties", "cannot be read: Input/output error"),
    ]


@pytest.fixture
def somebody() -> Iterator[None]:
    """Be a user whom permissions hold back, for the length of a test."""
    us = os.geteuid()
    os.seteuid(us or 65534)
    yield
    os.seteuid(us)


def test_a_file_that_we_may_not_read_is_an_engine_error(somebody: None) -> None:
    """The others are read all the same."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        etc = Path(name)
        folders.write(etc, {"a.properties": "", "b.properties": f"{DELAY_DURATION.key}=2\n"})
        (etc / "a.properties").chmod(0)
        configuration = folders.read(etc)
    told = [(found.code, found.file, found.message) for found in configuration.engine_errors]
    assert told == [("OXP001", "a.properties", "cannot be read: Permission denied")]
    assert configuration.settings[DELAY_DURATION] == 2


def test_a_file_behind_a_closed_folder(somebody: None) -> None:
    """It may well be there: what cannot be looked for is not said to be missing, and who can look is."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        etc = Path(name)
        options = f"{CLIENT}:\n  keystore: closed/mail.p12\n"
        own = f"{TLS_CA.key}=closed/ca\n{PACKAGED.key}=closed/packaged\n"
        folders.write(etc, {"closed/x": "", "pns-apns-options.yml": options, "oxpushctl.properties": own})
        (etc / "closed").chmod(0)
        found = folders.read(etc).findings
        (etc / "closed").chmod(0o700)
    told = [(finding.code, finding.message.replace(name, "ETC"), finding.hint) for finding in found]
    why, hint = "cannot be looked for: Permission denied", "run the check as the engine's user"
    assert ("OXP301", f"ETC/closed/mail.p12 {why}", hint) in told
    assert ("OXP302", f"ETC/closed/ca {why}", hint) in told
    assert ("OXP001", "cannot be read: Permission denied", "") in told  # the folder of a package


def test_links_are_followed(tmp_path: Path) -> None:
    """A file may be a link, and so may the folder: lines are told under the names in that folder."""
    folders.write(tmp_path, {"elsewhere/delays": f"\n{DELAY_DURATION.key}=2\n", "etc/x": ""})
    (tmp_path / "etc" / "pns.properties").symlink_to("../elsewhere/delays")
    (tmp_path / "link").symlink_to("etc")
    settings = folders.read(tmp_path / "link").settings
    assert (settings[DELAY_DURATION], settings.origin(DELAY_DURATION)) == (2, Origin("pns.properties", 2, 1))


def test_names_that_are_no_text_are_read_and_told(tmp_path: Path) -> None:
    """A file's name is bytes: those that are not UTF-8 are written as escapes."""
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe4.properties")).write_text(f"{DELAY_DURATION.key}=no\n")
    [line] = (line for line in folders.lines(folders.read(tmp_path)) if "OXP109" in line)
    assert line.startswith("\\udce4.properties:1:1: error OXP109 ")


@pytest.mark.timeout(30)
def test_a_file_of_ten_megabytes_is_read(tmp_path: Path) -> None:
    """Size alone is no fault: it takes a second or two, and the last line has its number."""
    line = b"com.openexchange.caldav.some.setting = a value as long as values are, or a little longer than that\n"
    count = 10 * 1024 * 1024 // len(line)
    configuration = folders.read(tmp_path, {"pns.properties": line * count + f"{DELAY_DURATION.key}=2\n".encode()})
    assert configuration.settings.origin(DELAY_DURATION) == Origin("pns.properties", count + 1, 1)
    assert configuration.engine_errors == ()
