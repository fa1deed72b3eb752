"""How wide the table of subscriptions is: today's, or that of an older middleware.

::

    7.8         client in latin1, PRIMARY KEY (cid, user, token)
    since then  client in utf8mb4, expires, PRIMARY KEY (cid, user, token, client)
    8.18        meta; the index tokenIndex comes with an update task, and a fresh schema lacks it

A narrow table is read as it is; what would not fit is refused until it is widened.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, inspect, text

from oxpushctl.errors import ConfigurationError
from oxpushctl.stores import schema

_TABLE = schema.subscription.name
_KEY_COLUMNS = {column.name for column in schema.subscription.primary_key}
_TOKEN_INDEX = ("token", "transport", "client")
_LOOK_AGAIN_S = 30
_MYSQL, _UNICODE = ("mysql", "mariadb"), "utf8mb4"
_CHARSET = text(
    "SELECT character_set_name FROM information_schema.columns "
    "WHERE table_schema = DATABASE() AND table_name = :table AND column_name = 'client'"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """What the table has; ``key_name`` is what the database calls the primary key.

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
        match self.client_charset:
            case "utf8mb4":
                return True
            case "utf8" | "utf8mb3":
                return max(client, default="") <= "\uffff"
            case "latin1":
                return max(client, default="") <= "\xff"
            case _:
                return client.isascii()


def look(connection: Connection) -> Layout:
    """Return the layout of the table as it is now."""
    inspector = inspect(connection)
    columns = {column["name"] for column in inspector.get_columns(_TABLE)}
    key = inspector.get_pk_constraint(_TABLE)
    indexes = {tuple(index["column_names"]) for index in inspector.get_indexes(_TABLE)}
    is_mysql = connection.dialect.name in _MYSQL
    return Layout(
        has_expires="expires" in columns,
        has_meta="meta" in columns,
        client_charset=str(connection.scalar(_CHARSET, {"table": _TABLE})) if is_mysql else _UNICODE,
        is_client_in_key=_KEY_COLUMNS.issubset(key["constrained_columns"]),
        has_token_index=any(index[:1] == _TOKEN_INDEX[:1] for index in indexes),
        key_name=key["name"],
    )


def too_narrow(what: str) -> ConfigurationError:
    """Return the error for something that only a wider table could keep."""
    return ConfigurationError(
        f"the table {_TABLE} is that of an older middleware and cannot keep {what}: "
        "oxpushctl database upgrade widens it"
    )


class KnownLayout:
    """The layout as a store knows it: looked at once, and now and then again while it is narrow."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._layout: Layout | None = None
        self._known_until = 0.0

    def of(self, connection: Connection) -> Layout:
        """Return the layout; somebody may have widened a narrow table meanwhile, nobody makes it narrower."""
        layout, now = self._layout, self._monotonic()
        if layout is None or (not layout.is_wide and now >= self._known_until):
            layout = self._layout = look(connection)
            self._known_until = now + _LOOK_AGAIN_S
        return layout
