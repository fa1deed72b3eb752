"""The numbers of users: within a context, none that was ever somebody's is given to another.

Everything here works inside a transaction that a store has begun.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, func, insert, select, update

from oxpushctl.errors import ConfigurationError
from oxpushctl.model import PushUser
from oxpushctl.stores import schema
from oxpushctl.stores.checks import is_possible

# Where something may stand that would reach the next bearer of a number, known to the directory or not.
_OF_USERS = (
    schema.user,
    schema.subscription,
    schema.registration,
    schema.credential,
    schema.credential_state,
    schema.mark,
)
_last = schema.last_user.c


def unused(connection: Connection, context: int) -> PushUser:
    """Return a user with a number above all that are or were somebody's; others who ask wait until this one commits.

    It is not remembered yet. Raise ``ConfigurationError`` where the numbers are used up.
    """
    last = _last_locked(connection, context)
    highest = [select(func.max(table.c.user)).where(table.c.cid == context).scalar_subquery() for table in _OF_USERS]
    # MySQL labels such a column with its whole text, which may be too long for it.
    labelled = [each.label(f"highest{number}") for number, each in enumerate(highest)]
    numbers = connection.execute(select(*labelled)).one()
    user = PushUser(context, 1 + max(last, *(number or 0 for number in numbers)))
    if not is_possible(user):
        raise ConfigurationError(f"context {context} has a user {user.user - 1}: no higher user id is left to give")
    return user


def remember(connection: Connection, user: PushUser) -> None:
    """See to it that the number of a user is given to nobody, even when nothing else tells of it any more."""
    if _last_locked(connection, user.context) < user.user:
        connection.execute(update(schema.last_user).where(_last.cid == user.context).values(user=user.user))


def remember_all(connection: Connection, users: Iterable[PushUser]) -> None:
    """Do so for users whose last traces may go in this transaction; almost always all of them are remembered."""
    highest: dict[int, PushUser] = {}
    for user in sorted(users):
        highest[user.context] = user
    for context, user in highest.items():
        if (connection.scalar(select(_last.user).where(_last.cid == context)) or 0) < user.user:
            remember(connection, user)


def _last_locked(connection: Connection, context: int) -> int:
    """Return the highest number that is remembered; whoever else wants to know waits until this transaction ends."""
    last = connection.scalar(select(_last.user).where(_last.cid == context).with_for_update())
    if last is None:
        last = 0
        connection.execute(insert(schema.last_user).values(cid=context, user=last))
    return last
