"""``oxpushctl subscriptions``: the devices that want to be told."""

from __future__ import annotations

from collections.abc import Sequence

import click

from oxpushctl.cli.completion import complete_transports
from oxpushctl.cli.kept import in_words
from oxpushctl.cli.options import Invocation
from oxpushctl.cli.output import Row, counted, print_rows, say, utc
from oxpushctl.cli.parameters import client_option, context_option, format_option, moment_option, user_option
from oxpushctl.cli.registrations import not_allowed
from oxpushctl.cli.stored import named_user, with_storage
from oxpushctl.config.allowed_clients import is_allowed
from oxpushctl.config.clients import selection
from oxpushctl.config.clients.options import switch_of, transport_of
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.properties import ALLOWED_CLIENTS, SWITCHES
from oxpushctl.config.property import TEXTS
from oxpushctl.errors import UnknownEntry
from oxpushctl.model import NEW_MAIL, Subscription
from oxpushctl.storage import Storage
from oxpushctl.stores import spelling
from oxpushctl.topics import matches

_COLUMNS = ("context", "user", "client", "transport", "token", "topics", "expires", "delivered")


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
    """Subscribe a device; a token that another user had becomes this one's.

    A user has at most 200 devices. One that comes again is never refused.
    """

    async def store(storage: Storage) -> tuple[Subscription, bool]:
        owner = await named_user(storage.database, context, user)
        wish = Subscription(owner, client, transport, token, TEXTS.parse(topics), expires)
        return wish, await storage.subscriptions.subscribe(wish)

    invocation.start_quiet_logging()
    configuration = invocation.configuration()
    stored, is_registered = with_storage(configuration, store, is_writing=True)
    doubts = [_delivery_doubt(configuration, stored), "" if is_registered else _listening_doubt(configuration, stored)]
    said = [f"Device of {in_words(stored.user)} subscribed for {client}", *filter(None, doubts)]
    say(f"{'; '.join(said)}.")


@subscriptions.command(name="list")
@context_option()
@user_option()
@client_option()
@format_option()
@click.pass_obj
def list_(invocation: Invocation, context: int | None, user: str | None, client: str | None, form: str) -> None:
    """Print devices: all, or those of a context, a user or an app.

    The last column is when a push last reached the device, in UTC as all times are.
    """

    async def find(storage: Storage) -> Sequence[Subscription]:
        owner = None if user is None else await named_user(storage.database, context, user)
        return await storage.subscriptions.listing(owner, client, context=context)

    found = with_storage(invocation.configuration(), find)
    rows: list[Row] = [
        {
            "context": each.user.context,
            "user": each.user.user,
            "client": each.client,
            "transport": each.transport,
            "token": each.token,
            "topics": each.topics,
            "expires": utc(each.expires_ms),
            "delivered": utc(each.delivered_ms),
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
    """Remove a user's devices: all, or those of an app, or the one with a token.

    With the last device that was told of new mail, the user is no longer listened for on behalf of the app.
    """

    async def unsubscribe(storage: Storage) -> Sequence[Subscription]:
        owner = await named_user(storage.database, context, user)
        return await storage.subscriptions.unsubscribe(owner, client, token)

    invocation.start_quiet_logging()
    removed = with_storage(invocation.configuration(), unsubscribe, is_writing=True)
    if not removed:
        raise UnknownEntry("no such subscription")
    say(f"{counted(len(removed), 'subscription')} removed.")


def _listening_doubt(configuration: Configuration, subscription: Subscription) -> str:
    """Say why a device that wants to be told of new mail does not have its user listened for."""
    client = subscription.client
    if not any(matches(topic, NEW_MAIL) for topic in subscription.topics):
        return ""
    if not is_allowed(client, configuration.settings[ALLOWED_CLIENTS]):
        return not_allowed(client)
    return f"not listened for: the tables of registrations cannot hold the name of client {client}"


def _delivery_doubt(configuration: Configuration, subscription: Subscription) -> str:
    """Say why nothing reaches a device with this configuration, if so."""
    reason = _obstacle(configuration, subscription)
    return f"nothing reaches it yet: {reason}" if reason else ""


def _obstacle(configuration: Configuration, subscription: Subscription) -> str | None:
    client, transport = subscription.client, spelling.canonical(subscription.transport)
    for options in configuration.usable_clients:
        if (options.client, transport_of(options)) == (client, transport):
            if selection.is_switched_on(options, configuration.settings):
                return None
            return f"{SWITCHES[switch_of(options)].key} is off"
    return f"the configuration has no usable options of this client for {transport}"
