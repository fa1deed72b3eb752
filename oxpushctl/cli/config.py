"""``oxpushctl config``: check the configuration, explain a key or a finding."""

from __future__ import annotations

import difflib

import click

from oxpushctl.cli.config_check import check
from oxpushctl.config import codes, render
from oxpushctl.config.table import TABLE


@click.group()
def config() -> None:
    """Check and explain the configuration."""


config.add_command(check)


@config.command()
@click.argument("name", metavar="KEY|CODE")
def explain(name: str) -> None:
    """Print the page of a property, or of a finding's code such as OXP209."""
    page = render.explain(name)
    if page is None:
        known = [*(row.key for row in TABLE), *codes.CATALOGUE]
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise click.UsageError(f"{name} is neither a property nor a code{hint}")
    click.echo(page)
