"""``oxpushctl config flow``: would a permanent listener be spawned, and if not, where does it stop."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from oxpushctl.cli.options import Invocation
from oxpushctl.cli.parameters import client_option, context_option, user_option
from oxpushctl.config import table
from oxpushctl.config.finding import Finding
from oxpushctl.config.properties import DATABASE_URL
from oxpushctl.model import NEW_MAIL

if TYPE_CHECKING:
    from oxpushctl.config.flow_registration import About
    from oxpushctl.config.reading import Configuration
    from oxpushctl.stores.sql.database import Database


@click.command()
@context_option()
@user_option()
@client_option()
@click.option("-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def flow(invocation: Invocation, context: int | None, user: str | None, client: str | None, form: str) -> None:
    """Draw whether a permanent listener would be spawned, and if not, where it stops and what to set.

    For this node; or for the users of a client (-i); or for one user, whose devices are looked up in the database.
    Either answer ends with 0: scripts read "spawned" of the JSON form.
    """
    from oxpushctl.config import flow as decision  # noqa: PLC0415  # the other config commands do without
    from oxpushctl.config import flow_drawing  # noqa: PLC0415  # same
    from oxpushctl.config.flow_registration import About  # noqa: PLC0415  # same

    if context is not None and user is None:
        raise click.UsageError("-c goes with -u: a context alone has no listener")
    configuration = invocation.configuration()
    about = About(client=client) if user is None else _about(configuration, context, user, client)
    found = decision.evaluate(configuration, about)
    if form == "json":
        click.echo(json.dumps(decision.as_object(found), ensure_ascii=False, indent=2))
    else:
        click.echo(flow_drawing.drawn(found, sys.stdout.encoding))


def _about(configuration: Configuration, context: int | None, user: str, client: str | None) -> About:
    """Look up who is meant, and the user's devices."""
    from oxpushctl.cli.stored import named_user, with_database  # noqa: PLC0415  # without a user none is opened
    from oxpushctl.config.flow_registration import About  # noqa: PLC0415  # same
    from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore  # noqa: PLC0415  # same

    async def look_up(database: Database) -> About:
        owner = await named_user(database, context, user)
        store = SqlSubscriptionStore(database)
        live = (await store.matching([owner], NEW_MAIL))[owner]
        devices = await store.listing(owner)
        return About(owner, client, frozenset(each.client for each in live), frozenset(each.client for each in devices))

    # A configuration with errors has a flow as well: only those matter by which another database might be meant.
    uncertain = replace(configuration, findings=tuple(filter(_concerns_database, configuration.findings)))
    return with_database(uncertain, look_up)


def _concerns_database(finding: Finding) -> bool:
    match = table.find(finding.key)
    return not finding.key or (match is not None and match.row is DATABASE_URL)
