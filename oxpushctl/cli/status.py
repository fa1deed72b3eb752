"""``oxpushctl status``: how the running engine fares."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from oxpushctl.cli.options import Invocation
from oxpushctl.cli.output import json_text, say
from oxpushctl.cli.parameters import report_format_option
from oxpushctl.cli.status_text import Line, lines_of, text_of
from oxpushctl.cli.stored import refuse_errors
from oxpushctl.cli.watching import screen, watch
from oxpushctl.errors import TryLater
from oxpushctl.web.admin_client import AdminClient
from oxpushctl.web.admin_reports import STATUS_PATH
from oxpushctl.web.kept_json import Object

if TYPE_CHECKING:
    from rich.text import Text

_STYLES = {True: "green", False: "red", None: ""}


@click.command()
@click.option("--watch", "is_watching", is_flag=True, help="Look every two seconds, until interrupted.")
@report_format_option()
@click.pass_context
def status(ctx: click.Context, is_watching: bool, form: str) -> None:
    """Print how the running engine fares: what it has not sent yet, its listeners, who is connected, what troubles it.

    With --watch, it is drawn anew on a terminal. In a pipe, and as JSON with an object a line, it is printed again
    whenever it has changed.

    Exit code: 0, or 69 where no engine runs, 75 where it cannot keep events now.
    """
    invocation = ctx.find_object(Invocation)
    assert invocation is not None  # noqa: S101  # made by the group above this one
    invocation.start_quiet_logging()
    configuration = invocation.configuration()
    refuse_errors(configuration)

    async def run() -> Object:
        async with aclosing(AdminClient.from_configuration(configuration)) as engine:

            async def look() -> Object:
                return await engine.told(STATUS_PATH)

            if not is_watching:
                return await look()
            if form == "text" and sys.stdout.isatty():
                with screen() as draw:
                    await watch(look, lambda seen: draw(_coloured(lines_of(seen))))
            await watch(look, _Changes(form).show)

    seen = asyncio.run(run())
    _print(seen, form)
    if seen.get("ready") is False:
        say("Not ready: the engine cannot keep events now.")
        ctx.exit(TryLater.exit_code)


def _print(seen: Object, form: str) -> None:
    if form == "json":
        click.echo(json_text(seen, indent=2))
    elif sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415  # loaded only when something is drawn

        Console().print(_coloured(lines_of(seen)))
    else:
        click.echo(text_of(lines_of(seen)))


def _coloured(lines: Sequence[Line]) -> Text:
    from rich.text import Text  # noqa: PLC0415  # as above

    texts = [Text(text, _STYLES[line.is_good]) for text, line in zip(text_of(lines).split("\n"), lines, strict=True)]
    return Text("\n").join(texts)


class _Changes:
    """Prints what differs from what was printed before, as text behind an empty line."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._before = ""

    def show(self, seen: Object) -> None:
        """Compare with what was seen before."""
        is_json = self._form == "json"
        text = json_text(seen) if is_json else text_of(lines_of(seen))
        if text != self._before:
            click.echo(text if is_json or not self._before else f"\n{text}")
        self._before = text
