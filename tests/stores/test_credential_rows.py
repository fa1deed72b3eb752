"""Kept passwords, the same wherever they are: in this process, in a database of each kind, and in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from oxpushctl.errors import BadData
from oxpushctl.interfaces import CredentialRows
from oxpushctl.model import CredentialState, KeptCredential, Origin, PushUser, Seals
from oxpushctl.stores.memory import MemoryCredentialRows
from oxpushctl.stores.redis import RedisCredentialRows
from oxpushctl.stores.sql.credentials import SqlCredentialRows
from oxpushctl.stores.sql.database import Database
from tests.peers.redis import Redis
from tests.stores.conftest import KINDS
from tests.stores.test_odd_texts import EMOJI, INJECTIONS, REFUSED

ALICE, BOB, CAROL = PushUser(1, 3), PushUser(1, 4), PushUser(2, 3)
LARGEST = PushUser(2**32 - 1, 2**32 - 1)
SEALS, OTHERS = Seals("AAEC$one", None), Seals("AAEC$one", "AAEC$two")
HERS = KeptCredential(ALICE, "alice", "aGVycw==", Origin.SUBSCRIBING, CredentialState.OPENED)
HIS = KeptCredential(BOB, "bob", "aGlz", Origin.COMMAND, CredentialState.REFUSED)

Open = Callable[[], CredentialRows]


@pytest.fixture(params=("memory", *KINDS, "redis"))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def open_rows(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """Open the same rows again, as another process would; those in memory have but one."""
    async with AsyncExitStack() as stack:
        match kind:
            case "memory":
                memory = MemoryCredentialRows()
                yield lambda: memory
            case "redis":
                server: Redis = request.getfixturevalue("redis")
                redis_url = stack.enter_context(server.fresh())

                def open_redis() -> CredentialRows:
                    rows = RedisCredentialRows(redis_url)
                    stack.push_async_callback(rows.aclose)
                    return rows

                yield open_redis
            case _:
                database_url: str = request.getfixturevalue("url")

                def open_database() -> CredentialRows:
                    database = Database.open(database_url)
                    stack.push_async_callback(database.aclose)
                    return SqlCredentialRows(database)

                yield open_database


@pytest.fixture
def rows(open_rows: Open) -> CredentialRows:
    return open_rows()


@pytest.fixture
async def sealed(rows: CredentialRows) -> CredentialRows:
    """Rows with seals, as they are from the first password on."""
    assert await rows.seal(Seals(), SEALS)
    return rows


async def everything(rows: CredentialRows) -> list[KeptCredential]:
    return list(await rows.page(None, 1000))


async def test_nothing_there(rows: CredentialRows) -> None:
    """Where nothing was ever written, there is nothing, and it is no error to ask or to remove."""
    assert await rows.seals() == Seals()
    assert await rows.get(ALICE) is None
    assert await everything(rows) == []
    assert await rows.remove(ALICE) is False
    assert await rows.replace([(HERS, "bmV3")], Seals()) == 0
    await rows.mark(HERS, CredentialState.REFUSED)
    assert await everything(rows) == []


async def test_seals_of_whoever_comes_first(rows: CredentialRows, open_rows: Open) -> None:
    """Seals are put in place of those that were read, and of no others."""
    assert await rows.seal(Seals(), SEALS) is True
    assert await rows.seal(Seals(), OTHERS) is False
    assert await rows.seal(Seals("AAEC$ONE"), OTHERS) is False
    assert await open_rows().seals() == SEALS

    assert await rows.seal(SEALS, OTHERS) is True
    assert await rows.seal(SEALS, Seals("AAEC$two")) is False
    assert await open_rows().seals() == OTHERS

    assert await rows.seal(OTHERS, Seals("AAEC$two")) is True
    assert await open_rows().seals() == Seals("AAEC$two", None)


async def test_ten_who_seal_at_once(open_rows: Open) -> None:
    """Of ten who seal at the same time one does, and everybody then sees its seal."""
    tried = [(open_rows(), Seals(f"AAEC${number}")) for number in range(10)]

    done = await asyncio.gather(*(rows.seal(Seals(), seals) for rows, seals in tried))

    (sealed,) = [seals for (_, seals), is_done in zip(tried, done, strict=True) if is_done]
    assert {await rows.seals() for rows, _ in tried} == {sealed}


async def test_rows_come_back(sealed: CredentialRows, open_rows: Open) -> None:
    """A row is read as it was written, by others as well."""
    assert await sealed.put([HIS, HERS], SEALS) is True

    assert await open_rows().get(ALICE) == HERS
    assert await open_rows().get(BOB) == HIS
    assert await open_rows().get(CAROL) is None
    assert await everything(open_rows()) == [HERS, HIS]


async def test_row_over_another(sealed: CredentialRows) -> None:
    """A user has one row: the newest takes the place of the former with all that it says."""
    newest = KeptCredential(ALICE, "alice@example.org", "bmV3", Origin.COMMAND)
    await sealed.put([HERS, HIS], SEALS)

    assert await sealed.put([replace(HERS, login="former"), newest], SEALS) is True

    assert await everything(sealed) == [newest, HIS]


async def test_row_over_a_command_s(sealed: CredentialRows) -> None:
    """What a command gave stays of a command's origin, whoever writes over it; what it gives becomes so."""
    odd = replace(HERS, user=CAROL, login='ä"/\\📱')
    await sealed.put([HERS, HIS], SEALS)

    await sealed.put([replace(HERS, origin=Origin.COMMAND), replace(HIS, origin=Origin.SUBSCRIBING), odd], SEALS)
    await sealed.put([replace(odd, origin=Origin.COMMAND)], SEALS)
    await sealed.put([HERS, replace(odd, value="bmV3")], SEALS)

    lasting = [replace(each, origin=Origin.COMMAND) for each in (HERS, HIS, replace(odd, value="bmV3"))]
    assert await everything(sealed) == lasting
    assert await sealed.remove(ALICE, Origin.SUBSCRIBING) is False


