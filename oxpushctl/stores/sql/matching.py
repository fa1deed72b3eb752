"""Who wants to hear of a topic, asked for many users at once: the query on the path of every push.

It is compiled once for each size of a batch, since writing its text costs more than running it. The users stand in
a table of their own, so that every database looks each of them up in the primary key::

    SELECT … FROM (SELECT ? AS cid, ? AS user UNION ALL …) AS wanted
      JOIN pns_subscription ON its cid and user
      LEFT JOIN pns_subscription_topic_exact    ON its id AND topic = 'ox:mail:new'
      LEFT JOIN pns_subscription_topic_wildcard ON its id AND topic IN ('ox:', 'ox:mail:')
     WHERE not expired AND (all_flag = 1 OR one of the two was found)

MySQL compares topics in any case: ``matched_by`` has the last word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    Select,
    String,
    Subquery,
    bindparam,
    literal_column,
    null,
    or_,
    select,
    union_all,
)

from oxpushctl import topics
from oxpushctl.model import PushUser
from oxpushctl.stores.schema import subscription, topic_exact, topic_wildcard

# SQLite takes at most 500 parts of a UNION.
LARGEST_BATCH = 256
# Fills a batch up to its size: nobody has these numbers.
_NOBODY = PushUser(0, 0)

# id, cid, user, token, client, transport, last_modified, expires, all_flag, exact topic or None, prefix or None
Row = Sequence[Any]


def matched_by(row: Row, topic: str) -> str | None:
    """Return by which of its wishes a row matches a topic, the widest first; ``None`` if it does not."""
    is_all, exact, prefix = row[-3:]
    if is_all:
        return topics.EVERYTHING
    if prefix and topic.startswith(prefix):
        return f"{prefix}*"
    return topic if exact == topic else None


class MatchingQuery:
    """The query, compiled for one kind of database."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._compiled: dict[tuple[int, int, bool], tuple[str, list[str] | None]] = {}

    def rows(
        self, connection: Connection, users: Sequence[PushUser], topic: str, now_ms: int, *, has_expires: bool
    ) -> Iterator[Row]:
        """Yield the rows that may match, those of a subscription with two matching prefixes twice."""
        # A topic of one word has no prefix; no wildcard is stored as an empty one.
        prefixes = topics.prefixes(topic) or ("",)
        for start in range(0, len(users), LARGEST_BATCH):
            batch = users[start : start + LARGEST_BATCH]
            size = 1 << (len(batch) - 1).bit_length()
            text, order = self._compile(size, len(prefixes), has_expires=has_expires)
            values: dict[str, int | str] = {"topic": topic, **asked_values((*batch, *[_NOBODY] * (size - len(batch))))}
            if has_expires:
                values["now"] = now_ms
            for number, prefix in enumerate(prefixes):
                values[f"prefix{number}"] = prefix
            # The driver takes them by name, or in the order of the text.
            parameters = values if order is None else tuple(map(values.__getitem__, order))
            yield from connection.exec_driver_sql(text, parameters).fetchall()

    def _compile(self, size: int, prefix_count: int, *, has_expires: bool) -> tuple[str, list[str] | None]:
        """Return the text for a number of users, and the order of its parameters where they have no names."""
        key = (size, prefix_count, has_expires)
        if key not in self._compiled:
            compiled = statement(size, prefix_count, has_expires=has_expires).compile(dialect=self._dialect)
            self._compiled[key] = str(compiled), compiled.positiontup
        return self._compiled[key]


def asked(size: int) -> Subquery:
    """Write a table of so many users, its columns ``cid`` and ``user``, for others to be joined to."""
    users = [
        select(
            bindparam(f"cid{number}", type_=BigInteger).label("cid"),
            bindparam(f"user{number}", type_=BigInteger).label("user"),
        )
        for number in range(size)
    ]
    return (union_all(*users) if size > 1 else users[0]).subquery("wanted")


def asked_values(users: Sequence[PushUser]) -> dict[str, int]:
    """Return the parameters of a table of these users."""
    values = {}
    for number, user in enumerate(users):
        values[f"cid{number}"] = user.context
        values[f"user{number}"] = user.user
    return values


def statement(size: int, prefix_count: int, *, has_expires: bool = True) -> Select[Any]:
    """Write the query for a number of users and of wildcard prefixes; a narrow table has no expiry."""
    wanted = asked(size)
    row, exact, wildcard = subscription.c, topic_exact.c, topic_wildcard.c
    prefixes = [bindparam(f"prefix{number}", type_=String) for number in range(prefix_count)]
    # The bare 1 keeps every parameter ours.
    is_wanted = or_(row.all_flag == literal_column("1"), exact.id.is_not(None), wildcard.id.is_not(None))
    is_live = or_(row.expires.is_(None), row.expires >= bindparam("now", type_=BigInteger))
    return (
        select(
            *(row.id, row.cid, row.user, row.token, row.client, row.transport, row.last_modified),
            row.expires if has_expires else null().label("expires"),
            *(row.all_flag, exact.topic, wildcard.topic),
        )
        .select_from(wanted)
        .join(subscription, (row.cid == wanted.c.cid) & (row.user == wanted.c.user))
        .outerjoin(topic_exact, (exact.id == row.id) & (exact.topic == bindparam("topic", type_=String)))
        .outerjoin(topic_wildcard, (wildcard.id == row.id) & wildcard.topic.in_(prefixes))
        .where(is_wanted, *((is_live,) if has_expires else ()))
    )
