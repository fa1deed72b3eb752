"""Passwords from files; those of standard input and terminals are tested with the commands that ask for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from oxpushctl.cli.passwords import given_password
from oxpushctl.errors import BadData, MissingFile


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"sesame", "sesame"),
        (b"sesame\n", "sesame"),
        (b"sesame\r\nmore\n", "sesame"),
        (" s e s \u00e4 m e \n".encode(), " s e s \u00e4 m e "),
    ],
)
def test_first_line_is_the_password(tmp_path: Path, content: bytes, password: str) -> None:
    """All of it, blanks included, but not its end."""
    file = tmp_path / "password"
    file.write_bytes(content)
    assert given_password("?", file) == password


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "there is no password"),
        (b"\nsesame", "there is no"),
        (b"ses\xe4me", "is not UTF-8"),
        (b"e" * 70_000, "no password has more than 65536 bytes"),
    ],
)
def test_what_is_no_password(tmp_path: Path, content: bytes, words: str) -> None:
    """The file is named, its content is not shown."""
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(BadData, match=words) as raised:
        given_password("?", file)
    assert str(raised.value).startswith(f"{file}: ")
    assert "sesa" not in str(raised.value)


def test_passphrase(tmp_path: Path) -> None:
    """What is no password is called by its own name."""
    (tmp_path / "old").touch()
    with pytest.raises(BadData, match="there is no passphrase in its first line"):
        given_password("?", tmp_path / "old", noun="passphrase")


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_no_file(tmp_path: Path, name: str) -> None:
    """A file that is not there, or is a folder."""
    with pytest.raises(MissingFile, match="the password cannot be read"):
        given_password("?", tmp_path / name)
