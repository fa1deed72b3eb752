"""``oxpushctl subscriptions``: the devices that want to be told."""

from __future__ import annotations

from collections.abc import Sequence

import click

from oxpushctl.cli.completion import complete_transports
from oxpushctl.cli.options import Invocation
from oxpushctl.cli.output import Row, print_rows, say, utc
from oxpushctl.cli.parameters import client_option, context_option, format_option, moment_option, user_option
from oxpushctl.cli.stored import named_user, with_database
from oxpushctl.config.clients import selection
from oxpushctl.config.clients.options import switch_of, transport_of
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.properties import SWITCHES
from oxpushctl.config.property import TEXTS
from oxpushctl.errors import UnknownEntry
from oxpushctl.model import NEW_MAIL, Subscription
from oxpushctl.stores import spelling
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore

_COLUMNS = ("context", "user", "client", "transport", "token", "topics", "expires")


@click.group()
def subscriptions() -> None:
    """The devices: which app on which phone of which user is told of what."""


@subscriptions.command()
@context_option()
@user_option(is_required=True)
@client_option(is_required=True)
@click.option(
    "--transport", required=True, metavar="apn|gcm", shell_complete=complete_transports, help="Apple's or Google's."
)
@click.option("--token", required=True, metavar="TOKEN", help="The device's token, as the app got it.")
@click.option("--topics", default=NEW_MAIL, show_default=True, metavar="T,…", help="What to tell; ox:mail:* and * too.")
@moment_option("--expires", "When to forget the device; never, if not given.")
@click.pass_obj
def add(
    invocation: Invocation,
    context: int | None,
    user: str,
    client: str,
    transport: str,
    token: str,
    topics: str,
    expires: int | None,
) -> None:
    """Subscribe a device; a token that another user had becomes this one's."""

    async def store(database: Database) -> Subscription:
        owner = await named_user(database, context, user)
        wish = Subscription(owner, client, transport, token, TEXTS.parse(topics), expires)
        await SqlSubscriptionStore(database).subscribe(wish)
        return wish

    configuration = invocation.configuration()
    stored = with_database(configuration, store)
    done = f"Device of user {stored.user.user} of context {stored.user.context} subscribed for {client}"
    doubt = _doubt(configuration, stored)
    say(f"{done}; nothing reaches it yet: {doubt}." if doubt else f"{done}.")


@subscriptions.command(name="list")
@context_option()
@user_option()
@client_option()
@format_option()
@click.pass_obj
def list_(invocation: Invocation, context: int | None, user: str | None, client: str | None, form: str) -> None:
    """Print devices: all, or those of a context, a user or an app."""

    async def find(database: Database) -> Sequence[Subscription]:
        owner = None if user is None else await named_user(database, context, user)
        return await SqlSubscriptionStore(database).listing(owner, client, context=context)

    found = with_database(invocation.configuration(), find)
    rows: list[Row] = [
        {
            "context": each.user.context,
            "user": each.user.user,
            "client": each.client,
            "transport": each.transport,
            "token": each.token,
            "topics": each.topics,
            "expires": utc(each.expires_ms),
        }
        for each in found
    ]
    print_rows(_COLUMNS, rows, form, if_none="No subscriptions.")


@subscriptions.command()
@context_option()
@user_option(is_required=True)
@client_option()
@click.option("--token", metavar="TOKEN", help="Only this device.")
@click.pass_obj
def remove(invocation: Invocation, context: int | None, user: str, client: str | None, token: str | None) -> None:
    """Remove a user's devices: all, or those of an app, or the one with a token."""

    async def unsubscribe(database: Database) -> Sequence[Subscription]:
        owner = await named_user(database, context, user)
        return await SqlSubscriptionStore(database).unsubscribe(owner, client, token)

    removed = with_database(invocation.configuration(), unsubscribe)
    if not removed:
        raise UnknownEntry("no such subscription")
    say(f"{len(removed)} {'subscription' if len(removed) == 1 else 'subscriptions'} removed.")


def _doubt(configuration: Configuration, subscription: Subscription) -> str | None:
    """Say why nothing reaches a device with this configuration, if so."""
    client, transport = subscription.client, spelling.canonical(subscription.transport)
    for options in configuration.usable_clients:
        if (options.client, transport_of(options)) == (client, transport):
            if selection.is_switched_on(options, configuration.settings):
                return None
            return f"{SWITCHES[switch_of(options)].key} is off"
    return f"the configuration has no usable options of this client for {transport}"
