from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import pytest

from oxpushctl.errors import BadData, ConfigurationError, TryLater, Undecipherable
from oxpushctl.model import Credential, CredentialState, KeptCredential, Origin, PushUser, Seals
from oxpushctl.stores.cipher import Cipher
from oxpushctl.stores.memory import MemoryCredentialRows
from oxpushctl.stores.vault import Vault
from tests.stores.kept_passwords import ALICE, BOB, CAROL, everything, kept, value_7, value_8
from tests.stores.watched_rows import WatchedRows

HERS = Credential(ALICE, "alice@example.org", "s3crét 😀")
KEY = "com.openexchange.push.credstorage.passcrypt"
ANOTHER = f"{KEY} is another than the one .*oxpushctl credentials rotate"
UNFINISHED = f"{KEY}: .* was begun and is not finished: run 'oxpushctl credentials rotate' again"

OpenVault = Callable[..., Vault]


@pytest.fixture
def rows() -> WatchedRows:
    return WatchedRows()


@pytest.fixture
async def open_vault(rows: WatchedRows) -> AsyncIterator[OpenVault]:
    """Open the same rows as another member would, with the same passphrase or another."""
    opened: list[Vault] = []

    def open_again(passphrase: str = "secret") -> Vault:
        opened.append(Vault(rows, passphrase))
        return opened[-1]

    yield open_again
    for vault in opened:
        await vault.aclose()


@pytest.fixture
def vault(open_vault: OpenVault) -> Vault:
    return open_vault()


async def test_put_and_get(vault: Vault, open_vault: OpenVault, rows: WatchedRows) -> None:
    """What one member keeps another reads, and the rows have it encrypted with the installation's salt."""
    assert await vault.put(HERS, Origin.SUBSCRIBING) is True

    assert await open_vault(" secret ").get(ALICE) == HERS
    assert await vault.get(BOB) is None
    (row,) = await everything(rows)
    assert (row.login, row.origin, row.state) == (HERS.login, Origin.SUBSCRIBING, CredentialState.UNTRIED)
    assert row.value.split("$")[1] == ((await rows.seals()).current or "").split("$")[1]
    assert not any(HERS.secret in shown for shown in (row.value, repr(row), repr(HERS), repr(vault)))


async def test_put_again(vault: Vault, rows: WatchedRows) -> None:
    """The same password again changes nothing, not even the row; another one replaces it, untried."""
    await vault.put(HERS, Origin.SUBSCRIBING)
    (row,) = await everything(rows)
    await rows.mark(row, CredentialState.OPENED)

    assert await vault.put(HERS, Origin.SUBSCRIBING) is False
    assert await everything(rows) == [replace(row, state=CredentialState.OPENED)]

    assert await vault.put(replace(HERS, secret="new"), Origin.SUBSCRIBING) is True
    assert await vault.get(ALICE) == replace(HERS, secret="new")
    assert [row.state for row in await everything(rows)] == [CredentialState.UNTRIED]


async def test_refused_password_given_again(vault: Vault, rows: WatchedRows) -> None:
    """A password that was refused and is given again is to be tried again."""
    await vault.put(HERS, Origin.COMMAND)
    (row,) = await everything(rows)
    await vault.mark(row, CredentialState.REFUSED)

    assert await vault.put(HERS, Origin.COMMAND) is False
    assert await everything(rows) == [row]


@pytest.mark.parametrize("secret", [HERS.secret, "new"])
async def test_command_over_subscribing(vault: Vault, rows: WatchedRows, secret: str) -> None:
    """What a command sets is of a command's origin, and stays so when subscribing brings a password."""
    await vault.put(HERS, Origin.SUBSCRIBING)

    assert await vault.put(HERS, Origin.COMMAND) is True
    assert await vault.put(replace(HERS, secret=secret), Origin.SUBSCRIBING) is (secret != HERS.secret)

    assert [row.origin for row in await everything(rows)] == [Origin.COMMAND]
    assert await vault.remove(ALICE, Origin.SUBSCRIBING) is False
    assert await vault.get(ALICE) == replace(HERS, secret=secret)
    assert await vault.remove(ALICE) is True
    assert await vault.get(ALICE) is None


