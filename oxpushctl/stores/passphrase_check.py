"""Whether the configured passphrase is the one that passwords are kept under, wherever that is."""

from __future__ import annotations

from collections.abc import Sequence

from oxpushctl.config.check import told
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.properties import PASSCRYPT
from oxpushctl.interfaces import CredentialRows
from oxpushctl.stores.cipher import Cipher


async def check_passphrase(configuration: Configuration, rows: CredentialRows) -> Sequence[Finding]:
    """Compare with the seal, as every start does; where nothing was kept yet there is none."""
    seals = await rows.seals()
    passcrypt = configuration.settings[PASSCRYPT]
    if not passcrypt or seals.current is None:
        return ()
    if seals.following is not None:
        message = "to bring the kept mail passwords under another passphrase was begun and is not finished"
        return [_told(configuration, message, "run oxpushctl credentials rotate again: nothing starts before")]
    if Cipher.of_seal(passcrypt, seals.current) is None:
        message = "is another than the one that mail passwords are kept under: nothing starts with it"
        return [_told(configuration, message, "set that one, or run oxpushctl credentials rotate")]
    return ()


def _told(configuration: Configuration, message: str, hint: str) -> Finding:
    return told(configuration, Severity.WARNING, "OXP744", PASSCRYPT, message, hint)
