"""What a database says went wrong, in our words: each driver has its own errors, and its texts may quote values.

Sources: MariaDB Error Code Reference; PostgreSQL documentation, appendix A (SQLSTATE); SQLite result codes.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError

from oxpushctl.errors import ConfigurationError, NotPermitted, NotReachable, OxpushctlError, TryLater

Code = int | str | None


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of trouble: MySQL's numbers and SQLSTATEs for it, or words where there is no code; what to do."""

    error: type[OxpushctlError]
    codes: frozenset[int | str]
    words: tuple[str, ...] = ()
    remedy: str = ""

    def includes(self, error: DBAPIError) -> bool:
        """Tell whether an error is of this kind."""
        text = str(error.orig)
        return not self.codes.isdisjoint(_codes(error)) or any(each in text for each in self.words)


# Record changed since it was read, lock wait timeout, deadlock; serialization failure, deadlock, lock not available.
_CONFLICT = _Kind(TryLater, frozenset({1020, 1205, 1213, "40001", "40P01", "55P03"}))
_MISSING = _Kind(
    ConfigurationError,
    frozenset({1054, 1146, "42703", "42P01"}),
    ("no such table", "no such column", "has no column named"),
    ": oxpushctl database create makes missing tables, oxpushctl database upgrade adds missing columns",
)
# Out of range, truncated, incorrect string, too long; string too long, number out of range, not in the character set.
_MISFIT = _Kind(ConfigurationError, frozenset({1264, 1265, 1366, 1406, "22001", "22003", "22P05"}))
_KINDS = (
    _CONFLICT,
    _MISSING,
    _Kind(TryLater, frozenset(), ("database is locked", "database table is locked", "database schema is locked")),
    # PostgreSQL's library has no code for a connection that was refused.
    _Kind(
        ConfigurationError,
        frozenset({1049, "3D000"}),
        ('FATAL:  database "',),
        ": create it, or name another in oxpushctl.database.url",
    ),
    _Kind(
        NotPermitted,
        frozenset({1044, 1045, 1142, 1143, 1227, 1698, "28000", "28P01", "42501"}),
        ("password authentication failed", "no pg_hba.conf entry", 'FATAL:  role "'),
        ": look at login and password in oxpushctl.database.url, and at the rights of this login",
    ),
)


def is_conflict(error: DBAPIError) -> bool:
    """Tell whether another transaction came between, so that the same may work at once."""
    return isinstance(error, IntegrityError) or _CONFLICT.includes(error)


def is_missing(error: DBAPIError) -> bool:
    """Tell whether a table or column is not there."""
    return _MISSING.includes(error)


def mapped(error: DBAPIError, name: str) -> OxpushctlError | None:
    """Return an error of ours for one of the database with this name; ``None`` for what can only be a bug of ours."""
    # The texts of the first two quote the row.
    if isinstance(error, IntegrityError):
        return TryLater(f"database {name}: another process changed the same row at the same time")
    if isinstance(error, DataError) or _MISFIT.includes(error):
        return ConfigurationError(
            f"database {name}: a value does not fit into its column, so the tables are those of an older release: "
            "oxpushctl database upgrade widens them"
        )
    for kind in _KINDS:
        if kind.includes(error):
            return kind.error(f"database {name}: {_reason(error)}{kind.remedy}")
    if isinstance(error, ProgrammingError | NotSupportedError):
        return None
    return NotReachable(f"database {name}: {_reason(error)}")


def _codes(error: DBAPIError) -> tuple[Code, ...]:
    """Return the SQLSTATE and MySQL's number, as far as the driver has them."""
    arguments = error.orig.args if error.orig is not None else ()
    number = arguments[0] if arguments and isinstance(arguments[0], int) else None
    return getattr(error.orig, "sqlstate", None), number


def _reason(error: DBAPIError) -> str:
    """Return the first line of what the database said; the next ones may quote the statement."""
    arguments = error.orig.args if error.orig is not None else ()
    text = str(arguments[1]) if len(arguments) > 1 and isinstance(arguments[0], int) else str(error.orig)
    return (text.strip().splitlines() or ["no answer"])[0]
