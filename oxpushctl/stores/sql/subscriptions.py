"""Devices in a SQL database: the middleware's tables, read and written as it would.

A token belongs to one user for each client and transport: the newest that brings it. Whatever a change consists of
is one transaction, so that nobody ever finds a device without its subscription.
"""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, update

from oxpushctl import topics
from oxpushctl.errors import BadData
from oxpushctl.model import PushUser, Subscription
from oxpushctl.stores import schema, spelling
from oxpushctl.stores.checks import check_text, check_user, is_possible
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.matching import MatchingQuery

Conditions = Sequence[ColumnElement[bool]]

_LONGEST_CLIENT, _LONGEST_TOKEN = 64, 255
_row = schema.subscription.c
_IS_SUBSCRIPTION = _row.token != schema.LOCK_TOKEN


class SqlSubscriptionStore:
    """A ``SubscriptionStore``; ``now`` returns epoch seconds."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now
        self._query = MatchingQuery(database.dialect)

    async def matching(self, users: Sequence[PushUser], topic: str) -> Mapping[PushUser, Sequence[Subscription]]:
        """Return the live subscriptions of every user asked for, each with the one topic that matched."""
        # An impossible user has no subscriptions, and must not cost the others theirs.
        asked = {(user.context, user.user): user for user in users if is_possible(user)}
        matching: dict[PushUser, list[Subscription]] = {user: [] for user in users}
        now_ms = self._now_ms()

        def match(connection: Connection) -> list[Subscription]:
            found: dict[bytes, Subscription] = {}
            for row in self._query.rows(connection, list(asked.values()), topic, now_ms):
                identity, context, user, token, client, transport, changed_ms, expires_ms, is_all, prefix = row
                matched = topics.EVERYTHING if is_all else f"{prefix}*" if prefix else topic
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

    async def subscribe(self, subscription: Subscription) -> None:
        """Store a wish; raise ``BadData`` for topics (PNS-0007), a transport (PNS-0005) or texts that are of no use.

        A device that comes again keeps its row; one that comes with another user gets a new one, so that what is on
        its way for the former user is never taken for the new one's.
        """
        wish = _checked(subscription)
        now_ms = self._now_ms()
        await self._database.write(lambda connection: _subscribe(connection, wish, now_ms))

    async def unsubscribe(self, user: PushUser, client: str | None, token: str | None) -> Sequence[Subscription]:
        """Remove a user's subscriptions, all or those of a client or token; return what was removed."""
        chosen = _chosen(user, client)
        if token is not None:
            check_text("token", token, _LONGEST_TOKEN, "latin-1")
            chosen.append(_row.token == token)

        def remove(connection: Connection) -> Sequence[Subscription]:
            removed = _read(connection, chosen)
            _delete(connection, [each.id for each in removed])
            return removed

        return await self._database.write(remove)

    async def remove_gone(self, subscription: Subscription, gone_since_ms: int | None) -> bool:
        """Remove a dead token unless it was renewed since; tell whether it was removed.

        ``gone_since_ms`` is the provider's own time stamp; without one, a row that changed since it was read stays.
        """
        limit_ms = subscription.changed_ms if gone_since_ms is None else gone_since_ms
        is_dead = and_(_row.id == subscription.id, _row.last_modified <= limit_ms)

        def remove(connection: Connection) -> bool:
            dead = connection.scalars(select(_row.id).where(is_dead)).all()
            _delete(connection, dead)
            return bool(dead)

        return await self._database.write(remove)

    async def listing(
        self, user: PushUser | None = None, client: str | None = None, *, context: int | None = None
    ) -> Sequence[Subscription]:
        """Return subscriptions, expired ones too, ordered by context, user, client, transport and token."""
        chosen = _chosen(user, client, context)
        found = await self._database.read(
            lambda connection: _read(connection, chosen), of=schema.subscription, empty=()
        )
        return sorted(found, key=lambda each: (each.user, each.client, each.transport, each.token))

    def _now_ms(self) -> int:
        return int(self._now() * 1000)


def _chosen(user: PushUser | None, client: str | None, context: int | None = None) -> list[ColumnElement[bool]]:
    chosen = [_IS_SUBSCRIPTION]
    if user is not None:
        check_user(user)
        chosen += [_row.cid == user.context, _row.user == user.user]
    if context is not None:
        chosen.append(_row.cid == context)
    if client is not None:
        check_text("client", client, _LONGEST_CLIENT)
        chosen.append(_row.client == client)
    return chosen


