"""``oxpushctl config flow``: would a permanent listener be spawned, and if not, where does it stop."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from oxpushctl.cli.options import Invocation
from oxpushctl.cli.parameters import client_option, context_option, report_format_option, user_option
from oxpushctl.config import table
from oxpushctl.config.finding import Finding
from oxpushctl.config.mailboxes import KEPT, is_doveadm_first, wanted_password
from oxpushctl.config.own import DATABASE_URL
from oxpushctl.errors import OxpushctlError
from oxpushctl.model import NEW_MAIL, CredentialState, KeptCredential, PushUser

if TYPE_CHECKING:
    from oxpushctl.config.configuration import Configuration
    from oxpushctl.config.flow.flow import Flow
    from oxpushctl.config.flow.registration import Target
    from oxpushctl.config.flow.stored import Stored
    from oxpushctl.storage import Storage
    from oxpushctl.stores.sql.database import Database


@click.command()
@context_option()
@user_option()
@client_option()
@report_format_option()
@click.pass_obj
def flow(invocation: Invocation, context: int | None, user: str | None, client: str | None, form: str) -> None:
    """Draw whether a permanent listener would be spawned, and if not, where it stops and what to set.

    For this node; or for the users of a client (-i); or for one user, of whom the database and the kept passwords are
    asked, and no mail server. Either answer ends with 0: scripts read "spawned" of the JSON form.
    """
    from oxpushctl import checks  # noqa: PLC0415  # the other config commands do without
    from oxpushctl.config.flow import flow as decision  # noqa: PLC0415  # same
    from oxpushctl.config.flow.registration import Target  # noqa: PLC0415  # same

    if context is not None and user is None:
        raise click.UsageError("-c goes with -u: a context alone has no listener")
    configuration = checks.check_parts(invocation.configuration())
    target = Target(client=client) if user is None else _target(configuration, context, user, client)
    found = decision.evaluate(configuration, target)
    if form == "json":
        click.echo(json.dumps(decision.as_object(found), indent=2))
    else:
        click.echo(drawn_flow(found))


def drawn_flow(found: Flow) -> str:
    """Draw a flow as wide as the terminal, and as its encoding allows."""
    from oxpushctl.config.flow.drawing import WIDTH, drawn  # noqa: PLC0415  # as above

    width = shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH
    return drawn(found, sys.stdout.encoding, width)


def _target(configuration: Configuration, context: int | None, user: str, client: str | None) -> Target:
    """Look up who is meant, and what is stored of that user."""
    import asyncio  # noqa: PLC0415  # without a user nothing is opened

    from oxpushctl.cli.stored import named_user, refuse_errors  # noqa: PLC0415  # same
    from oxpushctl.config.flow.registration import Target  # noqa: PLC0415  # same
    from oxpushctl.storage import opened_storage  # noqa: PLC0415  # same

    async def look_up() -> Target:
        # Where the passwords are may be away or misconfigured: the rest is told all the same.
        async with opened_storage(configuration, has_credentials=False) as storage:
            owner = await named_user(storage.database, context, user)
            live = (await storage.subscriptions.matching([owner], NEW_MAIL))[owner]
            devices = await storage.subscriptions.listing(owner)
            registered = await storage.registrations.listing(owner)
            is_kept, kept = await _kept_password(configuration, storage.database, owner)
            return Target(
                owner,
                client,
                frozenset(each.client for each in live),
                frozenset(each.client for each in devices),
                frozenset(each.client for each in registered),
                is_kept,
                await _stored(configuration, storage, owner, kept),
            )

    # A configuration with errors has a flow as well: only those matter by which another database might be meant.
    refuse_errors(replace(configuration, findings=tuple(filter(_concerns_database, configuration.findings))))
    return asyncio.run(look_up())


async def _kept_password(
    configuration: Configuration, database: Database, owner: PushUser
) -> tuple[bool | None, KeptCredential | None]:
    """Return whether a user's password is kept, and as what.

    ``None`` for where none is wanted, or where it would be does not tell.
    """
    from oxpushctl.storage import opened_rows  # noqa: PLC0415  # as above
    from oxpushctl.web.admin_client import AdminClient  # noqa: PLC0415  # same
    from oxpushctl.web.remote_credentials import RemoteCredentialRows  # noqa: PLC0415  # same

    if wanted_password(configuration.settings) is not KEPT:
        return None, None
    try:
        async with (
            aclosing(AdminClient.from_configuration(configuration)) as engine,
            opened_rows(configuration, database, RemoteCredentialRows(engine)) as rows,
        ):
            kept = None if rows is None else await rows.get(owner)
            return (None if rows is None else kept is not None), kept
    except OxpushctlError:
        return None, None


async def _stored(
    configuration: Configuration, storage: Storage, owner: PushUser, kept: KeptCredential | None
) -> Stored:
    """Return what else is stored of a user."""
    from oxpushctl.config.flow.stored import AtDovecot, Stored  # noqa: PLC0415  # as above
    from oxpushctl.listeners.dovecot_value import Values  # noqa: PLC0415  # same
    from oxpushctl.listeners.mailbox_names import MailboxNames  # noqa: PLC0415  # same
    from oxpushctl.stores.sql.dovecot import SqlRegisteredMailboxes  # noqa: PLC0415  # same

    settings = configuration.settings
    row = (await SqlRegisteredMailboxes(storage.database).read([owner])).get(owner)
    at_dovecot = None
    if row is not None:
        names = MailboxNames(storage.users, _Kept(kept), settings)
        name = (await names.of([owner], is_kept_first=not is_doveadm_first(settings)))[owner]
        is_of_today = str(name).lower() == row.name.lower() and row.about == Values.from_settings(settings).about(owner)
        at_dovecot = AtDovecot(row.name, row.verified_ms, is_of_today)
    return Stored(
        await storage.users.entry(owner),
        at_dovecot,
        None if kept is None else kept.login,
        kept is not None and kept.state is CredentialState.REFUSED,
        kept is not None and await storage.users.resolve(kept.login) not in (None, owner),
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    """The one kept password that was looked up, as what tells logins."""

    kept: KeptCredential | None

    async def kept_of(self, users: Iterable[PushUser]) -> Mapping[PushUser, KeptCredential]:
        """Return it."""
        return {} if self.kept is None else {self.kept.user: self.kept}


def _concerns_database(finding: Finding) -> bool:
    match = table.find(finding.key)
    return not finding.key or (match is not None and match.row is DATABASE_URL)
