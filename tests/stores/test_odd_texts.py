"""Texts that databases are known to stumble over: kept to the letter, or refused; never cut, and never confused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oxpushctl.errors import BadData
from oxpushctl.model import NEW_MAIL, DirectoryEntry, PushUser, Removed, Subscription
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from oxpushctl.stores.sql.users import SqlUserDirectory

ALICE, BOB = PushUser(1, 3), PushUser(1, 4)
PHONE = Subscription(ALICE, "app", "apn", "a1b2c3")

INJECTIONS = (
    "'; DROP TABLE pns_subscription; --",
    "' OR '1'='1",
    '" OR ""="',
    "\\'; DELETE FROM oxpush_user; #",
    "a\\",
    "%s %(token)s :token ? $1 %%",
    "_%",
    "{{7*7}}${7*7}",
)
EMOJI = ("📱", "👩🏽", "日本語", "ñandú", "ﬁ", "İstanbul", "ß")
REFUSED = (
    ("a\0b", "has a control character"),
    ("a\nb", "has a control character"),
    ("l" * 65536, "has 65536 characters"),
    ("a ", "ends with a space"),
    ("\ud83d", "has a character that cannot be stored"),
    ("", "is empty"),
)


async def _stored(store: SqlSubscriptionStore) -> set[tuple[PushUser, str, str]]:
    return {(each.user, each.client, each.token) for each in await store.listing()}


async def test_tokens(store: SqlSubscriptionStore) -> None:
    """A token is kept, matched and removed to the letter, and nothing else with it."""
    tokens = {*INJECTIONS, "t" * 255, "ÿ" * 255}
    for token in tokens:
        await store.subscribe(replace(PHONE, token=token))

    assert await _stored(store) == {(ALICE, "app", token) for token in tokens}
    assert {each.token for each in (await store.matching([ALICE], NEW_MAIL))[ALICE]} == tokens
    removed = {
        token: [each.token for each in (await store.unsubscribe(ALICE, None, token)).removed] for token in tokens
    }
    assert removed == {token: [token] for token in tokens}


async def test_clients(store: SqlSubscriptionStore) -> None:
    """A client id is kept, listed and removed to the letter, emoji too."""
    clients = {*INJECTIONS, *EMOJI, "c" * 64, "📱" * 64}
    for client in clients:
        await store.subscribe(replace(PHONE, client=client))

    assert await _stored(store) == {(ALICE, client, "a1b2c3") for client in clients}
    listed = {client: [each.client for each in await store.listing(ALICE, client)] for client in clients}
    assert listed == {client: [client] for client in clients}
    removed = {
        client: [each.client for each in (await store.unsubscribe(ALICE, client, None)).removed] for client in clients
    }
    assert removed == {client: [client] for client in clients}


async def test_names(directory: SqlUserDirectory) -> None:
    """A login and an alias are kept to the letter, and stand for their user alone."""
    names = [*INJECTIONS, *EMOJI, "l" * 255, "📱" * 255]
    entries = [
        DirectoryEntry(PushUser(1, number), name, "📬@example.org", (f"alias {number}",))
        for number, name in enumerate(names, 1)
    ]
    await directory.add_all(entries)

    assert await directory.listing() == entries
    assert [await directory.resolve(name) for name in names] == [entry.user for entry in entries]
    assert {await directory.resolve(f"{name[:-1]}x") for name in names} == {None}
    assert [await directory.remove(entry.user) for entry in entries[1:]] == [Removed()] * (len(entries) - 1)
    assert await directory.listing() == entries[:1]


@pytest.mark.parametrize(
    ("text", "reason"), REFUSED, ids=["NUL", "newline", "64 KiB", "space", "half a character", "nothing"]
)
async def test_refused_texts(store: SqlSubscriptionStore, directory: SqlUserDirectory, text: str, reason: str) -> None:
    """What no database could keep is refused wherever it is given, and means nobody where it is asked for."""
    for wish in (replace(PHONE, token=text), replace(PHONE, client=text)):
        with pytest.raises(BadData, match=f" {reason}"):
            await store.subscribe(wish)
    for entry in (DirectoryEntry(ALICE, text), DirectoryEntry(ALICE, "alice", "", (text,))):
        with pytest.raises(BadData, match=f" {reason}"):
            await directory.add(entry)

    assert await directory.resolve(text) is None
    assert [*await store.listing(), *await directory.listing()] == []


async def test_name_that_grows_in_lower_case(directory: SqlUserDirectory) -> None:
    """A name is compared in lower case, where some letters become two: it must fit then as well."""
    with pytest.raises(BadData, match="login in lower case has 510 characters"):
        await directory.add(DirectoryEntry(ALICE, "İ" * 255))


_ALIKE = [("app", "APP"), ("café", "cafe"), ("straße", "strasse"), ("app", "app\ufe0f")]


@pytest.mark.parametrize(("one", "other"), _ALIKE, ids=ascii)
async def test_clients_that_look_alike(store: SqlSubscriptionStore, one: str, other: str) -> None:
    """Clients that differ in case or accents only are two: what one does never touches the other's devices."""
    await store.subscribe(replace(PHONE, client=one))

    await store.subscribe(replace(PHONE, client=other, user=BOB))
    removed = (await store.unsubscribe(ALICE, other, None)).removed

    assert removed == []
    assert [each.user for each in await store.listing(None, other)] == [BOB]
    assert await _stored(store) == {(ALICE, one, "a1b2c3"), (BOB, other, "a1b2c3")}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *((replace(PHONE, client=one), replace(PHONE, client=other)) for one, other in _ALIKE),
        (replace(PHONE, transport="gcm"), replace(PHONE, transport="gcm", token="A1B2C3")),
        (replace(PHONE, token="é"), replace(PHONE, token="E")),
    ],
)
async def test_devices_of_one_user_that_look_alike(
    store: SqlSubscriptionStore, kind: str, one: Subscription, other: Subscription
) -> None:
    """Of one user's devices two that look alike are both kept, or the second is refused and the first stays."""
    await store.subscribe(one)

    if kind == "mariadb":  # whose primary key, as the middleware made it, takes them for one
        with pytest.raises(BadData, match="differ from this one's in nothing but case or accents"):
            await store.subscribe(other)
    else:
        await store.subscribe(other)

    both = {(ALICE, one.client, one.token), (ALICE, other.client, other.token)}
    assert await _stored(store) == ({(ALICE, one.client, one.token)} if kind == "mariadb" else both)


