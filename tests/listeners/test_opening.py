"""What opens a user's mailbox, tried at a real Dovecot for every way to log in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from oxpushctl.config.own import MASTER_USER
from oxpushctl.config.properties import (
    AUTH_PROXY_DELIMITER,
    CREDSTORAGE_ENABLED,
    LOGIN_SOURCE,
    MASTER_PASSWORD,
    PASSWORD_SOURCE,
)
from oxpushctl.config.property import Property
from oxpushctl.errors import BadData, ConfigurationError, OxpushctlError, Undecipherable, UnknownEntry
from oxpushctl.listeners.log_in_gate import LogInGate
from oxpushctl.listeners.mail_server import Encryption, LogIn, MailServer
from oxpushctl.listeners.mailboxes import Mailboxes
from oxpushctl.listeners.opening import opening
from oxpushctl.model import Credential, DirectoryEntry, KeptCredential, Origin, PushUser
from oxpushctl.stores.memory import MemoryCredentialRows
from oxpushctl.stores.vault import Vault
from tests.engine.parts import HandClock
from tests.listeners.people import ANTON, BERTA, GUENTER, MASTER, PASSWORDS, people, settings
from tests.peers.dovecot import Dovecot, LogIns

NOBODY = PushUser(1, 9)
GLOBAL: Mapping[Property[Any], object] = {
    PASSWORD_SOURCE: "global",
    MASTER_USER: MASTER[0],
    MASTER_PASSWORD: MASTER[1],
}
KEPT: Mapping[Property[Any], object] = {CREDSTORAGE_ENABLED: True}


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot(log_ins=LogIns(passwords=PASSWORDS, master=MASTER)) as running:
        yield running


async def found(
    folder: Path,
    user: PushUser,
    values: Mapping[Property[Any], object],
    *kept: Credential,
    entries: tuple[DirectoryEntry, ...] = (),
) -> LogIn:
    """Return what opens a mailbox with these settings, these kept passwords and this directory."""
    vault = Vault(MemoryCredentialRows(), "a passphrase")
    try:
        for credential in kept:
            await vault.put(credential, Origin.COMMAND)
        async with people(folder, *entries) as directory:
            return await opening(user, settings(values), directory, vault)
    finally:
        await vault.aclose()


async def opens(dovecot: Dovecot, log_in: LogIn) -> None:
    """Fail where Dovecot refuses the log-in."""
    server = MailServer("127.0.0.1", dovecot.imap_port, Encryption.IF_DEMANDED)
    mailboxes = Mailboxes(server, LogInGate(HandClock(), 0, str(server)))
    await mailboxes.try_log_in(log_in.name, log_in.password)
    await mailboxes.aclose()


@pytest.mark.parametrize(
    ("source", "user", "name"),
    [
        ("login", ANTON, "anton*push"),
        ("login", BERTA, "b4*push"),
        ("mail", BERTA, "berta@example.com*push"),
        ("name", BERTA, "berta*push"),
        ("login", GUENTER, "günter*push"),
    ],
)
async def test_master_password(tmp_path: Path, dovecot: Dovecot, source: str, user: PushUser, name: str) -> None:
    """The directory's login, address or name, and the master user behind it, whatever password is kept."""
    kept = Credential(user, "somebody else", "pw")
    log_in = await found(tmp_path, user, {**GLOBAL, **KEPT, LOGIN_SOURCE: source}, kept)
    assert log_in == LogIn(name, MASTER[1])
    await opens(dovecot, log_in)


async def test_master_password_of_everybody(tmp_path: Path) -> None:
    """Without a master user the master password opens the user's own login."""
    log_in = await found(tmp_path, ANTON, {PASSWORD_SOURCE: "global", MASTER_PASSWORD: "all"})
    assert log_in == LogIn("anton", "all")