async def test_command_in_between(sealed: CredentialRows, open_rows: Open) -> None:
    """However a command and a subscribing app come together, the row is the command's."""
    others = open_rows()
    for number in range(20):
        user = PushUser(7, 1 + number)
        await asyncio.gather(
            sealed.put([replace(HERS, user=user)], SEALS), others.put([replace(HIS, user=user)], SEALS)
        )

    assert {row.origin for row in await everything(sealed)} == {Origin.COMMAND}


@pytest.mark.parametrize("under", [Seals(), Seals("AAEC$ONE"), OTHERS, Seals(None, "AAEC$one")])
async def test_other_seals(sealed: CredentialRows, under: Seals) -> None:
    """Who writes under other seals than those in place writes nothing at all."""
    await sealed.put([HERS], SEALS)

    assert await sealed.put([replace(HERS, value="bmV3"), HIS], under) is False
    assert await sealed.replace([(HERS, "bmV3")], under) is None

    assert await everything(sealed) == [HERS]


async def test_following_seal(sealed: CredentialRows) -> None:
    """Both seals count: who does not know that a rotation is under way writes nothing either."""
    await sealed.put([HERS], SEALS)
    await sealed.seal(SEALS, OTHERS)

    assert await sealed.put([HIS], SEALS) is False
    assert await sealed.replace([(HERS, "bmV3")], SEALS) is None
    assert await sealed.replace([(HERS, "bmV3")], OTHERS) == 1
    assert await sealed.put([HIS], OTHERS) is True


async def test_all_or_none(sealed: CredentialRows) -> None:
    """Where one row cannot be kept, none of them is."""
    await sealed.put([HERS], SEALS)

    with pytest.raises(BadData):
        await sealed.put([replace(HERS, value="bmV3"), replace(HIS, login="l" * 65)], SEALS)
    with pytest.raises(BadData):
        await sealed.replace([(HERS, "bmV3"), (HIS, "v" * 513)], SEALS)

    assert await everything(sealed) == [HERS]


