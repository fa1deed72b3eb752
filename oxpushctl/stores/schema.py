"""The tables: subscriptions in the layout of the middleware 8.19, and our own directory of users.

::

    pns_subscription ──id──< pns_subscription_topic_wildcard   prefix with its colon: ox:mail:
                     └─id──< pns_subscription_topic_exact      ox:mail:new
    oxpush_user ──(cid, user)──< oxpush_user_name              login at position 0, then the aliases
    oxpush_schema                                              one row: the version of our own tables

Times are epoch milliseconds. A database that the middleware made is used as it is: only missing tables are added.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

VERSION = 1

# The middleware's own lock row (a registration in progress) stands among the subscriptions under this token.
LOCK_TOKEN = "lock.registration"

_MYSQL = ("mysql", "mariadb")
_CHARSET, _COLLATION = "utf8mb4", "utf8mb4_unicode_ci"
_IDENTITY = LargeBinary(16).with_variant(mysql.BINARY(16), *_MYSQL)
# PostgreSQL has no unsigned numbers: the next larger kind holds them all.
_NUMBER = Integer().with_variant(mysql.INTEGER(unsigned=True), *_MYSQL).with_variant(BigInteger(), "postgresql")
_FLAG = SmallInteger().with_variant(mysql.TINYINT(unsigned=True), *_MYSQL)
_LONG_TEXT = Text().with_variant(mysql.TEXT(charset=_CHARSET, collation=_COLLATION), *_MYSQL)

metadata = MetaData()


def _latin1(length: int) -> TypeEngine[str]:
    return String(length).with_variant(mysql.VARCHAR(length, charset="latin1"), *_MYSQL)


def _unicode(length: int, collation: str = _COLLATION) -> TypeEngine[str]:
    return String(length).with_variant(mysql.VARCHAR(length, charset=_CHARSET, collation=collation), *_MYSQL)


def _bigint(display_width: int) -> TypeEngine[int]:
    return BigInteger().with_variant(mysql.BIGINT(display_width=display_width), *_MYSQL)


def _table(name: str, *items: SchemaItem) -> Table:
    return Table(
        name,
        metadata,
        *items,
        # Without a rowid, SQLite keeps the rows in the primary key's own tree: a look-up reads one tree, not two.
        sqlite_with_rowid=False,
        mysql_engine="InnoDB",
        mysql_charset=_CHARSET,
        mysql_collate=_COLLATION,
        mariadb_engine="InnoDB",
        mariadb_charset=_CHARSET,
        mariadb_collate=_COLLATION,
    )


def _topic_table(name: str) -> Table:
    return _table(
        name,
        Column("id", _IDENTITY, nullable=False),
        Column("cid", _NUMBER, nullable=False),
        Column("topic", _latin1(255), nullable=False),
        PrimaryKeyConstraint("id", "topic"),
    )


subscription = _table(
    "pns_subscription",
    Column("id", _IDENTITY, nullable=False),
    Column("cid", _NUMBER, nullable=False),
    Column("user", _NUMBER, nullable=False),
    Column("token", _latin1(255), nullable=False),
    Column("client", _unicode(64), nullable=False),
    Column("transport", _latin1(32), nullable=False),
    Column("last_modified", _bigint(64), nullable=False),
    Column("all_flag", _FLAG, nullable=False, server_default=text("'0'")),
    Column("expires", _bigint(20)),
    Column("meta", _LONG_TEXT),
    PrimaryKeyConstraint("cid", "user", "token", "client"),
    UniqueConstraint("id", name="subscription_id"),
)
# The middleware makes this one in an update task, so a fresh schema of its own may lack it.
Index("tokenIndex", subscription.c.token, subscription.c.transport, subscription.c.client)

topic_wildcard = _topic_table("pns_subscription_topic_wildcard")
topic_exact = _topic_table("pns_subscription_topic_exact")

user = _table(
    "oxpush_user",
    Column("cid", _NUMBER, nullable=False),
    Column("user", _NUMBER, nullable=False),
    Column("mail", _unicode(255), nullable=False),
    PrimaryKeyConstraint("cid", "user"),
)

# Logins and aliases in one table, since no two users may share any of them: ``folded`` is the name in lower case.
user_name = _table(
    "oxpush_user_name",
    Column("folded", _unicode(255, "utf8mb4_bin"), nullable=False),
    Column("name", _unicode(255), nullable=False),
    Column("cid", _NUMBER, nullable=False),
    Column("user", _NUMBER, nullable=False),
    Column("position", _NUMBER, nullable=False),
    PrimaryKeyConstraint("folded"),
    ForeignKeyConstraint(["cid", "user"], [user.c.cid, user.c.user], ondelete="CASCADE"),
)
Index("oxpush_user_name_user", user_name.c.cid, user_name.c.user)

schema_version = _table(
    "oxpush_schema",
    Column("version", _NUMBER, nullable=False, autoincrement=False),
    PrimaryKeyConstraint("version"),
)
