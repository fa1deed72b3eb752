"""The commands that README.rst shows, held against the commands that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click

_CONSOLE = re.compile(r"^\.\. code-block:: console\n(?P<body>(?:\n|[ \t]+.*\n?)*)", re.MULTILINE)
_ENDS_COMMAND = re.compile(r"[|;&()<>]+")


def command_lines(readme: str) -> Iterator[list[str]]:
    """Yield the words after ``oxpushctl`` of each command line typed in a ``console`` block."""
    for block in _CONSOLE.finditer(readme):
        for line in block["body"].replace("\\\n", " ").splitlines():
            prompt, _, typed = line.strip().partition(" ")
            if prompt in ("$", "#"):
                yield from _calls(typed)


def _calls(typed: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(typed, posix=True, punctuation_chars=True)
    lexer.wordchars += "@:=,+%^"
    call: list[str] | None = None
    for word in lexer:
        if _ENDS_COMMAND.fullmatch(word):
            if call is not None:
                yield call
            call = None
        elif call is not None:
            call.append(word)
        elif word.rpartition("/")[2] == "oxpushctl":
            call = []
    if call is not None:
        yield call


def complaint(root: click.Command, words: list[str]) -> str:
    """Return what click has against a command line: an unknown command or option, a value too few; else nothing."""
    command, context = root, click.Context(root)
    while True:
        try:
            _, rest, _ = command.make_parser(context).parse_args(list(words))
        except click.UsageError as error:
            return error.format_message()
        if not rest or not isinstance(command, click.Group):
            return ""
        name, *words = rest
        inner = command.get_command(context, name)
        if inner is None:
            return f"No such command '{name}'."
        command, context = inner, click.Context(inner, parent=context)