async def test_command_while_an_app_subscribes(rows: WatchedRows, vault: Vault, open_vault: OpenVault) -> None:
    """What a command sets while subscribing looks what was there stays of a command's origin."""
    await open_vault().open()

    class SlowRows(WatchedRows):
        """The same rows, for somebody who takes a while between reading and writing."""

        async def get(self, user: PushUser) -> KeptCredential | None:
            found = await rows.get(user)
            await vault.put(replace(HERS, secret="administrator's"), Origin.COMMAND)
            return found

        put, seals = rows.put, rows.seals

    app = Vault(SlowRows(), "secret")
    await app.put(HERS, Origin.SUBSCRIBING)
    await app.aclose()

    assert [row.origin for row in await everything(rows)] == [Origin.COMMAND]


@pytest.mark.parametrize(
    "credential",
    [
        replace(HERS, secret=""),
        replace(HERS, secret="ä" * 200),
        replace(HERS, secret="marker\ud800"),
        replace(HERS, login=""),
        replace(HERS, login="x" * 65),
        replace(HERS, login="alice\0"),
        replace(HERS, login="alice "),
        replace(HERS, login="alice\ud800"),
        replace(HERS, user=PushUser(1, 2**32)),
    ],
)
async def test_what_cannot_be_kept(vault: Vault, rows: WatchedRows, credential: Credential) -> None:
    """An empty password, or what does not fit, is refused whole; the message does not have the password."""
    with pytest.raises(BadData) as refused:
        await vault.put(credential, Origin.COMMAND)

    assert "marker" not in str(refused.value)
    assert await everything(rows) == []


@pytest.mark.parametrize(
    ("login", "secret", "changed", "kept_login", "kept_secret", "state"),
    [
        (HERS.login, "new", True, HERS.login, "new", CredentialState.OPENED),
        ("Alice@example.org", "new", True, "Alice@example.org", "new", CredentialState.OPENED),
        ("bob@example.org", "new", False, HERS.login, HERS.secret, CredentialState.REFUSED),
        (HERS.login, HERS.secret, False, HERS.login, HERS.secret, CredentialState.OPENED),
    ],
)
async def test_renew(
    vault: Vault,
    rows: WatchedRows,
    login: str,
    secret: str,
    changed: bool,
    kept_login: str,
    kept_secret: str,
    state: CredentialState,
) -> None:
    """A password that just opened the mailbox replaces the one kept for the same login, and of no other."""
    await vault.put(HERS, Origin.COMMAND)
    (row,) = await everything(rows)
    await vault.mark(row, CredentialState.REFUSED)

    assert await vault.renew(Credential(ALICE, login, secret)) is changed

    assert await vault.get(ALICE) == Credential(ALICE, kept_login, kept_secret)
    assert [(row.origin, row.state) for row in await everything(rows)] == [(Origin.COMMAND, state)]


async def test_renew_where_nothing_is_kept(vault: Vault, rows: WatchedRows) -> None:
    """Logging in alone keeps no password."""
    assert await vault.renew(HERS) is False
    assert await everything(rows) == []


async def test_rows_of_the_middleware(vault: Vault, rows: WatchedRows) -> None:
    """What the middleware wrote, of any release, is read as it is and stays as it is."""
    values = [value_8("secret", "one"), value_7("secret", b"two"), value_8("secret", "three")]
    before = [kept(user, value) for user, value in zip((ALICE, BOB, CAROL), values, strict=True)]
    await rows.put(before, Seals())

    secrets = [(await vault.decrypted(row)).secret async for row in vault.kept()]

    assert secrets == ["one", "two", "three"]
    assert await everything(rows) == before


@pytest.mark.parametrize(
    "value",
    ["hunter2", "", "correct horse", value_8("another", "password")],
    ids=["a word", "nothing", "two words", "of another passphrase"],
)
async def test_row_that_cannot_be_opened(vault: Vault, rows: WatchedRows, value: str) -> None:
    """A value that is no password of ours is never taken for one; a new password takes its place."""
    await vault.open()
    rows.plant(kept(ALICE, value))

    with pytest.raises(Undecipherable):
        await vault.get(ALICE)

    assert await vault.put(HERS, Origin.SUBSCRIBING) is True
    assert await vault.get(ALICE) == HERS


async def test_another_passphrase(vault: Vault, open_vault: OpenVault, rows: WatchedRows) -> None:
    """A member with another passphrase is refused whatever it wants to read or write, and told what to do."""
    await vault.put(HERS, Origin.COMMAND)
    (row,) = before = await everything(rows)
    stranger = open_vault("another")

    for asked in (
        stranger.open(),
        stranger.get(ALICE),
        stranger.put(HERS, Origin.COMMAND),
        stranger.renew(HERS),
        stranger.refuse_another_passphrase(),
        stranger.decrypted(row),
        stranger.put_encrypted([row]),
        stranger.mark(row, CredentialState.REFUSED),
    ):
        with pytest.raises(ConfigurationError, match=ANOTHER) as refused:
            await asked
        assert "secret" not in str(refused.value)

    assert await everything(rows) == before


