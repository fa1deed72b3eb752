"""Passwords that a command asks for: never an argument, which every user of the machine could read."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from oxpushctl.errors import BadData, MissingFile

_LONGEST_LINE = 64 * 1024  # bytes


def given_password(question: str, file: Path | None, *, noun: str = "password") -> str:
    """Return the first line of a file, else what is typed on a terminal, else the first line of standard input.

    ``noun`` is what messages call it.
    Raise ``MissingFile`` for a file that cannot be read, ``BadData`` for a password that is empty, endless or no UTF-8.
    """
    if file is not None:
        try:
            with file.open("rb") as lines:
                return _password(lines.readline(_LONGEST_LINE + 1), str(file), noun)
        except OSError as error:
            raise MissingFile(f"{file}: the {noun} cannot be read: {error.strerror}") from error
    if sys.stdin.isatty():
        typed: str = click.prompt(question, hide_input=True, err=True)
        return typed
    return _password(sys.stdin.buffer.readline(_LONGEST_LINE + 1), "standard input", noun)


def _password(line: bytes, source: str, noun: str) -> str:
    if len(line) > _LONGEST_LINE:
        raise BadData(f"{source}: no {noun} has more than {_LONGEST_LINE} bytes")
    try:
        password = line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise BadData(f"{source}: the {noun} is not UTF-8") from None  # whose text would quote it
    if not password:
        raise BadData(f"{source}: there is no {noun} in its first line")
    return password
