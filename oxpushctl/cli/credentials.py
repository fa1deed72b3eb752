"""``oxpushctl credentials``: the mail passwords that are kept for push users."""

from __future__ import annotations

import click
import orjson

from oxpushctl.cli.credentials_import import import_
from oxpushctl.cli.credentials_rotate import rotate
from oxpushctl.cli.credentials_set import set_
from oxpushctl.cli.credentials_verify import verify
from oxpushctl.cli.kept import chosen, in_words, storing_configuration, with_vault
from oxpushctl.cli.options import Invocation
from oxpushctl.cli.output import printing, say
from oxpushctl.cli.parameters import context_option, format_option, user_option
from oxpushctl.cli.stored import named_user
from oxpushctl.errors import UnknownEntry
from oxpushctl.model import KeptCredential, PushUser
from oxpushctl.storage import Storage
from oxpushctl.stores.vault import Vault

_COLUMNS = ("context", "user", "login", "origin", "state")


@click.group()
def credentials() -> None:
    """The mail passwords that are kept, encrypted, for users whom nobody logs in."""


credentials.add_command(set_)
credentials.add_command(verify)
credentials.add_command(rotate)
credentials.add_command(import_)


@credentials.command(name="list")
@context_option()
@user_option()
@format_option()
@click.pass_obj
def list_(invocation: Invocation, context: int | None, user: str | None, form: str) -> None:
    """Print whose passwords are kept, and what they are worth; no password is ever printed.

    The origin is `command` or `subscribing`: what an app brought when it subscribed goes with the user's last
    registration. The state is what the mail server said of the password: `opened`, `refused`, or `untried`.
    """

    async def show(storage: Storage, vault: Vault) -> None:
        with printing(_COLUMNS, form, if_none="No kept passwords.") as show_row:
            async for kept in chosen(storage, vault, context, user):
                show_row(
                    {
                        "context": kept.user.context,
                        "user": kept.user.user,
                        "login": kept.login,
                        "origin": kept.origin.value,
                        "state": kept.state.value,
                    }
                )

    with_vault(storing_configuration(invocation), show)


@credentials.command()
@context_option()
@user_option(is_required=True)
@click.pass_obj
def remove(invocation: Invocation, context: int | None, user: str) -> None:
    """Forget a user's password."""

    async def forget(storage: Storage, vault: Vault) -> PushUser:
        owner = await named_user(storage.database, context, user)
        await vault.refuse_another_passphrase()
        if not await vault.remove(owner):
            raise UnknownEntry(f"no password of {in_words(owner)} is kept")
        return owner

    owner = with_vault(storing_configuration(invocation), forget, is_writing=True)
    say(f"Password of {in_words(owner)} removed.")


@credentials.command()
@context_option()
@user_option()
@click.pass_obj
def export(invocation: Invocation, context: int | None, user: str | None) -> None:
    """Print the passwords as JSON lines, encrypted as they are kept.

    Whoever has the passphrase can decrypt them, so treat the output as a secret all the same.
    """

    async def show(storage: Storage, vault: Vault) -> None:
        async for kept in chosen(storage, vault, context, user):
            click.echo(orjson.dumps(_as_json(kept)))

    with_vault(storing_configuration(invocation), show)


def _as_json(kept: KeptCredential) -> dict[str, int | str]:
    return {
        "context": kept.user.context,
        "user": kept.user.user,
        "login": kept.login,
        "encrypted": kept.value,
        "origin": kept.origin.value,
    }
