from __future__ import annotations

import os
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oxpushctl.config import render
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
    """Not those below it, hidden ones of an editor, nor folders that are called like a file."""
    line = "com.openexchange.pns.delayDuration=no\n"
    (tmp_path / "folder.properties").mkdir()
    files = {"below/pns.properties": line, ".#pns.properties": line, "pns.properties.bak": line}
    assert folders.read(tmp_path, files).engine_errors == ()


def test_what_cannot_be_read_is_an_engine_error(tmp_path: Path) -> None:
    """A key may stand in any file: a link to nowhere, a pipe and a file beyond all measure may have held it."""
    (tmp_path / "a.properties").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "b.properties")
    with (tmp_path / "c.properties").open("wb") as file:
        file.truncate(5 * 1024 * 1024)
    errors = folders.read(tmp_path).engine_errors
    assert [(found.code, found.file) for found in errors] == [
        ("OXP001", "a.properties"),
        ("OXP001", "b.properties"),
        ("OXP001", "c.properties"),
    ]
