"""``oxpushctl credentials set``: keep a user's mail password."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import click

from oxpushctl.cli.completion import complete_files
from oxpushctl.cli.kept import in_words, mailboxes_of, refusals_of_logins, storing_configuration, with_vault
from oxpushctl.cli.options import PATH, Invocation
from oxpushctl.cli.output import say
from oxpushctl.cli.parameters import context_option, user_option
from oxpushctl.cli.passwords import given_password
from oxpushctl.cli.stored import named_user
from oxpushctl.config.configuration import Configuration
from oxpushctl.errors import UnknownEntry
from oxpushctl.listeners.opening import with_kept_password
from oxpushctl.model import Credential, Origin, PushUser
from oxpushctl.storage import Storage
from oxpushctl.stores.vault import Vault


@click.command("set")
@context_option()
@user_option(is_required=True)
@click.option(
    "--login",
    metavar="LOGIN",
    help="What the user logs in with at the mail server; that of the directory, if not given.",
)
@click.option("--verify", "is_verified", is_flag=True, help="Log in first, and keep only a password that opens.")
@click.option(
    "--password-file",
    type=PATH,
    metavar="FILE",
    shell_complete=complete_files,
    help="Take the password from the first line of a file.",
)
@click.pass_obj
def set_(
    invocation: Invocation,
    context: int | None,
    user: str,
    login: str | None,
    is_verified: bool,
    password_file: Path | None,
) -> None:
    """Keep a user's mail password, in place of any other.

    The password is asked for on a terminal, else read from the first line of standard input. A login that is another
    user's in the directory is refused. With --verify, a password that the mail server refuses ends the command with 77,
    and a mail server that cannot be asked with 69 or 75: nothing is changed then.
    """
    configuration = storing_configuration(invocation, is_keeping=True)

    async def find(storage: Storage, vault: Vault) -> _Owner:
        owner = await named_user(storage.database, context, user)
        await vault.open()  # before anybody types a password for nothing
        found = _Owner(owner, login or await _login(storage, owner))
        await _refuse_login(storage, found)
        return found

    owner = with_vault(configuration, find)
    # Asked for between two runs: while an event loop runs, Ctrl-C would wait for the end of the line.
    secret = given_password(f"Password of {owner.login}", password_file)
    credential = Credential(owner.user, owner.login, secret)

    async def keep(storage: Storage, vault: Vault) -> None:
        if is_verified:
            await _log_in(configuration, storage, credential)
        await _refuse_login(storage, owner)
        await vault.put(credential, Origin.COMMAND)
        if is_verified:
            await vault.renew(credential)  # notes that it opens the mailbox

    with_vault(configuration, keep, is_writing=True)
    done = f"Password of {in_words(owner.user)} stored with the login {owner.login}"
    say(f"{done}; it opens the mailbox." if is_verified else f"{done}.")


@dataclass(frozen=True, slots=True)
class _Owner:
    user: PushUser
    login: str


async def _refuse_login(storage: Storage, owner: _Owner) -> None:
    [refusal] = await refusals_of_logins(storage, [Credential(owner.user, owner.login, secret="")])
    if refusal is not None:
        raise refusal


async def _login(storage: Storage, user: PushUser) -> str:
    entry = await storage.users.entry(user)
    if entry is None:
        raise UnknownEntry(f"the directory has no {in_words(user)}, and so no login: give it with --login")
    return entry.login


async def _log_in(configuration: Configuration, storage: Storage, credential: Credential) -> None:
    log_in = await with_kept_password(credential, configuration.settings, storage.users)
    async with aclosing(mailboxes_of(configuration)) as mailboxes:
        await mailboxes.try_log_in(log_in.name, log_in.password)
