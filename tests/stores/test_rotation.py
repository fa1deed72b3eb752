from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from oxpushctl.errors import ConfigurationError, NotPermitted, TryLater
from oxpushctl.model import CredentialState, KeptCredential, PushUser, Seals
from oxpushctl.stores.cipher import Cipher
from oxpushctl.stores.memory import MemoryCredentialRows
from oxpushctl.stores.rotation import Rotation, rotate
from tests.stores.kept_passwords import everything, filled, kept, salts, secrets, value_7, value_8

OLD, NEW = Cipher("old"), Cipher("new")
# "pw 359175" under "old", and other characters under "new": about one value in a million is like that.
AMBIGUOUS = "37gOxXBaJq1P+wHLEB895g=="


@pytest.fixture
def rows() -> MemoryCredentialRows:
    return MemoryCredentialRows()


async def test_under_another_passphrase(rows: MemoryCredentialRows) -> None:
    """Every password ends under the new passphrase and one salt, of whichever format and salt it was."""
    values = [OLD.encrypt("one"), value_8("old", "two"), value_7("old", "drëi".encode())]
    before = await filled(rows, values, Seals(OLD.seal()))
    await rows.mark(before[0], CredentialState.OPENED)
    batches: list[int] = []

    rotation = await rotate(rows, "old", " new ", batches.append)

    assert rotation == Rotation(changed=3, already=0, unopened=[])
    assert await secrets(rows, "new") == ["one", "two", "drëi"]
    assert len(await salts(rows)) == 1
    assert (await rows.seals()).following is None
    assert batches == [3]
    after = await everything(rows)
    assert [replace(row, value="") for row in after] == [
        replace(before[0], value="", state=CredentialState.OPENED),
        *(replace(row, value="") for row in before[1:]),
    ]


async def test_to_one_salt(rows: MemoryCredentialRows) -> None:
    """Without an old passphrase, what the middleware wrote is brought to our salt, and the rest stays as it is."""
    values = [NEW.encrypt("one"), value_8("new", "two"), value_7("new", b"three")]
    before = await filled(rows, values, Seals(NEW.seal()))

    assert await rotate(rows, None, "new") == Rotation(changed=2, already=1, unopened=[])

    assert await secrets(rows, "new") == ["one", "two", "three"]
    assert await salts(rows) == {NEW.salt}
    assert await rows.get(before[0].user) == before[0]


async def test_again(rows: MemoryCredentialRows) -> None:
    """A second run changes nothing, with the old passphrase or without."""
    await filled(rows, [OLD.encrypt("one"), value_8("new", "two")], Seals(OLD.seal()))
    await rotate(rows, "old", "new")
    before = await everything(rows)

    assert await rotate(rows, "old", "new") == Rotation(changed=0, already=2, unopened=[])
    assert await rotate(rows, None, "new") == Rotation(changed=0, already=2, unopened=[])
    assert await everything(rows) == before


async def test_rows_that_nothing_opens(rows: MemoryCredentialRows) -> None:
    """What neither passphrase opens is named, kept as it is, and keeps nothing else from its end."""
    values = [OLD.encrypt("one"), value_8("a third", "two"), "plain text", OLD.encrypt("four")]
    before = await filled(rows, values, Seals(OLD.seal()))

    rotation = await rotate(rows, "old", "new")

    assert (rotation.changed, rotation.already) == (2, 0)
    assert [user for user, _ in rotation.unopened] == [before[1].user, before[2].user]
    assert not any(row.value in reason for row, (_, reason) in zip(before[1:], rotation.unopened, strict=False))
    after = await everything(rows)
    assert after[1:3] == before[1:3]
    assert [NEW.decrypt(after[number].value) for number in (0, 3)] == ["one", "four"]


async def test_row_that_both_open(rows: MemoryCredentialRows) -> None:
    """A value of 7.x that both passphrases seem to open is not guessed at but named."""
    (before,) = await filled(rows, [AMBIGUOUS], Seals(OLD.seal()))
    assert OLD.decrypt(AMBIGUOUS) == "pw 359175" != NEW.decrypt(AMBIGUOUS)

    rotation = await rotate(rows, "old", "new")

    assert [user for user, _ in rotation.unopened] == [before.user]
    assert "both passphrases" in rotation.unopened[0][1]
    assert await everything(rows) == [before]


