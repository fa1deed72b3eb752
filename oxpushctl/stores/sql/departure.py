"""What a user of the directory leaves behind: all that would reach whoever got the same id next.

Works inside a transaction that a store has begun.
"""

from __future__ import annotations

from sqlalchemy import Connection, Table, delete

from oxpushctl.model import PushUser, Removed
from oxpushctl.stores import schema
from oxpushctl.stores.sql import registering, rows
from oxpushctl.stores.sql.layout import Layout


def remove_belongings(connection: Connection, user: PushUser, found: Layout) -> Removed:
    """Delete a user's devices, registrations, kept password and mark; return what a person wants to know of."""
    its = schema.subscription.c
    devices = rows.read(connection, rows.Choice((its.cid == user.context, its.user == user.user)), found)
    rows.delete(connection, [device.id for device in devices])
    for registration in registering.of_users(connection, [user]):
        registering.take_back(connection, registration)
    passwords = _delete(connection, schema.credential, user)
    _delete(connection, schema.credential_state, user)
    _delete(connection, schema.mark, user)
    return Removed(devices=len(devices), has_password=passwords > 0)


def _delete(connection: Connection, table: Table, user: PushUser) -> int:
    return connection.execute(delete(table).where(table.c.cid == user.context, table.c.user == user.user)).rowcount