@pytest.mark.parametrize(
    ("source", "user", "stored", "name"),
    [
        ("login", ANTON, "anton", "anton"),
        ("login", GUENTER, "günter", "günter"),
        ("login", NOBODY, "berta", "berta"),
        ("mail", BERTA, "b4", "berta@example.com"),
        ("name", BERTA, "b4", "berta"),
        ("mail", NOBODY, "berta@example.com", "berta@example.com"),
        ("name", NOBODY, "berta@example.com", "berta"),
    ],
)
async def test_kept_password(
    tmp_path: Path, dovecot: Dovecot, source: str, user: PushUser, stored: str, name: str
) -> None:
    """The stored login, or the directory's address for it; who is not in the directory may have one for a login."""
    values = {**KEPT, LOGIN_SOURCE: source}
    log_in = await found(tmp_path, user, values, Credential(user, stored, PASSWORDS[name]))
    assert log_in == LogIn(name, PASSWORDS[name])
    await opens(dovecot, log_in)


@pytest.mark.parametrize(
    ("values", "user", "kind", "words"),
    [
        (GLOBAL, NOBODY, UnknownEntry, "oxpushctl users add -c 1 -u 9 --login …"),
        ({**GLOBAL, LOGIN_SOURCE: "mail"}, GUENTER, BadData, "5@1 has no mail address"),
        ({**GLOBAL, AUTH_PROXY_DELIMITER: "ü"}, GUENTER, BadData, "has a ü in it"),
        ({PASSWORD_SOURCE: "global"}, ANTON, ConfigurationError, "com.openexchange.mail.masterPassword is not set"),
        (KEPT, NOBODY, UnknownEntry, "oxpushctl credentials set -c 1 -u 9"),
        ({**KEPT, LOGIN_SOURCE: "mail"}, GUENTER, BadData, "5@1 has no mail address"),
    ],
)
async def test_nothing_opens_it(
    tmp_path: Path, values: Mapping[Property[Any], object], user: PushUser, kind: type[OxpushctlError], words: str
) -> None:
    """What is lacking is named, with the way to mend it."""
    kept = [Credential(GUENTER, "günter", "pw")]
    with pytest.raises(OxpushctlError) as raised:
        await found(tmp_path, user, values, *kept)
    assert (type(raised.value), words in str(raised.value)) == (kind, True), raised.value


@pytest.mark.parametrize("source", ["login", "mail", "name"])
@pytest.mark.parametrize("login", ["anton", "ANTON"])
async def test_login_of_another_user(tmp_path: Path, source: str, login: str) -> None:
    """A password that is kept with another user's login has that one's mail heard for this one: it is refused."""
    kept = Credential(BERTA, login, PASSWORDS["anton"])
    with pytest.raises(BadData, match=f"the login {login}, which is the one of {ANTON} in the directory") as raised:
        await found(tmp_path, BERTA, {**KEPT, LOGIN_SOURCE: source}, kept)
    assert kept.secret not in str(raised.value)


async def test_login_that_ends_like_a_master_log_in(tmp_path: Path) -> None:
    """A login with the delimiter in it could open another user's mailbox: the master password is not sent for it."""
    mallory = DirectoryEntry(PushUser(1, 6), "anton*mallory")
    with pytest.raises(BadData, match="behind which the master user's is expected") as raised:
        await found(tmp_path, mallory.user, GLOBAL, entries=(mallory,))
    assert MASTER[1] not in str(raised.value)


async def test_passwords_are_not_kept(tmp_path: Path) -> None:
    """Where none is kept, the property that switches it on is named."""
    async with people(tmp_path) as directory:
        with pytest.raises(ConfigurationError, match=r"com\.openexchange\.push\.credstorage\.enabled is false"):
            await opening(ANTON, settings({}), directory, None)


async def test_password_that_cannot_be_decrypted(tmp_path: Path) -> None:
    """It is an error, and never taken for a password."""
    rows = MemoryCredentialRows()
    vault = Vault(rows, "a passphrase")
    await vault.open()
    await rows.put([KeptCredential(ANTON, "anton", "bm90aGluZw==", Origin.COMMAND)], await rows.seals())
    async with people(tmp_path) as directory:
        with pytest.raises(Undecipherable):
            await opening(ANTON, settings(KEPT), directory, vault)
    await vault.aclose()
