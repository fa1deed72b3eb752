"""``oxpushctl completion``: what a shell offers while a command line is typed.

click walks the line to the command or option that is meant; here stand what it offers for values of ours, and the
talk with the scripts of ``completion_scripts``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, ShellComplete, add_completion_class, split_arg_string

from oxpushctl.cli.completion_scripts import SCRIPTS
from oxpushctl.errors import OxpushctlError

if TYPE_CHECKING:
    from oxpushctl.config.property import Property

_CURSOR = "|"
# What no shell takes apart or expands; nothing else is offered.
_WORD = re.compile(r"[A-Za-z0-9_.:@%+,/-]+")


@click.command()
@click.argument("shell", type=click.Choice(list(SCRIPTS)))
def completion(shell: str) -> None:
    """Print the script with which a shell completes oxpushctl.

    It offers commands, options, properties after -o, their values, keys and codes for "config explain", and the
    clients of your configuration. An installed package brings the scripts; otherwise put one where your shell looks:

    \b
    oxpushctl completion bash > FOLDER/oxpushctl
    oxpushctl completion zsh > FOLDER/_oxpushctl
    oxpushctl completion fish > FOLDER/oxpushctl.fish

    The folder of bash is ~/.local/share/bash-completion/completions, that of fish ~/.config/fish/completions, and for
    zsh any of your $fpath. Without the package bash-completion, let ~/.bashrc read the script.
    """
    click.echo(SCRIPTS[shell], nl=False)


def register() -> None:
    """Have click answer the shells in the form that our scripts take."""
    for shell in (_Bash, _Zsh, _Fish):
        add_completion_class(shell)


class _Answer(ShellComplete):
    """The answer to a shell's question: ``COMP_WORDS`` is the line up to the cursor."""

    def source(self) -> str:
        return SCRIPTS[self.name]

    def get_completion_args(self) -> tuple[list[str], str]:
        # With something at the cursor the last word is the one that is typed, be it empty, quoted or both.
        *words, last = split_arg_string(os.environ.get("COMP_WORDS", "") + _CURSOR)
        return words[1:], last.removesuffix(_CURSOR)

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        """Return whole words, and for files and folders what stands before the path in the word.

        click completes values: in ``--option=VALUE`` without the option, and of files the path that is typed so far.
        """
        option, equals, _ = incomplete.partition("=")
        before = option + equals if equals and option.startswith("-") else ""
        try:
            items = super().get_completions(args, incomplete)
        except click.ClickException:
            return []  # what stands before the cursor cannot be meant
        return [
            CompletionItem(
                before + item.value if item.type == "plain" else incomplete.removesuffix(item.value),
                item.type,
                item.help,
            )
            for item in items
        ]

    def format_completion(self, item: CompletionItem[str]) -> str:
        words = " ".join((item.help or "").split())
        return f"{item.type}\t{item.value}\t{words}"


class _Bash(_Answer):
    name = "bash"


class _Zsh(_Answer):
    name = "zsh"


class _Fish(_Answer):
    name = "fish"


def complete_settings(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer ``KEY=`` for ``-o``, and after it the values, where they are few, or files."""
    from oxpushctl.config import table  # noqa: PLC0415  # --version and --help do without
    from oxpushctl.config.property import PATH  # noqa: PLC0415  # same

    key, equals, text = incomplete.partition("=")
    if not equals:
        return [*_keys(table.TABLE, incomplete), *_qualified(ctx, table.TABLE, incomplete)]
    match = table.find(key)
    if match is None:
        return []
    if match.is_file or match.row.kind is PATH:
        return [CompletionItem(text, "file")]
    return [CompletionItem(f"{key}={value}") for value in match.row.kind.values if value.startswith(text)]


def complete_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the keys, codes and options of clients that ``config explain`` has a page about."""
    from oxpushctl.config import codes, table  # noqa: PLC0415  # --version and --help do without
    from oxpushctl.config.clients import option_table  # noqa: PLC0415  # --version and --help do without

    names = {row.key: row.doc for row in table.TABLE}
    names |= {code.code: code.title for code in codes.CATALOGUE.values()}
    names |= {option.name: option.doc for option in option_table.OPTIONS}
    return [_item(name, text) for name, text in names.items() if name.startswith(incomplete)]


def complete_clients(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the client ids of the configuration; none where it cannot be read."""
    return [CompletionItem(client) for client in _clients(ctx) if client.startswith(incomplete)]


def complete_files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Leave it to the shell to offer files."""
    return [CompletionItem(incomplete, "file")]


def complete_folders(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Leave it to the shell to offer folders."""
    return [CompletionItem(incomplete, "dir")]


def complete_transports(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the transports."""
    names = {"apn": "Apple's APNs", "gcm": "Google's FCM"}
    return [CompletionItem(name, help=text) for name, text in names.items() if name.startswith(incomplete)]


def _keys(rows: Iterable[Property[object]], incomplete: str) -> Iterator[CompletionItem[str]]:
    """Offer keys; a secret is not given on the command line, but the path of its file may be."""
    from oxpushctl.config.property import PROXY_URL, URL  # noqa: PLC0415  # --version and --help do without

    for row in rows:
        endings = ["="] if not row.is_secret or row.kind in (URL, PROXY_URL) else []
        endings += [".file="] if row.is_secret else []
        yield from (_item(row.key + ending, row.doc) for ending in endings if (row.key + ending).startswith(incomplete))


def _qualified(ctx: click.Context, rows: Iterable[Property[object]], incomplete: str) -> Iterator[CompletionItem[str]]:
    """Offer keys narrowed to a client of the configuration, and to new mail, once the key itself is there."""
    from oxpushctl.model import NEW_MAIL  # noqa: PLC0415  # --version and --help do without

    for row in (row for row in rows if row.qualifiers and incomplete.startswith(f"{row.key}.")):
        for client in _clients(ctx):
            topics = ("", f".{NEW_MAIL}") if "topic" in row.qualifiers else ("",)
            for key in (f"{row.key}.{client}{topic}=" for topic in topics):
                if key.startswith(incomplete):
                    yield _item(key, row.doc)


def _clients(ctx: click.Context) -> list[str]:
    from oxpushctl.config import reading  # noqa: PLC0415  # --version and --help do without

    given = ctx.find_root().params
    etc = Path(os.path.expandvars(str(given["etc"]))).expanduser()
    try:
        configuration = reading.read(etc, environ=os.environ, overrides=given["overrides"] or ())
    except OxpushctlError:
        return []
    known = {client.client for client in configuration.clients} | configuration.facade_clients
    return sorted(client for client in known if _WORD.fullmatch(client))


def _item(word: str, text: str) -> CompletionItem[str]:
    from oxpushctl.config.text import first_sentence  # noqa: PLC0415  # --version and --help do without

    return CompletionItem(word, help=first_sentence(text))