async def test_replace_only_what_was_read(sealed: CredentialRows) -> None:
    """A value is replaced where it is still to the letter the one that was read; the rest of the row stays."""
    hers_in_another_case = replace(HERS, user=CAROL, value=HERS.value.swapcase())
    await sealed.put([HERS, HIS, hers_in_another_case], SEALS)
    changes = [
        (HERS, "bmV3"),
        (HERS, "bGF0ZXI="),
        (replace(HIS, value="Zm9ybWVy"), "bmV3"),
        (replace(HERS, user=CAROL), "bmV3"),
        (replace(HERS, user=LARGEST), "bmV3"),
    ]

    assert await sealed.replace(changes, SEALS) == 1

    assert await everything(sealed) == [replace(HERS, value="bmV3"), HIS, hers_in_another_case]


async def test_hundreds_of_rows(sealed: CredentialRows) -> None:
    """A batch of any size is written and replaced as one."""
    many = [replace(HERS, user=PushUser(1 + number % 3, 1 + number)) for number in range(450)]

    assert await sealed.put(many, SEALS) is True
    assert await sealed.replace([(row, f"bmV3{row.user.user}") for row in many], SEALS) == 450

    replaced = [replace(row, value=f"bmV3{row.user.user}") for row in many]
    assert await everything(sealed) == sorted(replaced, key=lambda row: row.user)


_USERS = [PushUser(context, user) for context in (1, 2, 10, 2**32 - 1) for user in (1, 2, 10, 2**31, 2**32 - 1)]


async def test_pages(sealed: CredentialRows) -> None:
    """Page by page everybody comes once, in the order of context and user as numbers."""
    await sealed.put([replace(HERS, user=user) for user in reversed(_USERS)], SEALS)

    for most in (1, 3, 5, 19, 20, 21):
        seen: list[PushUser] = []
        while page := await sealed.page(seen[-1] if seen else None, most):
            assert len(page) <= most
            seen += [row.user for row in page]
        assert seen == _USERS


@pytest.mark.parametrize("context", [None, 1, 2, 5, 10, 2**32 - 1])
async def test_page_behind_a_user(sealed: CredentialRows, context: int | None) -> None:
    """A page begins behind a user, there or not, and stays in a context if one is named."""
    await sealed.put([replace(HERS, user=user) for user in _USERS], SEALS)
    in_context = [user for user in _USERS if context in (None, user.context)]

    for after in (None, *_USERS, PushUser(1, 5), PushUser(5, 1), PushUser(0, 0)):
        expected = [user for user in in_context if after is None or user > after]
        assert [row.user for row in await sealed.page(after, 100, context=context)] == expected
        assert [row.user for row in await sealed.page(after, 2, context=context)] == expected[:2]
    assert len(await sealed.page(None, 0, context=context)) == 0


async def test_remove(sealed: CredentialRows, open_rows: Open) -> None:
    """A removed row is gone for all, its state too; the others stay."""
    await sealed.put([HERS, HIS], SEALS)

    assert await sealed.remove(ALICE) is True
    assert await sealed.remove(ALICE) is False
    assert await everything(open_rows()) == [HIS]
    assert list(await open_rows().page(None, 1)) == [HIS]

    untried = KeptCredential(ALICE, "alice", HERS.value, Origin.COMMAND)
    await sealed.put([untried], SEALS)
    assert await sealed.get(ALICE) == untried


async def test_remove_by_origin(sealed: CredentialRows) -> None:
    """What subscribing stored goes with subscriptions, what a command set does not."""
    await sealed.put([HERS, HIS], SEALS)

    assert [await sealed.remove(user, Origin.SUBSCRIBING) for user in (ALICE, BOB, CAROL)] == [True, False, False]
    assert await everything(sealed) == [HIS]
    assert await sealed.remove(BOB, Origin.COMMAND) is True
    assert await everything(sealed) == []


