"""What the commands on stored things share: they work on the database, with or without a running engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from typing import TypeVar

import click

from oxpushctl.cli.output import say
from oxpushctl.cli.parameters import ID
from oxpushctl.config import render
from oxpushctl.config.configuration import Configuration
from oxpushctl.errors import ConfigurationError, OxpushctlError, UnknownEntry
from oxpushctl.model import PushUser
from oxpushctl.storage import Storage, is_in_engine_memory, opened_storage
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.users import SqlUserDirectory
from oxpushctl.web.admin_client import AdminClient
from oxpushctl.web.remote_credentials import RemoteCredentialRows

T = TypeVar("T")


def with_storage(
    configuration: Configuration,
    work: Callable[[Storage], Awaitable[T]],
    *,
    is_writing: bool = False,
    is_engine_wanted: bool = False,
    left: Sequence[PushUser] = (),
) -> T:
    """Run one command's work on what is stored, and close it.

    ``is_writing``: a running engine is told afterwards, and which users ``left`` the directory. ``is_engine_wanted``:
    where passwords are kept in its memory, they are asked of it; else a command has no passwords then. Errors in the
    configuration may be about where things are stored: nothing is done with them.
    """
    refuse_errors(configuration)

    async def run() -> T:
        async with aclosing(AdminClient.from_configuration(configuration)) as engine:
            is_remote = is_engine_wanted and is_in_engine_memory(configuration.settings)
            async with opened_storage(
                configuration, memory=RemoteCredentialRows(engine) if is_remote else None
            ) as stored:
                result = await work(stored)
            if is_writing:
                with suppress(OxpushctlError):  # it looks by itself before long, and most often none is running
                    await engine.changed(left)
            return result

    return asyncio.run(run())


def refuse_errors(configuration: Configuration) -> None:
    """Print the errors with which nothing starts and raise ``ConfigurationError``, if there are any."""
    if configuration.engine_errors:
        for finding in render.in_order(configuration.engine_errors):
            say(render.line(finding))
        raise ConfigurationError("nothing is done with this configuration: run oxpushctl config check")


async def named_user(database: Database, context: int | None, user: str) -> PushUser:
    """Return the user that ``-c`` and ``-u`` name: a number with its context, or a login or alias."""
    if context is not None and user.isdecimal():
        return PushUser(context, _user_id(user))
    found = await SqlUserDirectory(database).resolve(user)
    if found is None and user.isdecimal():
        raise click.UsageError(f"-u {user}: a user id needs its context (-c), and no login of the directory is {user}.")
    if found is None:
        raise UnknownEntry(f"no user of the directory has the login or alias {user!r}")
    if context not in (None, found.context):
        raise UnknownEntry(f"{user!r} is user {found.user} of context {found.context}, not of context {context}")
    return found


def _user_id(text: str) -> int:
    try:
        number: int = ID(text)
    except click.BadParameter as error:
        error.param_hint = "-u"
        raise
    return number
