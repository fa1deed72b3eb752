"""``oxpushctl sandbox``: Apple and Google on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import click

from oxpushctl.cli.completion import complete_folders
from oxpushctl.cli.options import PATH, Invocation
from oxpushctl.errors import BadData, MissingFile
from oxpushctl.sandbox.pushes import Push
from oxpushctl.sandbox.sandbox import Sandbox
from oxpushctl.sandbox.script import Script
from oxpushctl.sandbox.write_etc import identity_in, write_etc


def _address(_ctx: click.Context, _param: click.Parameter, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise click.BadParameter(f"{text!r} is not HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


@click.command()
@click.option(
    "--listen",
    default="127.0.0.1:2197",
    show_default=True,
    metavar="HOST:PORT",
    callback=_address,
    help="Where pushes go: HTTP/2 and TLS for both providers; port 0 takes a free one.",
)
@click.option(
    "--page",
    default="127.0.0.1:8020",
    show_default=True,
    metavar="HOST:PORT",
    callback=_address,
    help="Where a browser sees the phones; port 0 takes a free one.",
)
@click.option(
    "--write-etc",
    "etc",
    type=PATH,
    metavar="DIR",
    shell_complete=complete_folders,
    help="Folder to write a ready configuration to; its keys are used again at the next start.",
)
@click.option("--fail", metavar="RATE:STATUS", help="Let pushes fail: 0.1:503 is each tenth with status 503.")
@click.option("--delay", type=click.IntRange(0), default=0, metavar="MS", help="Wait before each answer.")
@click.option("--quiet", is_flag=True, help="Do not print a line a push.")
@click.pass_obj
def sandbox(
    invocation: Invocation,
    listen: tuple[str, int],
    page: tuple[str, int],
    etc: Path | None,
    fail: str | None,
    delay: int,
    quiet: bool,
) -> None:
    """A local stand-in for Apple and Google, with a page that shows what the phones show.

    Without --write-etc the configuration is written to a temporary folder that is removed at the end. Any token is a
    phone that works, except those that order another answer by how they begin:

    \b
      410…      gone since now
      410@T…    gone since T, milliseconds of the epoch
      400…      refused, and so are 403…, 404… and 413…
      429…      try later, as 500… and 503… say, too
      429@5…    try later, with Retry-After: 5
      hang…     held open without an answer
      goaway…   delivered, then closed in good order
      reset…    cut without an answer

    GET /pushes at the page's address returns the pushes as JSON, newest first; ?token= and ?after= narrow it,
    DELETE /pushes forgets them.
    """
    invocation.start_logging()
    try:
        script = Script.read(fail, delay)
    except BadData as error:
        raise click.BadParameter(str(error), param_hint="--fail") from error
    with ExitStack() as stack:
        folder = etc or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oxpushctl-sandbox-")))
        try:
            identity = identity_in(folder)
        except PermissionError as error:
            raise MissingFile(f"{error.filename}: cannot be read: {error.strerror}") from error
        made = Sandbox(identity, host=listen[0], port=listen[1], page_host=page[0], page_port=page[1], script=script)
        asyncio.run(_serve(made, folder, is_quiet=quiet))


async def _serve(sandbox: Sandbox, folder: Path, *, is_quiet: bool) -> None:
    await sandbox.start()
    try:
        write_etc(folder, sandbox.identity, endpoint=sandbox.url)
        click.echo(f"APNs and FCM   {sandbox.url}")
        click.echo(f"page           {sandbox.page_url}")
        click.echo(f"configuration  {folder}  (oxpushctl --etc {shlex.quote(str(folder))} run)")
        await _report(sandbox, is_quiet=is_quiet)
    finally:
        await sandbox.aclose()


async def _report(sandbox: Sandbox, *, is_quiet: bool) -> None:
    """Print a line a push until a signal says stop."""
    stop = asyncio.Event()

    def end() -> None:
        stop.set()
        sandbox.log.wake()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end)
    known = 0
    while not stop.is_set():
        news = sandbox.log.news
        for push in sandbox.log.listing(after=known):
            known = push.number
            if not is_quiet:
                click.echo(_line(push))
        await news.wait()


def _line(push: Push) -> str:
    """Write a push as time, provider, status, token and what is said; texts quoted, for they may hold anything."""
    at = time.strftime("%H:%M:%S", time.localtime(push.received_at))
    said = push.reason or push.at("aps", "alert", "title") or push.at("data", "subject") or push.at("data", "email")
    token, words = (json.dumps(text, ensure_ascii=False) for text in (push.token, said or "(background)"))
    return f"{at}  {push.provider:4}  {push.status or '–':>3}  {token}  {words}"
