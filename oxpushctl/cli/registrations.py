"""``oxpushctl registrations``: who is listened for."""

from __future__ import annotations

from contextlib import aclosing

import click

from oxpushctl.cli.kept import in_words
from oxpushctl.cli.options import Invocation
from oxpushctl.cli.output import Row, counted, printing, say
from oxpushctl.cli.parameters import client_option, context_option, format_option, user_option
from oxpushctl.cli.stored import named_user, with_storage
from oxpushctl.config.allowed_clients import is_allowed
from oxpushctl.config.properties import ALLOWED_CLIENTS
from oxpushctl.errors import UnknownEntry
from oxpushctl.model import PushUser, Registration
from oxpushctl.storage import Storage

REGISTRATION_COLUMNS = ("context", "user", "client")


@click.group()
def registrations() -> None:
    """Who is listened for, and on behalf of which app: subscribing and unsubscribing see to it by themselves."""


@registrations.command(name="list")
@context_option()
@user_option()
@client_option()
@format_option()
@click.pass_obj
def list_(invocation: Invocation, context: int | None, user: str | None, client: str | None, form: str) -> None:
    """Print registrations: all, or those of a context, a user or an app."""

    async def show(storage: Storage) -> None:
        owner = None if user is None else await named_user(storage.database, context, user)
        found = storage.registrations.walk(
            context if owner is None else owner.context, None if owner is None else owner.user, client
        )
        with printing(REGISTRATION_COLUMNS, form, if_none="No registrations.") as show_row:
            async with aclosing(found):
                async for each in found:
                    show_row(registration_row(each))

    with_storage(invocation.configuration(), show)


@registrations.command()
@context_option()
@user_option(is_required=True)
@client_option(is_required=True)
@click.pass_obj
def add(invocation: Invocation, context: int | None, user: str, client: str) -> None:
    """Register a user for an app, without any device.

    It stays until it is removed, or until the last device of the user and the app goes that was told of new mail.
    """

    async def store(storage: Storage) -> tuple[PushUser, bool]:
        owner = await named_user(storage.database, context, user)
        return owner, await storage.registrations.add(Registration(owner, client))

    configuration = invocation.configuration()
    owner, is_new = with_storage(configuration, store, is_writing=True)
    done = f"{in_words(owner)} {'registered' if is_new else 'was registered already'} for {client}"
    doubt = "" if is_allowed(client, configuration.settings[ALLOWED_CLIENTS]) else f"; {not_allowed(client)}"
    say(f"{done[0].upper()}{done[1:]}{doubt}.")


@registrations.command()
@context_option()
@user_option(is_required=True)
@client_option()
@click.pass_obj
def remove(invocation: Invocation, context: int | None, user: str, client: str | None) -> None:
    """Remove a user's registrations: all, or that for an app.

    The devices stay. With the user's last registration goes the password that an app brought when it subscribed.
    """

    async def take_back(storage: Storage) -> int:
        owner = await named_user(storage.database, context, user)
        found = await storage.registrations.listing(owner, client)
        return sum([await storage.subscriptions.unregister(each) for each in found])

    invocation.start_quiet_logging()
    removed = with_storage(invocation.configuration(), take_back, is_writing=True)
    if not removed:
        raise UnknownEntry("no such registration")
    say(f"{counted(removed, 'registration')} removed.")


def registration_row(registration: Registration) -> Row:
    """Return a registration as a row of a list."""
    return {
        "context": registration.user.context,
        "user": registration.user.user,
        "client": registration.client,
    }


def not_allowed(client: str) -> str:
    """Say why nobody is listened for on behalf of a client."""
    return f"not listened for: client {client} is not in {ALLOWED_CLIENTS.key}"
