"""``oxpushctl credentials import``: encrypted passwords from JSON lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import click

from oxpushctl.cli.completion import complete_files
from oxpushctl.cli.json_lines import Importing, Members, importing, refuse_others, text, user_of
from oxpushctl.cli.kept import refusals_of_logins, storing_configuration, with_vault
from oxpushctl.cli.options import Invocation
from oxpushctl.errors import BadData
from oxpushctl.model import KeptCredential, Origin
from oxpushctl.storage import Storage
from oxpushctl.stores.vault import Vault

_KEYS = ("context", "user", "login", "encrypted", "origin")


@click.command("import")
@click.argument("file", metavar="FILE|-", shell_complete=complete_files)
@click.pass_obj
def import_(invocation: Invocation, file: str) -> None:
    """Keep passwords from JSON lines, as `credentials export` prints them: encrypted.

    Each must open with the configured passphrase; the formats of the middleware 8.x and 7.x are both taken as they
    are. A line that cannot be used, or whose login is another user's in the directory, is named with its reason, and
    the others are stored all the same. After an interruption, import the same file again.

    The origin may be left out, it is `command` then. So it is, and the last line says of how many, where it would be
    `subscribing` and the user has no registration: without one, such a password goes at once.

    \b
    {"context":1,"user":3,"login":"al","encrypted":"…"}
    """
    configuration = storing_configuration(invocation, is_keeping=True)
    with importing(file, "passwords", _read) as lines:
        run = _Run(lines)
        with_vault(configuration, run.run, is_writing=True)
    lines.tell("password", run.remark)


class _Run:
    """One run of the command."""

    def __init__(self, lines: Importing[KeptCredential]) -> None:
        self._lines = lines
        self._adopted = 0

    @property
    def remark(self) -> str:
        """Say how many passwords got another origin than their line has."""
        return f", {self._adopted} with the origin command for want of a registration" if self._adopted else ""

    async def run(self, storage: Storage, vault: Vault) -> None:
        """Keep all passwords."""

        async def store(rows: Sequence[KeptCredential]) -> Sequence[BadData | None]:
            refusals = await refusals_of_logins(storage, rows)
            usable = [row for row, refusal in zip(rows, refusals, strict=True) if refusal is None]
            lasting = await _lasting(storage, usable)
            kept = await vault.put_encrypted(lasting)
            for before, after, refusal in zip(usable, lasting, kept, strict=True):
                self._adopted += refusal is None and before.origin is not after.origin
            remaining = iter(kept)
            return [next(remaining) if refusal is None else refusal for refusal in refusals]

        await self._lines.into(store)


async def _lasting(storage: Storage, rows: Sequence[KeptCredential]) -> list[KeptCredential]:
    """Return rows with an origin with which the engine keeps them."""
    by_subscribing = [row.user for row in rows if row.origin is Origin.SUBSCRIBING]
    registered = await storage.registrations.registered(by_subscribing)
    return [row if row.user in registered else replace(row, origin=Origin.COMMAND) for row in rows]


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
