"""How wide the middleware's tables are: today's, or those of an older release of it.

::

    pns_subscription
    7.8         client in latin1, PRIMARY KEY (cid, user, token)
    since then  client in utf8mb4, expires, PRIMARY KEY (cid, user, token, client)
    8.18        meta; the index tokenIndex comes with an update task, and a fresh schema lacks it

    credentials
    7.x         password of 64 characters and login in utf8
    8.x         password of 512 characters, both in utf8mb4

A narrow table is read as it is; what would not fit is refused until it is widened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Connection, Table, inspect, text

from oxpushctl.errors import ConfigurationError
from oxpushctl.stores import schema

# What today's column of encrypted passwords holds, in characters.
PASSWORD_WIDTH = 512

_TABLE = schema.subscription.name
_KEY_COLUMNS = {column.name for column in schema.subscription.primary_key}
_TOKEN_INDEX = ("token", "transport", "client")
_PASSWORD, _LOGIN = schema.credential.c.password, schema.credential.c.login
_LOOK_AGAIN_S = 30
_MYSQL, _UNICODE = ("mysql", "mariadb"), "utf8mb4"
_CHARSETS = text(
    "SELECT column_name, character_set_name FROM information_schema.columns "
    "WHERE table_schema = DATABASE() AND table_name = :table AND character_set_name IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """What the table of subscriptions has; ``key_name`` is what the database calls the primary key.

    ``client_charset`` is MySQL's character set of the clients, ``utf8mb4`` where any text will do.
    """

    has_expires: bool
    has_meta: bool
    client_charset: str
    is_client_in_key: bool
    has_token_index: bool
    key_name: str | None = None

    @property
    def is_wide(self) -> bool:
        """Whether everything fits that today's table holds."""
        return self.has_expires and self.has_meta and self.is_client_unicode and self.is_client_in_key

    @property
    def is_client_unicode(self) -> bool:
        """Whether every client fits."""
        return self.client_charset == _UNICODE

    def holds_client(self, client: str) -> bool:
        """Tell whether a client fits, and whether it may be compared with those that are there."""
        return _is_in(self.client_charset, client)


@dataclass(frozen=True, slots=True)
class CredentialLayout:
    """What the columns of kept passwords hold: so many characters, of MySQL's character sets.

    ``utf8mb4`` where any text will do; every login has room, its 64 characters being those of every release.
    """

    password_width: int
    password_charset: str
    login_charset: str

    @property
    def is_wide(self) -> bool:
        """Whether everything fits that today's table holds."""
        return self.is_password_wide and self.is_login_unicode

    @property
    def is_password_wide(self) -> bool:
        """Whether every encrypted password fits."""
        return self.password_width >= PASSWORD_WIDTH and self.password_charset == _UNICODE

    @property
    def is_login_unicode(self) -> bool:
        """Whether every login fits."""
        return self.login_charset == _UNICODE

    def check(self, login: str, value: str) -> None:
        """Raise ``ConfigurationError`` for a login or an encrypted password that only a wider table could keep."""
        if len(value) > self.password_width or not _is_in(self.password_charset, value):
            raise too_narrow("an encrypted password of today's", schema.credential)
        if not _is_in(self.login_charset, login):
            raise too_narrow("this login, for its letters", schema.credential)


def look(connection: Connection) -> Layout:
    """Return the layout of the table of subscriptions as it is now."""
    inspector = inspect(connection)
    columns = {column["name"] for column in inspector.get_columns(_TABLE)}
    key = inspector.get_pk_constraint(_TABLE)
    indexes = {tuple(index["column_names"]) for index in inspector.get_indexes(_TABLE)}
    return Layout(
        has_expires="expires" in columns,
        has_meta="meta" in columns,
        client_charset=_charsets(connection, schema.subscription)["client"],
        is_client_in_key=_KEY_COLUMNS.issubset(key["constrained_columns"]),
        has_token_index=any(index[:1] == _TOKEN_INDEX[:1] for index in indexes),
        key_name=key["name"],
    )


def credential_layout(connection: Connection) -> CredentialLayout:
    """Return the layout of the table of kept passwords as it is now."""
    width = PASSWORD_WIDTH
    if connection.dialect.name != "sqlite":  # which counts no characters
        columns = inspect(connection).get_columns(schema.credential.name)
        [kind] = [column["type"] for column in columns if column["name"] == _PASSWORD.name]
        width = getattr(kind, "length", None) or width
    charsets = _charsets(connection, schema.credential)
    return CredentialLayout(width, charsets[_PASSWORD.name], charsets[_LOGIN.name])


def too_narrow(what: str, table: Table = schema.subscription) -> ConfigurationError:
    """Return the error for something that only a wider table could keep."""
    return ConfigurationError(
        f"the table {table.name} is that of an older middleware and cannot keep {what}: "
        "oxpushctl database upgrade widens it"
    )


class _Width(Protocol):
    @property
    def is_wide(self) -> bool: ...


W = TypeVar("W", bound=_Width)


class _Known(Generic[W]):
    """A layout as a store knows it: looked at once, and now and then again while it is narrow."""

    def __init__(self, look: Callable[[Connection], W], monotonic: Callable[[], float]) -> None:
        self._look = look
        self._monotonic = monotonic
        self._layout: W | None = None
        self._known_until = 0.0

    def of(self, connection: Connection) -> W:
        """Return the layout; somebody may have widened a narrow table meanwhile, nobody makes it narrower."""
        layout, now = self._layout, self._monotonic()
        if layout is None or (not layout.is_wide and now >= self._known_until):
            layout = self._layout = self._look(connection)
            self._known_until = now + _LOOK_AGAIN_S
        return layout


class KnownLayout(_Known[Layout]):
    """The layout of the table of subscriptions as a store knows it."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(look, monotonic)


class KnownCredentialLayout(_Known[CredentialLayout]):
    """The layout of the table of kept passwords as a store knows it."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(credential_layout, monotonic)


def _charsets(connection: Connection, table: Table) -> Mapping[str, str]:
    """Return MySQL's character set of each column; to the others, any text will do."""
    if connection.dialect.name not in _MYSQL:
        return {column.name: _UNICODE for column in table.columns}
    return {row[0]: row[1] for row in connection.execute(_CHARSETS, {"table": table.name})}


def _is_in(charset: str, text: str) -> bool:
    """Tell whether a text consists of characters of one of MySQL's character sets."""
    match charset:
        case "utf8mb4":
            return True
        case "utf8" | "utf8mb3":
            return max(text, default="") <= "\uffff"
        case "latin1":
            return max(text, default="") <= "\xff"
        case _:
            return text.isascii()
