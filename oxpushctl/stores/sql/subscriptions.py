"""Devices in a SQL database: the middleware's tables, read and written as it would.

A token belongs to one user for each client and transport: the newest that brings it. Whatever a change consists of
is one transaction, so that nobody ever finds a device without its subscription, or a subscription to new mail without
the registration that has somebody listen for its user.

On MySQL the middleware's columns compare texts in any case, and some without their accents. To us, clients and
tokens are one only when they are the same to the letter: SQL narrows down, and what it finds is compared again. Apple's
tokens alone are bytes, written in hexadecimal digits of either case.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, select

from oxpushctl import topics
from oxpushctl.errors import BadData
from oxpushctl.model import NEW_MAIL, PushUser, Registration, Subscription
from oxpushctl.stores import schema, spelling
from oxpushctl.stores.checks import check_text, check_user, is_latin1, is_possible
from oxpushctl.stores.sql import deliveries, registering, rows, user_ids
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.layout import KnownLayout
from oxpushctl.stores.sql.matching import MatchingQuery, matched_by

_LONGEST_CLIENT, _LONGEST_TOKEN, _LONGEST_TOPIC = 64, 255, 255
_MOST_SWEPT = 500
_row = schema.subscription.c


@dataclass(frozen=True, slots=True)
class Change:
    """What a change came to: the subscriptions that went, and the registrations that went with them.

    ``is_registered`` is whether the user of a wish is registered for its client.
    """

    is_registered: bool = False
    removed: Sequence[Subscription] = ()
    unregistered: Sequence[Registration] = ()


class SqlSubscriptionStore:
    """The rows behind ``Devices``; every change tells what it came to. ``now`` returns epoch seconds.

    A user is registered for the clients that ``is_allowed`` allows, nobody if it is left out, as long as they want to
    hear of new mail; whether they are still allowed when they go does not matter. A client that the middleware's
    column cannot keep, for its letters, is not registered.
    """

    def __init__(
        self,
        database: Database,
        is_allowed: Callable[[str], bool] = lambda _client: False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._now = now
        self._is_allowed = is_allowed
        self._query = MatchingQuery(database.dialect)
        self._interest = registering.Interest(self._query)
        self._layout = KnownLayout()

    async def matching(self, users: Sequence[PushUser], topic: str) -> Mapping[PushUser, Sequence[Subscription]]:
        """Return the live subscriptions of every user asked for, each with the one topic that matched."""
        # An impossible user has no subscriptions, and must not cost the others theirs.
        asked = {(user.context, user.user): user for user in users if is_possible(user)}
        matching: dict[PushUser, list[Subscription]] = {user: [] for user in users}
        now_ms = self._now_ms()

        def match(connection: Connection) -> list[Subscription]:
            has_expires = self._layout.of(connection).has_expires
            found: dict[bytes, Subscription] = {}
            for row in self._query.rows(connection, list(asked.values()), topic, now_ms, has_expires=has_expires):
                if (matched := matched_by(row, topic)) is None:
                    continue
                identity, context, user, token, client, transport, changed_ms, expires_ms, *_ = row
                found[identity] = Subscription(
                    asked[context, user],
                    client,
                    spelling.canonical(transport),
                    token,
                    (matched,),
                    expires_ms,
                    changed_ms,
                    identity,
                )
            return list(found.values())

        for subscription in await self._database.read(match, of=schema.subscription, empty=()):
            matching[subscription.user].append(subscription)
        return matching

    async def subscribe(self, subscription: Subscription) -> Change:
        """Store a wish; raise ``BadData`` for topics (PNS-0007), a transport (PNS-0005) or texts that are of no use.

        So it does for one device more than ``rows.MOST_DEVICES`` of a user (PNS-0013).

        A device that comes again keeps its row; one that comes with another user gets a new one, so that what is on
        its way for the former user is never taken for the new one's. What only a wider table of the middleware's
        could keep raises ``ConfigurationError``.
        """
        wish = _checked(subscription)
        own, now_ms = Registration(wish.user, wish.client), self._now_ms()
        is_live = wish.expires_ms is None or wish.expires_ms >= now_ms
        is_wanted = is_live and any(topics.matches(each, NEW_MAIL) for each in wish.topics)
        is_listened_for = is_wanted and is_latin1(wish.client) and self._is_allowed(wish.client)

        def store(connection: Connection) -> Change:
            layout = self._layout.of(connection)
            lost = set[Registration]()
            if not is_wanted and own in self._interest.of_users(connection, [wish.user], layout):
                lost.add(own)
            gone = rows.store(connection, wish, now_ms, layout)
            user_ids.remember_all(connection, {each.user for each in gone})
            lost |= gone
            if is_listened_for:
                registering.put(connection, own)
            return Change(is_listened_for, (), self._interest.withdraw(connection, lost, layout, now_ms))

        return await self._database.write(store)

    async def unsubscribe(self, user: PushUser, client: str | None, token: str | None) -> Change:
        """Remove a user's subscriptions, all or those of a client or token."""
        return await self._remove(_chosen(user, client, token=token))

    async def remove_gone(self, subscription: Subscription, gone_since_ms: int | None) -> Change:
        """Remove a dead token unless it was renewed since.

        ``gone_since_ms`` is the provider's own time stamp; without one, a row that changed since it was read stays.
        """
        limit_ms = subscription.changed_ms if gone_since_ms is None else gone_since_ms
        return await self._remove(rows.Choice((_row.id == subscription.id, _row.last_modified <= limit_ms)))

    async def sweep(self, most: int = _MOST_SWEPT) -> Change:
        """Remove subscriptions whose expiry is over, at most that many; nothing is removed when all are gone."""
        is_over = _row.expires < self._now_ms()

        def find(connection: Connection) -> Sequence[bytes]:
            if not self._layout.of(connection).has_expires:
                return ()
            return connection.scalars(select(_row.id).where(is_over).limit(most)).all()

        # Found without locks, as the whole table is read; looked at once more when they are removed.
        over = await self._database.read(find, of=schema.subscription, empty=())
        return await self._remove(rows.Choice((_row.id.in_(over), is_over))) if over else Change()

    async def standing(self, ids: Sequence[bytes]) -> frozenset[bytes]:
        """Return those of some ids whose subscriptions are still there and not expired."""
        now_ms = self._now_ms()

        def look(connection: Connection) -> frozenset[bytes]:
            return rows.standing(connection, ids, now_ms, self._layout.of(connection))

        return await self._database.read(look, of=schema.subscription, empty=frozenset())

    async def delivered(self, at_ms: Mapping[bytes, int]) -> None:
        """Note when pushes reached the devices with these ids; ids that are gone are left out."""
        if at_ms:
            await self._database.write(lambda connection: deliveries.note(connection, at_ms))

    async def listing(
        self, user: PushUser | None = None, client: str | None = None, *, context: int | None = None
    ) -> Sequence[Subscription]:
        """Return subscriptions, expired ones too, ordered by context, user, client, transport and token."""
        chosen = _chosen(user, client, context)
        found = await self._database.read(
            lambda connection: rows.read(connection, chosen, self._layout.of(connection)),
            of=schema.subscription,
            empty=(),
        )
        ids = [each.id for each in found]
        at_ms = await self._database.read(
            lambda connection: deliveries.read(connection, ids), of=schema.delivered, empty=dict[bytes, int]()
        )
        known = [replace(each, delivered_ms=at_ms.get(each.id)) for each in found]
        return sorted(known, key=lambda each: (each.user, each.client, each.transport, each.token))

    async def _remove(self, choice: rows.Choice) -> Change:
        now_ms = self._now_ms()

        def remove(connection: Connection) -> Change:
            layout = self._layout.of(connection)
            # Locked as rows that will go: two that only read them first would wait for each other.
            connection.execute(select(_row.id).where(*choice.conditions).with_for_update())
            removed = rows.read(connection, choice, layout)
            # A registration in a mailbox may outlive what stood here: nobody else gets the number that is in it.
            user_ids.remember_all(connection, (each.user for each in removed))
            rows.delete(connection, [each.id for each in removed])
            lost = {Registration(each.user, each.client) for each in removed}
            return Change(False, removed, self._interest.withdraw(connection, lost, layout, now_ms))

        return await self._database.write(remove)

    def _now_ms(self) -> int:
        return int(self._now() * 1000)


