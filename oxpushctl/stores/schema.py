"""The tables: those of the middleware 8.19 in its own layout, and ours, whose names begin with ``oxpush_``.

::

    pns_subscription ──id──< pns_subscription_topic_wildcard   prefix with its colon: ox:mail:
                     ├─id──< pns_subscription_topic_exact      ox:mail:new
                     └─id──  oxpush_delivered                  when a push last reached the device
    registeredPush                                             who is listened for, by client
    context2push_registration                                  contexts with a row in registeredPush
    credentials ──(cid, user)── oxpush_credential              a kept password, encrypted; who set it, what it is worth
    oxpush_passcrypt                                           a known value under the passphrase's key, with its salt
    oxpush_user ──(cid, user)──< oxpush_user_name              login at position 0, then the aliases
                ──(cid)── oxpush_last_user                     the highest user id that was ever given
    oxpush_removed_user ──(cid, user)                          whose an id was: nobody else gets it
    oxpush_mark ──(cid, user)                                  up to where a mailbox was heard
    oxpush_dovecot ──(cid, user)                               a mailbox that is registered at Dovecot
    oxpush_found                                               tables that were there before ours: the middleware's
    oxpush_schema                                              one row: the version of our own tables

Times are epoch milliseconds. A database that the middleware made is used as it is: only missing tables are added.
"""

from __future__ import annotations

from typing import Any

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

VERSION = 3

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


def _table(name: str, *items: SchemaItem, charset: str = _CHARSET, collation: str | None = _COLLATION) -> Table:
    given = {"engine": "InnoDB", "charset": charset, "collate": collation}
    options: dict[str, Any] = {f"{kind}_{option}": value for kind in _MYSQL for option, value in given.items() if value}
    return Table(
        name,
        metadata,
        *items,
        # Without a rowid, SQLite keeps the rows in the primary key's own tree: a look-up reads one tree, not two.
        sqlite_with_rowid=False,
        **options,
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

delivered = _table(
    "oxpush_delivered",
    Column("id", _IDENTITY, nullable=False),
    Column("at", _bigint(20), nullable=False),
    PrimaryKeyConstraint("id"),
)

registration = _table(
    "registeredPush",
    Column("cid", _NUMBER, nullable=False),
    Column("user", _NUMBER, nullable=False),
    Column("client", _latin1(64), nullable=False),
    PrimaryKeyConstraint("cid", "user", "client"),
    charset="latin1",
    collation=None,
)
registered_context = _table(
    "context2push_registration",
    Column("cid", _NUMBER, nullable=False, autoincrement=False),
    PrimaryKeyConstraint("cid"),
)

credential = _table(
    "credentials",
    Column("cid", _NUMBER, nullable=False),
    Column("user", _NUMBER, nullable=False),
    Column("password", _unicode(512), nullable=False),
    Column("login", _unicode(64), nullable=False),
    PrimaryKeyConstraint("cid", "user"),
)
# ``about`` is the SHA-256 of the encrypted password that the state is about, since others write passwords as well.
credential_state = _table(
    "oxpush_credential",
    Column("cid", _NUMBER, nullable=False),
    Column("user", _NUMBER, nullable=False),
    Column("origin", _latin1(16), nullable=False),
    Column("state", _latin1(16), nullable=False),
    Column("about", _latin1(64), nullable=False),
    Column("changed", _bigint(20), nullable=False),
    PrimaryKeyConstraint("cid", "user"),
)
# ``current``, and ``following`` while the passwords are brought under another passphrase.
passcrypt = _table(
    "oxpush_passcrypt",
    Column("name", _latin1(16), nullable=False),
    Column("value", _latin1(512), nullable=False),
    PrimaryKeyConstraint("name"),
)

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

last_user = _table(
    "oxpush_last_user",
    Column("cid", _NUMBER, nullable=False, autoincrement=False),
    Column("user", _NUMBER, nullable=False),
    PrimaryKeyConstraint("cid"),
)

# ``folded`` is the last login in lower case: what was written into that mailbox names the id for ever.
removed_user = _table(
    "oxpush_removed_user",
    Column("cid", _NUMBER, nullable=False),
    Column("user", _NUMBER, nullable=False),
    Column("folded", _unicode(255, "utf8mb4_bin"), nullable=False),
    PrimaryKeyConstraint("cid", "user"),
)

# ``recent`` are the uids that were heard last, comma-separated.
mark = _table(
    "oxpush_mark",
    Column("cid", _NUMBER, nullable=False),
    Column("user", _NUMBER, nullable=False),
    Column("uidvalidity", _bigint(20), nullable=False),
    Column("uidnext", _bigint(20), nullable=False),
    Column("recent", _LONG_TEXT, nullable=False),
    Column("changed", _bigint(20), nullable=False),
    PrimaryKeyConstraint("cid", "user"),
)

# ``about`` is the SHA-256 of the registered value, ``verified`` when that was last seen to stand.
dovecot = _table(
    "oxpush_dovecot",
    Column("cid", _NUMBER, nullable=False),
    Column("user", _NUMBER, nullable=False),
    Column("name", _unicode(320, "utf8mb4_bin"), nullable=False),
    Column("about", _latin1(64), nullable=False),
    Column("verified", _bigint(20), nullable=False),
    PrimaryKeyConstraint("cid", "user"),
)

found = _table("oxpush_found", Column("name", _latin1(64), nullable=False), PrimaryKeyConstraint("name"))

schema_version = _table(
    "oxpush_schema",
    Column("version", _NUMBER, nullable=False, autoincrement=False),
    PrimaryKeyConstraint("version"),
)