async def test_mark(sealed: CredentialRows) -> None:
    """A state is noted, and nothing but that."""
    await sealed.put([HERS, HIS], SEALS)

    await sealed.mark(HERS, CredentialState.REFUSED)

    assert await everything(sealed) == [replace(HERS, state=CredentialState.REFUSED), HIS]


async def test_mark_of_a_former_password(sealed: CredentialRows) -> None:
    """What the mail server said of one password is not noted of another that came meanwhile."""
    newer = replace(HERS, value=HERS.value.swapcase(), state=CredentialState.UNTRIED)
    await sealed.put([newer], SEALS)

    await sealed.mark(HERS, CredentialState.REFUSED)
    await sealed.mark(HIS, CredentialState.REFUSED)

    assert await everything(sealed) == [newer]


async def test_ten_writers(sealed: CredentialRows, open_rows: Open) -> None:
    """Ten who count up one row and write others at the same time lose no step and no row."""
    await sealed.put([replace(HERS, value="0")], SEALS)

    async def work(number: int) -> None:
        rows, own = open_rows(), [replace(HIS, user=PushUser(1 + number, 100 + each)) for each in range(5)]
        for row in own:
            assert await rows.put([row], SEALS)
            is_counted = False
            while not is_counted:
                read = await rows.get(ALICE)
                assert read is not None
                is_counted = await rows.replace([(read, str(int(read.value) + 1))], SEALS) == 1
            assert await rows.remove(row.user) is True
        assert await rows.put(own, SEALS)

    async with asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(work(number))

    assert await sealed.get(ALICE) == replace(HERS, value="50")
    assert len(await everything(sealed)) == 51


async def test_odd_logins(sealed: CredentialRows) -> None:
    """A login is kept to the letter, whatever its letters mean to others."""
    logins = (*INJECTIONS, *EMOJI, "Alice", "alice", "ALICE", '"', "'", "\\u0041", "</script>", "l" * 64, "📱" * 64)
    odd = [replace(HERS, user=PushUser(7, number), login=login) for number, login in enumerate(logins, 1)]

    await sealed.put(odd, SEALS)
    await sealed.replace([(row, "bmV3/+==") for row in odd], SEALS)
    await sealed.mark(replace(odd[0], value="bmV3/+=="), CredentialState.REFUSED)

    assert [row.login for row in await everything(sealed)] == list(logins)
    assert {row.value for row in await everything(sealed)} == {"bmV3/+=="}


@pytest.mark.parametrize(
    ("text", "reason"), REFUSED, ids=["NUL", "newline", "64 KiB", "space", "half a character", "nothing"]
)
async def test_refused_texts(sealed: CredentialRows, text: str, reason: str) -> None:
    """What not every store could keep none takes, and its message does not quote the encrypted password."""
    with pytest.raises(BadData, match=f"^login {reason}"):
        await sealed.put([replace(HERS, login=text)], SEALS)
    with pytest.raises(BadData, match=f"^encrypted password {reason}"):
        await sealed.put([replace(HERS, value=text)], SEALS)
    with pytest.raises(BadData, match=f"^encrypted password {reason}"):
        await sealed.replace([(HERS, text)], SEALS)
    assert await everything(sealed) == []


@pytest.mark.parametrize("user", [PushUser(0, 3), PushUser(1, 0), PushUser(2**32, 3), PushUser(1, -1)])
async def test_impossible_users(sealed: CredentialRows, user: PushUser) -> None:
    """Who cannot be has no row and gets none."""
    nobodys = replace(HERS, user=user)

    with pytest.raises(BadData, match="is not a number from 1 to"):
        await sealed.put([nobodys], SEALS)
    assert await sealed.replace([(nobodys, "bmV3")], SEALS) == 0
    assert await sealed.get(user) is None
    assert await sealed.remove(user) is False
    await sealed.mark(nobodys, CredentialState.REFUSED)
    assert await everything(sealed) == []
