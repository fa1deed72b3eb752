"""``oxpushctl users``: the directory of push users."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import click

from oxpushctl.cli.completion import complete_files
from oxpushctl.cli.json_lines import Members, importing, refuse_others, text, user_of
from oxpushctl.cli.options import Invocation
from oxpushctl.cli.output import Row, counted, print_rows, say
from oxpushctl.cli.parameters import context_option, format_option, user_id_option
from oxpushctl.cli.stored import with_storage
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.listening import CREDSTORAGE_RDB
from oxpushctl.engine.clock import SystemClock
from oxpushctl.errors import BadData, OxpushctlError, UnknownEntry
from oxpushctl.listening import NoSessions, opened_listening
from oxpushctl.model import DirectoryEntry, PushUser, Removed
from oxpushctl.storage import Storage
from oxpushctl.stores.sql.dovecot import SqlRegisteredMailboxes
from oxpushctl.web.admin_client import NoEngine

_COLUMNS = ("context", "user", "login", "mail", "alias")


@click.group()
def users() -> None:
    """The directory: which logins and aliases stand for which user."""


@users.command()
@context_option(is_required=True)
@user_id_option()
@click.option("--login", required=True, metavar="LOGIN", help="What the user logs in with at the mail server.")
@click.option("--mail", default="", metavar="ADDRESS", help="The user's mail address.")
@click.option("--alias", "aliases", multiple=True, metavar="NAME", help="A further name of the user; repeatable.")
@click.option("--rename", is_flag=True, help="The user has another login from now on, and is the same person.")
@click.pass_obj
def add(
    invocation: Invocation, context: int, user: int, login: str, mail: str, aliases: tuple[str, ...], *, rename: bool
) -> None:
    """Add a user, or replace what is known of it.

    A user id stands for one person, for ever: its devices are told of this person's mail. Another login is refused for
    it, also after the user was removed, unless --rename says that it is the same person.
    """
    entry = DirectoryEntry(PushUser(context, user), login, mail, aliases)
    configuration = invocation.configuration()
    with_storage(configuration, lambda storage: storage.users.add(entry, rename=rename), is_writing=True)
    say(f"User {user} of context {context} stored with the login {login}.")


@users.command(name="list")
@format_option()
@click.pass_obj
def list_(invocation: Invocation, form: str) -> None:
    """Print all users."""
    entries = with_storage(invocation.configuration(), lambda storage: storage.users.listing())
    rows: list[Row] = [
        {
            "context": each.user.context,
            "user": each.user.user,
            "login": each.login,
            "mail": each.mail,
            "alias": each.aliases,
        }
        for each in entries
    ]
    print_rows(_COLUMNS, rows, form, if_none="No users.")


@users.command()
@context_option(is_required=True)
@user_id_option()
@click.pass_obj
def remove(invocation: Invocation, context: int, user: int) -> None:
    """Remove a user from the directory, with its devices, its kept password and its registration at Dovecot.

    Whoever is logged in as the user is logged out. The user id is given to nobody else afterwards, since the mailbox
    may still name it: only the same login gets it back, or another one with `users add --rename`. The devices of a user
    that is not in the directory are removed by `subscriptions remove`.
    """
    invocation.start_quiet_logging()
    configuration = invocation.configuration()
    gone = PushUser(context, user)
    removed = with_storage(
        configuration,
        lambda storage: _depart(configuration, storage, gone),
        is_writing=True,
        is_engine_wanted=True,
        left=[gone],
    )
    if removed is None:
        raise UnknownEntry(
            f"no user {user} of context {context} in the directory "
            "(oxpushctl subscriptions remove removes the devices of one that is not in it)"
        )
    say(f"User {user} of context {context} removed{_belongings(removed)}.")


@users.command(name="import")
@click.argument("file", metavar="FILE|-", shell_complete=complete_files)
@click.option(
    "--rename", is_flag=True, help="Users whose logins differ from those that are known are the same persons."
)
@click.pass_obj
def import_(invocation: Invocation, file: str, *, rename: bool) -> None:
    """Add or replace users from JSON lines, as `users list -f jsonl` prints them.

    A line that cannot be used, or that gives a known or removed user another login without --rename, is named with its
    reason, and the others are stored all the same. After an interruption, import the same file again. A mail address
    ("mail") and further names ("alias", an array) may be left out:

    \b
    {"context":1,"user":3,"login":"anna"}
    {"context":1,"user":4,"login":"al","alias":["a"]}
    """
    configuration = invocation.configuration()

    async def store(storage: Storage) -> None:
        await lines.into(lambda entries: storage.users.add_all(entries, rename=rename))

    with importing(file, "users", _read) as lines:
        with_storage(configuration, store, is_writing=True)
    lines.tell("user")


async def _depart(configuration: Configuration, storage: Storage, user: PushUser) -> Removed | None:
    """Remove a user with all that is stored for it."""
    if await storage.users.entry(user) is None:
        return None
    await _unregister(configuration, storage, user)
    has_password = False
    # First, as nobody would look for it once the user is gone: it is not in the database.
    if not configuration.settings[CREDSTORAGE_RDB] and storage.credentials is not None:
        with suppress(NoEngine):  # in whose memory it would be
            has_password = await storage.credentials.remove(user)
    removed = await storage.users.remove(user)
    return None if removed is None else replace(removed, has_password=removed.has_password or has_password)


async def _unregister(configuration: Configuration, storage: Storage, user: PushUser) -> None:
    """Take back what tells Dovecot of a user while its password is there; say it where that cannot be."""
    if not await SqlRegisteredMailboxes(storage.database).read([user]):
        return
    async with opened_listening(configuration, storage, SystemClock(), NoSessions()) as listening:
        [cleared] = await listening.registry.clear([user])
    if isinstance(cleared, OxpushctlError):
        say(f"The mailbox of user {user.user} of context {user.context} may still be registered at Dovecot: {cleared}")


def _read(members: Members) -> DirectoryEntry:
    """Read one line of an import; raise ``BadData`` that says what is wrong with it."""
    refuse_others(members, (*_COLUMNS, "aliases"), told=_COLUMNS)
    user = user_of(members)
    aliases = members.get("alias", members.get("aliases", []))
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise BadData("alias is not a list of texts")
    return DirectoryEntry(user, text(members, "login"), text(members, "mail"), tuple(aliases))


def _belongings(removed: Removed) -> str:
    """Say what went with a user: ``, with 2 devices and the kept password``."""
    parts = [counted(removed.devices, "device")] if removed.devices else []
    if removed.has_password:
        parts.append("the kept password")
    return f", with {' and '.join(parts)}" if parts else ""
