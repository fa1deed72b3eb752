"""``oxpushctl config``: check the configuration, show what is set, explain a key or a finding, write samples."""

from __future__ import annotations

import difflib
import re
import shutil
import sys

import click

from oxpushctl.cli.completion import complete_names
from oxpushctl.cli.config_check import check
from oxpushctl.cli.config_flow import flow
from oxpushctl.cli.config_sample import sample
from oxpushctl.cli.config_show import show
from oxpushctl.config import codes, explain, table, text
from oxpushctl.config.clients import option_table


@click.group()
def config() -> None:
    """Check, show and explain the configuration, or write a first one."""


config.add_command(check)
config.add_command(flow)
config.add_command(sample)
config.add_command(show)


@config.command(name="explain")
@click.argument("name", metavar="[KEY|CODE]", required=False, shell_complete=complete_names)
def explain_(name: str | None) -> None:
    """Print the page of a property, of an option of a client, or of a finding's code such as OXP209.

    A property may be named as it stands in a file, with its qualifiers, by an old name, or followed by .file. Case
    does not matter. Without a name everything that has a page is listed.
    """
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    if name is None:
        for line in explain.listing(columns):
            click.echo(line)
        return
    page = explain.page(name, min(columns or explain.WIDTH, explain.WIDTH))
    if page is None:
        shown = text.printable(name.strip())
        raise click.UsageError(f"{f'{shown}:' if shown else 'an empty name'} {_unknown(name.strip())}")
    click.echo(page)


def _unknown(name: str) -> str:
    """Say what there is no page about, and what was probably meant; the number of a code is not to be guessed."""
    if re.fullmatch(r"OXP[0-9]*", name.upper()):
        return "there is no finding with this code (oxpushctl config explain lists all)"
    meant = table.suggestion(name) or _by_its_end(name)
    hint = f"; {meant}" if meant else " (oxpushctl config explain lists all)"
    if name.startswith("com.openexchange.") and not meant:
        return "is no property that mail push heeds: it belongs to another module of the middleware, or to none"
    return f"is neither a property, nor an option of a client, nor a code{hint}"


def _by_its_end(name: str) -> str:
    """Return a hint at the keys that end like this, or at a similar option or code."""
    ends = [row.key for row in table.TABLE if row.key.lower().endswith(f".{name.lower()}")]
    short = [option.name for option in option_table.OPTIONS]
    close = ends or difflib.get_close_matches(name, [*short, *codes.CATALOGUE], n=1)
    return f"did you mean {' or '.join(close)}?" if close else ""
