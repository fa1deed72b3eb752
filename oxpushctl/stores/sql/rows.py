"""The rows of a subscription: one of its own, one for each of its topics, and when a push last reached the device.

Everything here works inside a transaction that a store has begun.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql
from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, update

from oxpushctl import topics
from oxpushctl.errors import BadData
from oxpushctl.model import PushUser, Registration, Subscription
from oxpushctl.stores import schema, spelling
from oxpushctl.stores.sql import layout
from oxpushctl.stores.sql.layout import Layout

Row = sql.Row[Any]

_row = schema.subscription.c
_AT_ONCE = 500  # ids in one statement

# Devices of a user, whatever their clients: more than anybody has, and few enough to tell all of them of every mail.
MOST_DEVICES = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """Which subscriptions are meant: by conditions, and to the letter of a client and a token, ``None`` being any."""

    conditions: tuple[ColumnElement[bool], ...]
    client: str | None = None
    token: str | None = None

    def fits(self, client: str, token: str) -> bool:
        """Tell whether a row that fulfils the conditions is meant; the middleware's lock is no subscription.

        Said in SQL, that would make MySQL read the whole table in the order of its tokens, which takes many times as
        long.
        """
        return token != schema.LOCK_TOKEN and self.client in (None, client) and self.token in (None, token)


def read(connection: Connection, choice: Choice, found: Layout) -> list[Subscription]:
    """Return the subscriptions of a choice, with all their topics."""
    if choice.client is not None and not found.holds_client(choice.client):
        return []
    wanted: defaultdict[bytes, list[str]] = defaultdict(list)
    for table, suffix in ((schema.topic_exact, ""), (schema.topic_wildcard, topics.EVERYTHING)):
        is_its = schema.subscription.join(table, table.c.id == _row.id)
        query = select(_row.id, table.c.topic).select_from(is_its).where(*choice.conditions)
        for identity, topic in connection.execute(query):
            wanted[identity].append(topic + suffix)
    expires = _row.expires if found.has_expires else sql.null().label("expires")
    columns = (_row.id, _row.cid, _row.user, _row.token, _row.client, _row.transport, _row.last_modified)
    query = select(*columns, _row.all_flag, expires).where(*choice.conditions)
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
        for row in connection.execute(query)
        if choice.fits(row.client, row.token)
    ]


def standing(connection: Connection, identities: Sequence[bytes], now_ms: int, found: Layout) -> frozenset[bytes]:
    """Return those of some ids whose subscriptions are there and not expired."""
    is_live = (or_(_row.expires.is_(None), _row.expires >= now_ms),) if found.has_expires else ()
    return frozenset(
        identity
        for start in range(0, len(identities), _AT_ONCE)
        for identity in connection.scalars(
            select(_row.id).where(_row.id.in_(identities[start : start + _AT_ONCE]), *is_live)
        )
    )


def store(connection: Connection, wish: Subscription, now_ms: int, found: Layout) -> set[Registration]:
    """Write a subscription: over the row that the device has with this user, else as a new one in place of others'.

    Return whose subscriptions had to go for it, and of which clients; raise ``BadData`` (PNS-0013) when the user has as
    many devices as possible.
    """
    if wish.expires_ms is not None and not found.has_expires:
        raise layout.too_narrow("when a subscription expires")
    if not found.holds_client(wish.client):
        raise layout.too_narrow("this client's name, for its letters")
    own, others = _known(connection, wish, found)
    delete(connection, [row.id for row in others])
    gone = {Registration(PushUser(row.cid, row.user), row.client) for row in others}
    values: dict[str, Any] = {
        "transport": wish.transport,
        # Later than before even within one millisecond: else it could not be seen that the row was renewed.
        "last_modified": now_ms if own is None else max(now_ms, own.last_modified + 1),
        "all_flag": int(wish.topics == (topics.EVERYTHING,)),
    }
    if found.has_expires:
        values["expires"] = wish.expires_ms
    if own is None:
        gone |= _make_room(connection, wish.user, now_ms, found)
        identity = uuid.uuid4().bytes
        place = {"cid": wish.user.context, "user": wish.user.user, "token": wish.token, "client": wish.client}
        connection.execute(insert(schema.subscription).values(id=identity, **place, **values))
    else:
        identity = own.id
        if spelling.canonical(own.transport) == wish.transport:
            # The middleware tells apn from apns_http2: its own word stays.
            del values["transport"]
        if own.token != wish.token:
            values["token"] = wish.token
        connection.execute(update(schema.subscription).where(_row.id == identity).values(values))
        _delete_topics(connection, [identity])
    _insert_topics(connection, identity, wish)
    return gone


def delete(connection: Connection, identities: Sequence[bytes]) -> None:
    """Remove subscriptions with their topics and all that is known of them."""
    _delete_topics(connection, identities)
    _delete_from(connection, schema.delivered, identities)
    _delete_from(connection, schema.subscription, identities)


def _known(connection: Connection, wish: Subscription, found: Layout) -> tuple[Row | None, Sequence[Row]]:
    """Return the row that a device has with its user, and its others: those of the users that it was with before.

    With its own user it has another where one token was written in two spellings by somebody who told them apart.
    """
    is_own = and_(_row.cid == wish.user.context, _row.user == wish.user.user)
    is_same_client, is_same_token = _row.client == wish.client, _row.token == wish.token
    is_same_app = and_(is_same_client, _row.transport.in_(spelling.SPELLINGS[wish.transport]))
    query = select(
        *(_row.id, _row.cid, _row.user, _row.token, _row.client, _row.transport, _row.last_modified),
        is_same_client.label("is_same_client"),
        is_same_token.label("is_same_token"),
    ).where(_row.token.in_(spelling.tokens(wish.transport, wish.token)), or_(is_own, is_same_app))
    own: list[Row] = []
    others = []
    # Locked as rows that will be written: two that only read them first would wait for each other.
    for row in connection.execute(query.with_for_update()):
        is_device_s = row.client == wish.client and _is_of_device(row, wish)
        if (row.cid, row.user) != (wish.user.context, wish.user.user):
            if is_device_s:
                others.append(row)
        elif is_device_s:
            own.append(row)
        elif not row.is_same_token:
            continue  # another spelling that is another token here
        elif row.is_same_client:
            raise BadData(
                "the user has a device whose client and token differ from this one's in nothing but case or accents: "
                "this database cannot keep both"
            )
        elif not found.is_client_in_key:
            raise layout.too_narrow("a token for more than one client of a user")
    own.sort(key=lambda row: row.token != wish.token)
    return (own[0] if own else None), [*others, *own[1:]]


def _is_of_device(row: Row, wish: Subscription) -> bool:
    """Tell whether a row's token is a wish's, which it is in another case only if Apple gave both."""
    is_apple_s = spelling.canonical(row.transport) == wish.transport
    return row.token == wish.token or (is_apple_s and spelling.is_same_token(wish.transport, row.token, wish.token))


def _make_room(connection: Connection, user: PushUser, now_ms: int, found: Layout) -> set[Registration]:
    """See to it that a user may have one device more; what is expired goes where it would be too many.

    Return whose that was; raise ``BadData`` where too many are live.
    """
    expires = _row.expires if found.has_expires else sql.null().label("expires")
    query = select(_row.id, _row.client, _row.token, expires).where(_row.cid == user.context, _row.user == user.user)
    rows = [row for row in connection.execute(query) if row.token != schema.LOCK_TOKEN]
    if len(rows) < MOST_DEVICES:
        return set()
    over = [row for row in rows if row.expires is not None and row.expires < now_ms]
    if len(rows) - len(over) >= MOST_DEVICES:
        raise BadData(f"PNS-0013: the user has {MOST_DEVICES} devices already: one has to be unsubscribed first")
    delete(connection, [row.id for row in over])
    return {Registration(user, row.client) for row in over}


def _insert_topics(connection: Connection, identity: bytes, wish: Subscription) -> None:
    for topic in wish.topics:
        if topic != topics.EVERYTHING:
            table = schema.topic_wildcard if topic.endswith("*") else schema.topic_exact
            row = {"id": identity, "cid": wish.user.context, "topic": topic.removesuffix("*")}
            connection.execute(insert(table).values(row))


def _delete_topics(connection: Connection, identities: Sequence[bytes]) -> None:
    for table in (schema.topic_wildcard, schema.topic_exact):
        _delete_from(connection, table, identities)


def _delete_from(connection: Connection, table: sql.Table, identities: Sequence[bytes]) -> None:
    for start in range(0, len(identities), _AT_ONCE):
        connection.execute(sql.delete(table).where(table.c.id.in_(identities[start : start + _AT_ONCE])))
