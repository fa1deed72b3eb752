"""``oxpushctl config show``: what the configuration says, secrets left out."""

from __future__ import annotations

import click

from oxpushctl.cli.options import Invocation
from oxpushctl.cli.output import say
from oxpushctl.config import render
from oxpushctl.config.finding import Severity


@click.command()
@click.option("--all", "is_all", is_flag=True, help="Show also what has its default, as comments.")
@click.option("--sources", "with_sources", is_flag=True, help="Tell where each value came from.")
@click.pass_obj
def show(invocation: Invocation, is_all: bool, with_sources: bool) -> None:
    """Print what differs from the default, as a *.properties file, and the clients with their options as comments.

    Of a secret only (set) is shown. A value with an error is shown as what is used in its place, and the errors are
    told on standard error.
    """
    from oxpushctl import checks  # noqa: PLC0415  # knows every part; explain does without them
    from oxpushctl.config import show as showing  # noqa: PLC0415  # same

    configuration = checks.check_parts(invocation.configuration())
    for line in showing.lines(configuration, showing.Wish(is_all=is_all, with_sources=with_sources)):
        click.echo(line)
    errors = [found for found in render.in_order(configuration.findings) if found.severity is Severity.ERROR]
    for found in errors:
        say(render.line(found))
    if errors:
        say(f"{configuration.etc}: {len(errors)} error{'' if len(errors) == 1 else 's'}: run oxpushctl config check")
