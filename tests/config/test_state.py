from __future__ import annotations

import stat
from pathlib import Path

import pytest

from oxpushctl.config import state
from oxpushctl.errors import MissingFile
from tests.config import folders


def test_the_folder_of_systemd_is_taken(tmp_path: Path) -> None:
    """$STATE_DIRECTORY goes first; of several folders the first is ours."""
    assert state.state_folder({"STATE_DIRECTORY": "/a:/b"}, tmp_path) == Path("/a")
    assert state.state_folder({"STATE_DIRECTORY": "a"}, tmp_path) == Path.cwd() / "a"


@pytest.mark.parametrize("name", ["", "oxpushctl"])
def test_the_folder_of_the_system_is_taken_where_it_can_be_used(tmp_path: Path, name: str) -> None:
    """It is there and writable, or can be made; asking makes nothing."""
    system = tmp_path / name
    assert state.state_folder({}, system) == system
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"HOME": "/h"}, "/h/.local/state/oxpushctl"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/s"}, "/s/oxpushctl"),
        ({"HOME": "/h", "XDG_STATE_HOME": "s"}, "/h/.local/state/oxpushctl"),
    ],
)
def test_else_the_folder_of_the_user_is_taken(tmp_path: Path, environ: dict[str, str], folder: str) -> None:
    """As the XDG specification says, relative paths ignored."""
    assert state.state_folder(environ, tmp_path / "not" / "there") == Path(folder)


def test_no_folder_at_all_is_an_error(tmp_path: Path) -> None:
    """Without a home there is no guess."""
    with pytest.raises(MissingFile, match="STATE_DIRECTORY"):
        state.state_folder({}, tmp_path / "not" / "there")


def test_the_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    """Mode 0700, and a second time does no harm."""
    made = state.made(state.made(tmp_path / "a" / "b"))
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """A file stands in its place."""
    (tmp_path / "file").touch()
    with pytest.raises(MissingFile, match="cannot be made"):
        state.made(tmp_path / "file" / "state")


def test_defaults_lie_in_the_state_folder(tmp_path: Path) -> None:
    """The commands' socket and the database, unless they are set."""
    configuration = folders.read(tmp_path)
    assert configuration.admin_listen == ("unix:/nowhere/admin.sock",)
    assert configuration.database_url == "sqlite:////nowhere/oxpushctl.db"


@pytest.mark.parametrize(("length", "codes"), [(107, []), (108, ["OXP314"])])
def test_the_socket_has_to_fit_into_the_state_folder(tmp_path: Path, length: int, codes: list[str]) -> None:
    """A socket's path has at most 107 bytes: a deeper state folder wants another admin address."""
    folder = "/" + "x" * (length - len("//admin.sock"))
    found = folders.read(tmp_path, environ={"STATE_DIRECTORY": folder}).engine_errors
    elsewhere = folders.read(
        tmp_path, environ={"STATE_DIRECTORY": folder}, overrides=["oxpushctl.admin.listen=unix:/run/x.sock"]
    )
    assert [(finding.code, finding.key) for finding in found] == [(code, "oxpushctl.admin.listen") for code in codes]
    assert elsewhere.engine_errors == ()