@pytest.mark.parametrize("old", ["not it", None])
async def test_wrong_old_passphrase(rows: MemoryCredentialRows, old: str | None) -> None:
    """An old passphrase that is not the one is refused before anything changes."""
    before = await filled(rows, [OLD.encrypt("one")], Seals(OLD.seal()))
    seals = await rows.seals()

    with pytest.raises(NotPermitted, match="passphrase"):
        await rotate(rows, old, "new")

    assert (await everything(rows), await rows.seals()) == (before, seals)


async def test_another_rotation_under_way(rows: MemoryCredentialRows) -> None:
    """While passwords go under one passphrase they cannot go under a third."""
    seals = Seals(OLD.seal(), NEW.seal())
    before = await filled(rows, [OLD.encrypt("one")], seals)

    with pytest.raises(ConfigurationError, match="finish that first"):
        await rotate(rows, "old", "a third")

    assert (await everything(rows), await rows.seals()) == (before, seals)


async def test_back_half_way(rows: MemoryCredentialRows) -> None:
    """A rotation that was begun can be turned back, with the passphrase that it went to as the old one."""
    await filled(rows, [NEW.encrypt("one"), OLD.encrypt("two")], Seals(OLD.seal(), NEW.seal()))

    with pytest.raises(NotPermitted, match="is needed as the old one"):
        await rotate(rows, None, "old")
    with pytest.raises(NotPermitted, match="is not the one"):
        await rotate(rows, "not it", "old")
    assert await rotate(rows, "new", "old") == Rotation(changed=1, already=1, unopened=[])

    assert await secrets(rows, "old") == ["one", "two"]
    assert await salts(rows) == {OLD.salt}


@pytest.mark.parametrize(
    ("old", "values"),
    [
        ("old", [value_8("old", "one"), value_7("old", b"two"), value_8("new", "three")]),
        (None, [value_8("new", "one"), value_7("new", b"two"), value_8("new", "three")]),
    ],
)
async def test_where_only_the_middleware_wrote(rows: MemoryCredentialRows, old: str | None, values: list[str]) -> None:
    """Without a seal yet, the passwords themselves show whether the passphrase is theirs."""
    await filled(rows, values, Seals())
    before = await everything(rows)

    with pytest.raises(NotPermitted, match="none of the kept mail passwords can be opened"):
        await rotate(rows, "not it", "nor this")
    assert (await everything(rows), await rows.seals()) == (before, Seals())

    assert (await rotate(rows, old, "new")).changed == 3
    assert await secrets(rows, "new") == ["one", "two", "three"]
    assert len(await salts(rows)) == 1


async def test_nothing_kept(rows: MemoryCredentialRows) -> None:
    """Where nothing is kept, the new passphrase is the one from now on."""
    assert await rotate(rows, "old", "new") == Rotation(0, 0, [])

    assert await secrets(rows, "new") == []


async def test_middleware_writes_meanwhile(rows: MemoryCredentialRows) -> None:
    """What the middleware writes in the middle, before us or behind us, is not lost and is brought over as well."""
    values = [OLD.encrypt(f"password {number}") for number in range(600)]
    written = await filled(rows, values, Seals(OLD.seal()))
    first, late = written[0], written[599]

    def write(_count: int) -> None:
        """Change a row behind the place where the rotation is, once, and one before it at the same time."""
        if rows._rows[late.user] == late:
            rows._rows[first.user] = replace(first, value=value_8("old", "changed behind"))
            rows._rows[late.user] = replace(late, value=value_8("old", "changed ahead"))

    rotation = await rotate(rows, "old", "new", write)

    assert (rotation.changed, rotation.unopened) == (601, [])
    assert await secrets(rows, "new") == [
        "changed behind",
        *(f"password {number}" for number in range(1, 599)),
        "changed ahead",
    ]
    assert len(await salts(rows)) == 1


class RacingRows(MemoryCredentialRows):
    """Rows of which the middleware changes one between our reading and our writing."""

    def __init__(self, value: str) -> None:
        super().__init__()
        self._value = value

    async def replace(self, changes: Sequence[tuple[KeptCredential, str]], under: Seals) -> int | None:
        if self._value:
            row, _ = changes[0]
            self._rows[row.user] = replace(row, value=self._value)
            self._value = ""
        return await super().replace(changes, under)


