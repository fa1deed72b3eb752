"""``oxpushctl credentials``: the mail passwords that are kept for push users."""

from __future__ import annotations

import click
import orjson

from oxpushctl.cli.completion import complete_files
from oxpushctl.cli.credentials_rotate import rotate
from oxpushctl.cli.credentials_set import set_
from oxpushctl.cli.credentials_verify import verify
from oxpushctl.cli.json_lines import Members, importing, refuse_others, text, user_of
from oxpushctl.cli.kept import chosen, in_words, storing_configuration, with_vault
from oxpushctl.cli.options import Invocation
from oxpushctl.cli.output import printing, say
from oxpushctl.cli.parameters import context_option, format_option, user_option
from oxpushctl.cli.stored import named_user
from oxpushctl.errors import BadData, UnknownEntry
from oxpushctl.model import KeptCredential, Origin, PushUser
from oxpushctl.storage import Storage
from oxpushctl.stores.vault import Vault

_COLUMNS = ("context", "user", "login", "origin", "state")
_KEYS = ("context", "user", "login", "encrypted", "origin")


@click.group()
def credentials() -> None:
    """The mail passwords that are kept, encrypted, for users whom nobody logs in."""


credentials.add_command(set_)
credentials.add_command(verify)
credentials.add_command(rotate)


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


@credentials.command(name="import")
@click.argument("file", metavar="FILE|-", shell_complete=complete_files)
@click.pass_obj
def import_(invocation: Invocation, file: str) -> None:
    """Keep passwords from JSON lines, as `credentials export` prints them: encrypted.

    Each must open with the configured passphrase; the formats of the middleware 8.x and 7.x are both taken as they
    are. A line that cannot be used is named with its reason, and the others are stored all the same. After an
    interruption, import the same file again. The origin may be left out, it is `command` then:

    \b
    {"context":1,"user":3,"login":"al","encrypted":"…"}
    """
    configuration = storing_configuration(invocation, is_keeping=True)
    with importing(file, "passwords", _read) as lines:
        with_vault(configuration, lambda _, vault: lines.into(vault.put_encrypted), is_writing=True)
    lines.tell("password")


def _as_json(kept: KeptCredential) -> dict[str, int | str]:
    return {
        "context": kept.user.context,
        "user": kept.user.user,
        "login": kept.login,
        "encrypted": kept.value,
        "origin": kept.origin.value,
    }


def _read(members: Members) -> KeptCredential:
    """Read one line of an import; raise ``BadData`` that says what is wrong with it."""
    if "password" in members:
        raise BadData("a password in clear is not imported: `oxpushctl credentials set` keeps one, encrypted")
    refuse_others(members, _KEYS)
    user, login = user_of(members), text(members, "login")
    try:
        origin = Origin(text(members, "origin") or Origin.COMMAND)
    except ValueError:
        raise BadData(f"origin is none of {', '.join(each.value for each in Origin)}") from None
    return KeptCredential(user, login, text(members, "encrypted"), origin)