async def test_tokens_that_look_alike(store: SqlSubscriptionStore) -> None:
    """A token that differs in case only is another phone: it does not move to the user who brings it."""
    phone = replace(PHONE, transport="gcm")
    await store.subscribe(phone)

    await store.subscribe(replace(phone, token="A1B2C3", user=BOB))
    removed = (await store.unsubscribe(ALICE, None, "A1B2C3")).removed

    assert removed == []
    assert await _stored(store) == {(ALICE, "app", "a1b2c3"), (BOB, "app", "A1B2C3")}


async def test_topics_in_another_case(store: SqlSubscriptionStore) -> None:
    """Topics are compared to the letter, exact ones and wildcards."""
    await store.subscribe(replace(PHONE, topics=("OX:mail:new", "ox:MAIL:*")))

    assert await store.matching([ALICE], NEW_MAIL) == {ALICE: []}
    assert len((await store.matching([ALICE], "OX:mail:new"))[ALICE]) == 1
    assert len((await store.matching([ALICE], "ox:MAIL:x"))[ALICE]) == 1


async def test_topics_that_differ_in_case(store: SqlSubscriptionStore) -> None:
    """Not every database can keep both, and nobody means them."""
    with pytest.raises(BadData, match="PNS-0007: topics that differ only in case"):
        await store.subscribe(replace(PHONE, topics=(NEW_MAIL, "ox:Mail:new")))


@pytest.mark.parametrize("token", ["lock.registration", "LOCK.registration"])
async def test_token_of_the_middleware_s_lock(store: SqlSubscriptionStore, token: str) -> None:
    """The middleware's pseudo token is refused: such a device would never be seen again."""
    with pytest.raises(BadData, match="stands for no device"):
        await store.subscribe(replace(PHONE, token=token))


async def test_names_that_look_alike(directory: SqlUserDirectory) -> None:
    """Accents count: é and e are two users; case does not, since mail servers do not tell it either."""
    await directory.add(DirectoryEntry(ALICE, "rené"))
    await directory.add(DirectoryEntry(BOB, "rene", "", ("ren\u0065\u0301",)))

    with pytest.raises(BadData, match="belongs to user 3 of context 1"):
        await directory.add(DirectoryEntry(PushUser(1, 5), "RENÉ"))

    assert [await directory.resolve(name) for name in ("RENÉ", "Rene", "ren\u0065\u0301")] == [ALICE, BOB, BOB]
