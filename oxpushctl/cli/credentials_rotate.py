"""``oxpushctl credentials rotate``: kept passwords from an old passphrase to the configured one."""

from __future__ import annotations

from pathlib import Path

import click

from oxpushctl.cli.completion import complete_files
from oxpushctl.cli.kept import in_words, storing_configuration, with_vault
from oxpushctl.cli.options import PATH, Invocation
from oxpushctl.cli.output import counted, progress, say
from oxpushctl.cli.passwords import given_password
from oxpushctl.config.listening import CREDSTORAGE_RDB
from oxpushctl.config.own import CREDENTIALS_URL
from oxpushctl.config.properties import PASSCRYPT
from oxpushctl.errors import BadData, ConfigurationError
from oxpushctl.storage import Storage, is_in_engine_memory
from oxpushctl.stores.rotation import Rotation
from oxpushctl.stores.vault import Vault


@click.command()
@click.option(
    "--old-passcrypt-file",
    type=PATH,
    metavar="FILE",
    shell_complete=complete_files,
    help="Take the old passphrase from the first line of a file.",
)
@click.pass_obj
def rotate(invocation: Invocation, old_passcrypt_file: Path | None) -> None:
    """Encrypt all kept passwords anew: from an old passphrase to the configured one.

    First configure the new passphrase, then run this, then restart every engine. The old one is asked for on a
    terminal, else read from the first line of standard input. Until the end nobody else reads or writes passwords.
    Interrupted in whatever way, it loses nothing: run it again, and it goes on where it was.

    The old passphrase may be the same: what the middleware wrote is then brought to one salt, which makes reading many
    passwords quick. Passwords that neither passphrase opens stay as they are and are named; the exit code is 65 then.
    """
    configuration = storing_configuration(invocation)
    if is_in_engine_memory(configuration.settings):
        raise ConfigurationError(
            f"there is nothing to rotate: without {CREDSTORAGE_RDB.key} and {CREDENTIALS_URL.key}, passwords are in "
            "the engine's memory and end with it (restart it with the new passphrase)"
        )
    old = given_password("Old passphrase", old_passcrypt_file, noun="passphrase")

    async def run(_: Storage, vault: Vault) -> Rotation:
        with progress("passwords", await vault.count()) as advance:
            return await vault.rotated(old, advance)

    rotation = with_vault(configuration, run, is_writing=True)
    is_other = old.strip() != (configuration.settings[PASSCRYPT] or "").strip()
    _tell(rotation, "; restart every engine with the new passphrase" if is_other else "")


def _tell(rotation: Rotation, what_is_next: str) -> None:
    """Say what was done; raise ``BadData`` when passwords stayed as they were."""
    for user, reason in rotation.unopened:
        say(f"{in_words(user)}: {reason}")
    already = f"{rotation.already} {'was' if rotation.already == 1 else 'were'} already"
    say(f"{counted(rotation.changed, 'password')} re-encrypted, {already}{what_is_next}.")
    if rotation.unopened:
        raise BadData(
            f"{counted(len(rotation.unopened), 'password')} could not be opened and stayed as before: set them again, "
            "or remove them"
        )