@pytest.mark.parametrize("passphrase", ["secret", "new", "another"])
async def test_what_takes_no_passphrase(
    vault: Vault, open_vault: OpenVault, rows: WatchedRows, passphrase: str
) -> None:
    """Whose passwords are kept is seen, and one is removed, in the middle of a rotation and with any passphrase."""
    await vault.put(HERS, Origin.COMMAND)
    await rows.seal(await rows.seals(), Seals((await rows.seals()).current, Cipher("new").seal()))
    member = open_vault(passphrase)

    listed, count = [kept.login async for kept in member.kept()], await member.count()
    is_removed = await member.remove(ALICE)

    assert (listed, count, is_removed) == ([HERS.login], 1, True)
    assert await everything(rows) == []


@pytest.mark.parametrize("passphrases", [("secret",) * 5, ("secret", "another")])
async def test_first_use_by_many(open_vault: OpenVault, rows: WatchedRows, passphrases: tuple[str, ...]) -> None:
    """Whoever comes first decides on the passphrase: the same one is good for all, another one is refused."""
    opened = await asyncio.gather(*(open_vault(each).open() for each in passphrases), return_exceptions=True)

    refused = [each for each in opened if each is not None]
    assert len(refused) == len(set(passphrases)) - 1
    assert all(isinstance(each, ConfigurationError) for each in refused)
    seal = (await rows.seals()).current or ""
    assert sum(Cipher.of_seal(each, seal) is not None for each in set(passphrases)) == 1


@pytest.mark.parametrize(
    ("values", "is_ours"),
    [
        ([value_8("secret", "one"), "plain text"], True),
        ([value_8("another", "one"), value_7("secret", b"two"), value_8("secret", "three")], True),
        ([value_7("secret", b"one")], True),
        ([*[value_7("another", b"one")] * 3, value_8("secret", "four")], True),
        (["plain text", "also plain"], True),
        ([value_8("another", "one"), value_8("another", "two"), "plain text"], False),
        ([value_7("another", b"one")], False),
    ],
)
async def test_first_use_beside_the_middleware(
    vault: Vault, rows: WatchedRows, values: list[str], is_ours: bool
) -> None:
    """Where the middleware's passwords are kept already, a passphrase that opens none of them is refused."""
    await rows.put([kept(PushUser(1, number), value) for number, value in enumerate(values, 1)], Seals())

    if is_ours:
        await vault.open()
    else:
        with pytest.raises(ConfigurationError, match=ANOTHER):
            await vault.open()

    assert (await rows.seals() != Seals()) is is_ours


@pytest.mark.parametrize("passphrase", ["secret", "new"])
async def test_start_in_the_middle_of_a_rotation(open_vault: OpenVault, rows: WatchedRows, passphrase: str) -> None:
    """While passwords are brought under another passphrase nobody starts, with the old one or the new one."""
    await rows.seal(Seals(), Seals(Cipher("secret").seal(), Cipher("new").seal()))

    with pytest.raises(ConfigurationError, match=UNFINISHED):
        await open_vault(passphrase).open()
    with pytest.raises(ConfigurationError, match=ANOTHER):
        await open_vault("a third").open()
    await open_vault(passphrase).refuse_another_passphrase()
    with pytest.raises(ConfigurationError, match=ANOTHER):
        await open_vault("a third").refuse_another_passphrase()


async def test_rotation_behind_the_back(vault: Vault, rows: WatchedRows) -> None:
    """A member that runs while passwords go under another passphrase takes that for what it is, and writes nothing."""
    await vault.put(HERS, Origin.COMMAND)
    begun = Seals((await rows.seals()).current, Cipher("new").seal())
    await rows.seal(await rows.seals(), begun)

    assert await vault.get(ALICE) == HERS  # its row is still as it was
    with pytest.raises(ConfigurationError, match=UNFINISHED):
        await vault.put(replace(HERS, secret="other"), Origin.COMMAND)

    row = replace(rows.written[0], value=Cipher("new").encrypt("other"))
    await rows.put([row], begun)
    await rows.seal(begun, Seals(begun.following))
    with pytest.raises(ConfigurationError, match=ANOTHER):
        await vault.get(ALICE)
    assert await everything(rows) == [row]