def _checked(wish: Subscription) -> Subscription:
    """Return a wish as it can be stored: our word for the transport, each topic once, ``*`` alone."""
    check_user(wish.user)
    check_text("client", wish.client, _LONGEST_CLIENT)
    check_text("token", wish.token, _LONGEST_TOKEN, "latin-1")
    if not wish.topics:
        raise BadData("PNS-0007: no topics")
    for topic in wish.topics:
        if not topics.is_valid(topic) or len(topic) > 255:
            raise BadData(f"PNS-0007: not a topic: {topic!r} (as ox:mail:new, ox:mail:* or *)")
    wanted = (topics.EVERYTHING,) if topics.EVERYTHING in wish.topics else tuple(sorted(set(wish.topics)))
    return replace(wish, transport=spelling.checked(wish.transport), topics=wanted)


def _subscribe(connection: Connection, wish: Subscription, now_ms: int) -> None:
    is_device = and_(_row.token == wish.token, _row.client == wish.client)
    is_own = and_(_row.cid == wish.user.context, _row.user == wish.user.user)
    known = connection.execute(
        select(_row.id, _row.transport, _row.last_modified, is_own.label("is_own")).where(
            is_device, or_(is_own, _row.transport.in_(spelling.SPELLINGS[wish.transport]))
        )
    ).all()
    _delete(connection, [row.id for row in known if not row.is_own])
    values = {
        "transport": wish.transport,
        # Later than before even within one millisecond: else it could not be seen that the row was renewed.
        "last_modified": max([now_ms, *(row.last_modified + 1 for row in known if row.is_own)]),
        "all_flag": int(wish.topics == (topics.EVERYTHING,)),
        "expires": wish.expires_ms,
    }
    own = next((row for row in known if row.is_own), None)
    if own is None:
        identity = uuid.uuid4().bytes
        place = {"cid": wish.user.context, "user": wish.user.user, "token": wish.token, "client": wish.client}
        connection.execute(insert(schema.subscription).values(id=identity, **place, **values))
    else:
        identity = own.id
        if spelling.canonical(own.transport) == wish.transport:
            # The middleware tells apn from apns_http2: its own word stays.
            del values["transport"]
        connection.execute(update(schema.subscription).where(_row.id == identity).values(values))
        _delete_topics(connection, [identity])
    _insert_topics(connection, identity, wish)


def _insert_topics(connection: Connection, identity: bytes, wish: Subscription) -> None:
    for topic in wish.topics:
        if topic != topics.EVERYTHING:
            table = schema.topic_wildcard if topic.endswith("*") else schema.topic_exact
            row = {"id": identity, "cid": wish.user.context, "topic": topic.removesuffix("*")}
            connection.execute(insert(table).values(row))


def _delete(connection: Connection, identities: Iterable[bytes]) -> None:
    _delete_topics(connection, identities)
    for identity in identities:
        connection.execute(delete(schema.subscription).where(_row.id == identity))


def _delete_topics(connection: Connection, identities: Iterable[bytes]) -> None:
    for table in (schema.topic_wildcard, schema.topic_exact):
        for identity in identities:
            connection.execute(delete(table).where(table.c.id == identity))


def _read(connection: Connection, chosen: Conditions) -> Sequence[Subscription]:
    """Return the subscriptions that fulfil conditions, with all their topics."""
    wanted: defaultdict[bytes, list[str]] = defaultdict(list)
    for table, suffix in ((schema.topic_exact, ""), (schema.topic_wildcard, topics.EVERYTHING)):
        is_its = schema.subscription.join(table, table.c.id == _row.id)
        for identity, topic in connection.execute(select(_row.id, table.c.topic).select_from(is_its).where(*chosen)):
            wanted[identity].append(topic + suffix)
    rows = connection.execute(select(schema.subscription).where(*chosen))
    return [
        Subscription(
            PushUser(row.cid, row.user),
            row.client,
            spelling.canonical(row.transport),
            row.token,
            (topics.EVERYTHING,) if row.all_flag else tuple(sorted(wanted[row.id])),
            row.expires,
            row.last_modified,
            row.id,
        )
        for row in rows
    ]