@pytest.mark.parametrize("passphrase", ["old", "new"])
async def test_row_changes_under_our_hands(passphrase: str) -> None:
    """A row that another program changes after it was read is not written over, but read again."""
    rows = RacingRows(value_8(passphrase, "newer"))
    values = [value_8(passphrase, text) for text in ("one", "two")]
    await filled(rows, values, Seals(Cipher(passphrase).seal()))

    assert await rotate(rows, "old", "new") == Rotation(changed=2, already=0, unopened=[])
    assert await secrets(rows, "new") == ["newer", "two"]
    assert len(await salts(rows)) == 1


class TirelessRows(MemoryCredentialRows):
    """Rows of which the middleware writes one anew whenever we begin to read."""

    async def page(self, after: PushUser | None, most: int, *, context: int | None = None) -> Sequence[KeptCredential]:
        if after is None:
            await self.put([kept(PushUser(1, 1), OLD.encrypt("again"))], await self.seals())
        return await super().page(after, most, context=context)


async def test_middleware_that_never_stops() -> None:
    """Where the middleware goes on writing under the old passphrase, this ends with words instead of never."""
    rows = TirelessRows()
    await filled(rows, [OLD.encrypt("one"), OLD.encrypt("two")], Seals(OLD.seal()))

    with pytest.raises(TryLater, match="another program keeps writing"):
        await rotate(rows, "old", "new")


class NarrowRows(MemoryCredentialRows):
    """Rows of a table whose columns the values of 8.x do not fit."""

    async def replace(self, changes: Sequence[tuple[KeptCredential, str]], under: Seals) -> int | None:
        raise ConfigurationError("the table is too narrow")


async def test_table_that_is_too_narrow() -> None:
    """Where the first batch is refused already, it is as if nothing had begun: members go on as before."""
    rows = NarrowRows()
    await filled(rows, [value_7("old", b"one")], Seals(OLD.seal()))
    seals = await rows.seals()

    with pytest.raises(ConfigurationError, match="too narrow"):
        await rotate(rows, "old", "new")

    assert await rows.seals() == seals
    assert await secrets(rows, "old") == ["one"]


class SharedRows(MemoryCredentialRows):
    """Rows where somebody else puts other seals right after the first batch."""

    def __init__(self, seals: Callable[[Seals], Seals]) -> None:
        super().__init__()
        self._next = seals
        self._is_done = False

    async def replace(self, changes: Sequence[tuple[KeptCredential, str]], under: Seals) -> int | None:
        replaced = await super().replace(changes, under)
        if not self._is_done:
            self._is_done = True
            await self.seal(under, self._next(under))
        return replaced


async def test_another_run_of_the_same() -> None:
    """Where another run of the same rotation puts the last seal first, this one ends well too."""
    rows = SharedRows(lambda seals: Seals(seals.following))
    texts = [f"password {number}" for number in range(300)]
    await filled(rows, [OLD.encrypt(text) for text in texts], Seals(OLD.seal()))

    assert await rotate(rows, "old", "new") == Rotation(changed=300, already=0, unopened=[])
    assert await secrets(rows, "new") == texts


async def test_somebody_turns_back() -> None:
    """Where somebody turns the rotation round, this one stops instead of going against it."""
    rows = SharedRows(lambda seals: Seals(seals.following, seals.current))
    await filled(rows, [OLD.encrypt(f"password {number}") for number in range(300)], Seals(OLD.seal()))

    with pytest.raises(TryLater, match="changed elsewhere"):
        await rotate(rows, "old", "new")

    assert (await rotate(rows, "new", "old")).unopened == []
    assert len(await secrets(rows, "old")) == 300


async def test_two_runs_at_once(rows: MemoryCredentialRows) -> None:
    """Two runs of the same rotation at the same time share the work and both end well."""
    texts = [f"password {number}" for number in range(1000)]
    await filled(rows, [value_8("old", "first"), *map(OLD.encrypt, texts)], Seals(OLD.seal()))

    runs = await asyncio.gather(*(rotate(rows, "old", "new") for _ in range(2)))

    assert sum(run.changed for run in runs) == 1001
    assert await secrets(rows, "new") == ["first", *texts]
    assert len(await salts(rows)) == 1