async def test_read_behind_the_back(vault: Vault, rows: WatchedRows) -> None:
    """A row that went under another passphrase since the start is no damaged one."""
    await vault.put(HERS, Origin.COMMAND)
    begun = Seals((await rows.seals()).current, Cipher("new").seal())
    await rows.seal(await rows.seals(), begun)
    await rows.put([kept(ALICE, Cipher("new").encrypt("other"))], begun)

    with pytest.raises(ConfigurationError, match=UNFINISHED):
        await vault.get(ALICE)


async def test_reading_where_nothing_is_kept(vault: Vault, rows: WatchedRows) -> None:
    """Who only looks decides on no passphrase: a mistaken one can be set right afterwards."""
    assert [kept async for kept in vault.kept()] == []
    assert await vault.get(ALICE) is None
    assert await rows.seals() == Seals()


async def test_another_seal_of_the_same_passphrase(vault: Vault, rows: WatchedRows) -> None:
    """After the passphrase was changed and changed back, a member that saw nothing of it goes on."""
    await vault.put(HERS, Origin.COMMAND)
    await rows.seal(await rows.seals(), Seals(Cipher("secret").seal()))

    assert await vault.put(replace(HERS, secret="new"), Origin.COMMAND) is True

    assert await vault.get(ALICE) == replace(HERS, secret="new")


async def test_seals_that_keep_changing(open_vault: OpenVault) -> None:
    """Where the seals are others each time, writing ends with words instead of going on for ever."""

    class RestlessRows(MemoryCredentialRows):
        async def put(self, rows: Sequence[KeptCredential], under: Seals) -> bool:
            return False

    vault = Vault(RestlessRows(), "secret")
    with pytest.raises(TryLater):
        await vault.put(HERS, Origin.COMMAND)
    await vault.aclose()


async def test_kept_of_some(vault: Vault, rows: WatchedRows) -> None:
    """What some users have is told of them alone, wherever they are among the others."""
    users = [PushUser(context, user) for context in (1, 2) for user in (1, 2, 3)]
    for user in users:
        await vault.put(Credential(user, f"login{user}", "secret"), Origin.COMMAND)
    some = [users[4], users[0], PushUser(1, 9), users[5]]

    found = await vault.kept_of(some)

    assert {user: kept.login for user, kept in found.items()} == {
        user: f"login{user}" for user in (users[0], users[4], users[5])
    }
    assert await vault.kept_of([]) == {}


async def test_walk(vault: Vault, rows: WatchedRows) -> None:
    """Everything is walked over in order, however much it is, from behind a user and in one context."""
    await vault.open()
    users = [PushUser(context, user) for context in (1, 2, 3) for user in range(1, 701)]
    value = Cipher("secret").encrypt("password")
    await rows.put([kept(user, value) for user in reversed(users)], await rows.seals())

    assert [row.user async for row in vault.kept()] == users
    assert [row.user async for row in vault.kept(users[900])] == users[901:]
    assert [row.user async for row in vault.kept(context=2)] == users[700:1400]
    assert [row.user async for row in vault.kept(users[900], context=2)] == users[901:1400]


async def test_others_run_meanwhile(vault: Vault) -> None:
    """While passwords with salts of their own are decrypted, the event loop serves others."""
    await vault.open()
    foreign = [kept(PushUser(1, number), value_8("secret", "password")) for number in range(1, 11)]
    decrypting = asyncio.gather(*(vault.decrypted(row) for row in foreign))
    turns = 0
    while not decrypting.done():
        turns += 1
        await asyncio.sleep(0)

    assert [each.secret for each in await decrypting] == ["password"] * 10
    assert turns > 10


async def test_hostile_row(vault: Vault, rows: WatchedRows) -> None:
    """A value that asks for gigabytes is refused without any."""
    await vault.open()
    sixteen = b64encode(bytes(16)).decode()
    await rows.put([kept(ALICE, f"{'A' * 16}${sixteen}$4194304$9$1${sixteen}")], await rows.seals())

    with pytest.raises(Undecipherable, match="4194304 KiB"):
        await vault.get(ALICE)


async def test_refused_password_that_a_command_sets_again(vault: Vault, rows: WatchedRows) -> None:
    """It is to be tried again, and is of the command's origin from then on."""
    credential = Credential(ALICE, "anna", "pw")
    await vault.put(credential, Origin.SUBSCRIBING)
    [kept] = [each async for each in vault.kept()]
    await vault.mark(kept, CredentialState.REFUSED)

    await vault.put(credential, Origin.COMMAND)

    [kept] = [each async for each in vault.kept()]
    assert (kept.origin, kept.state) == (Origin.COMMAND, CredentialState.UNTRIED)