def _chosen(
    user: PushUser | None, client: str | None, context: int | None = None, token: str | None = None
) -> rows.Choice:
    conditions: list[ColumnElement[bool]] = []
    if user is not None:
        check_user(user)
        conditions += [_row.cid == user.context, _row.user == user.user]
    if context is not None:
        conditions.append(_row.cid == context)
    if client is not None:
        check_text("client", client, _LONGEST_CLIENT)
        conditions.append(_row.client == client)
    if token is not None:
        check_text("token", token, _LONGEST_TOKEN, "latin-1")
        conditions.append(_row.token == token)
    return rows.Choice(tuple(conditions), client, token)


def _checked(wish: Subscription) -> Subscription:
    """Return a wish as it can be stored: our word for the transport, each topic once, ``*`` alone."""
    check_user(wish.user)
    check_text("client", wish.client, _LONGEST_CLIENT)
    check_text("token", wish.token, _LONGEST_TOKEN, "latin-1")
    if wish.token.lower() == schema.LOCK_TOKEN:
        raise BadData(f"token {schema.LOCK_TOKEN} is the middleware's own: it stands for no device")
    if not wish.topics:
        raise BadData("PNS-0007: no topics")
    for topic in wish.topics:
        if not topics.is_valid(topic) or len(topic) > _LONGEST_TOPIC:
            raise BadData(f"PNS-0007: not a topic: {topic!r} (as ox:mail:new, ox:mail:* or *)")
    wanted = set(wish.topics)
    if len({topic.lower() for topic in wanted}) < len(wanted):
        raise BadData("PNS-0007: topics that differ only in case")
    ordered = (topics.EVERYTHING,) if topics.EVERYTHING in wanted else tuple(sorted(wanted))
    return replace(wish, transport=spelling.checked(wish.transport), topics=ordered)
