"""``oxpushctl listpushusers``: for whom new mail is heard, as the engine tells, or for whom it should be."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import click

from oxpushctl.cli.listener_view import ListenerView, Wish
from oxpushctl.cli.options import Invocation
from oxpushctl.cli.output import printing
from oxpushctl.cli.parameters import context_option, user_option
from oxpushctl.cli.registrations import REGISTRATION_COLUMNS, registration_row
from oxpushctl.cli.stored import named_user, refuse_errors, with_storage
from oxpushctl.config.configuration import Configuration
from oxpushctl.model import PushUser
from oxpushctl.storage import Storage, opened_storage
from oxpushctl.web.admin_client import AdminClient
from oxpushctl.web.admin_reports import PUSHUSERS_PATH

_FORMS = ("plain", "table", "json", "jsonl", "csv")


@click.command()
@context_option()
@user_option()
@click.option(
    "-l",
    "--list-client-registrations",
    "are_registrations",
    is_flag=True,
    help="Print the registrations instead, out of the database: the engine need not run.",
)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(_FORMS),
    default="plain",
    show_default=True,
    help="Plain is a line each; a table on a terminal is tab-separated text when piped.",
)
@click.option("--all", "are_all", is_flag=True, help="Print those that do not run as well, and why.")
@click.option("--summary", "is_summary", is_flag=True, help="Count listeners by implementation, kind and health.")
@click.option("--watch", "is_watching", is_flag=True, help="Look every two seconds, until interrupted.")
@click.pass_obj
def listpushusers(
    invocation: Invocation,
    context: int | None,
    user: str | None,
    are_registrations: bool,
    form: str,
    are_all: bool,
    is_summary: bool,
    is_watching: bool,
) -> None:
    """Print the running listeners of the engine, by context and user.

    Each is a line such as `user=249, context=1, permanent=true`; a listener is not permanent that runs for a session
    with an open web socket. The other forms tell node, implementation (`dovecot`, `imapidle` or `mailnotify`), health
    (`ok` or `reconnecting`), since when it is so, and the last new mail.

    With --all, the health may also be `starting`, `failed`, `auth-failed` (nothing at hand opens the mailbox),
    `over-limit` (no more listeners may run at that mail server) or `unsupported` (no implementation that is enabled can
    serve the mailbox).

    With --watch, a table is drawn anew on a terminal. In a pipe a line beginning with a plus tells what has come, at
    first everything, and one beginning with a minus what has gone.
    """
    if are_registrations and (are_all or is_summary or is_watching):
        raise click.UsageError("-l lists registrations, which have no health: leave out --all, --summary and --watch")
    if is_summary and are_all:
        raise click.UsageError("--summary counts all listeners anyway: leave out --all")
    if is_watching and form not in ("plain", "table"):
        raise click.UsageError(f"--watch has no end, and so no {form}: -f plain or -f table")
    invocation.start_quiet_logging()
    configuration = invocation.configuration()
    if are_registrations:
        _print_registrations(configuration, context, user, form)
        return
    refuse_errors(configuration)
    wish = Wish(form, are_all=are_all, is_summary=is_summary)
    asyncio.run(_ask(configuration, context, user, wish, is_watching=is_watching))


def _print_registrations(configuration: Configuration, context: int | None, user: str | None, form: str) -> None:
    async def show(storage: Storage) -> None:
        owner = None if user is None else await named_user(storage.database, context, user)
        columns = ("user", "context", "client") if form == "plain" else REGISTRATION_COLUMNS
        with printing(columns, form, if_none="No registered push users.") as show_row:
            async with aclosing(storage.registrations.walk(*_of(owner, context))) as found:
                async for each in found:
                    show_row(registration_row(each))

    with_storage(configuration, show)


async def _ask(
    configuration: Configuration, context: int | None, user: str | None, wish: Wish, *, is_watching: bool
) -> None:
    owner = None
    if user is not None:
        async with opened_storage(configuration, has_credentials=False) as storage:
            owner = await named_user(storage.database, context, user)
    asked = dict(zip(("context", "user"), _of(owner, context), strict=True))
    async with aclosing(AdminClient.from_configuration(configuration)) as engine:
        view = ListenerView(wish, lambda: engine.rows(PUSHUSERS_PATH, asked))
        await (view.watch() if is_watching else view.print())


def _of(owner: PushUser | None, context: int | None) -> tuple[int | None, int | None]:
    return (context, None) if owner is None else (owner.context, owner.user)
