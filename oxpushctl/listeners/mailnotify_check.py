"""Whether datagrams of mail servers could be heard: nothing is left behind, and who hears them is not disturbed."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from oxpushctl.config.check import Wishes, has_error, told
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.listening import NOTIFY_ENABLED, NOTIFY_HOST, NOTIFY_MULTICAST, NOTIFY_PORT
from oxpushctl.config.own import NOTIFY_SOURCES
from oxpushctl.config.properties import MAIL_SERVER_URL
from oxpushctl.errors import ConfigurationError, NotReachable
from oxpushctl.listeners.mailnotify_socket import bound
from oxpushctl.look_up import looked_up

_LOOK_UP_S = 3.0
# Says already that nobody but this machine is believed.
_OTHERS_NOT_BELIEVED = "OXP345"

IsRunning = Callable[[Configuration], Awaitable[bool]]


async def check_datagrams(configuration: Configuration, wishes: Wishes, *, is_running: IsRunning) -> list[Finding]:
    """Say why no datagram would be heard, or believed; ``is_running`` tells whether this configuration's engine is."""
    rows = (NOTIFY_ENABLED, NOTIFY_HOST, NOTIFY_PORT, NOTIFY_MULTICAST)
    if wishes.is_offline or not configuration.settings[NOTIFY_ENABLED] or has_error(configuration, *rows):
        return []
    trouble, doubt = await asyncio.gather(_not_heard(configuration, is_running), _not_believed(configuration))
    return [finding for finding in (trouble, doubt) if finding is not None]


async def _not_heard(configuration: Configuration, is_running: IsRunning) -> Finding | None:
    settings = configuration.settings
    host, port, is_multicast = settings[NOTIFY_HOST], settings[NOTIFY_PORT], settings[NOTIFY_MULTICAST]
    try:
        async with asyncio.timeout(_LOOK_UP_S):
            sockets = await bound(host, port, is_multicast=is_multicast)
    except TimeoutError:
        message = f"no name service tells the address of {host}"
        return told(configuration, Severity.WARNING, "OXP702", NOTIFY_HOST, message, "name an address of this machine")
    except (NotReachable, ConfigurationError) as error:
        number = error.__cause__.errno if isinstance(error.__cause__, OSError) else None
        if number == errno.EADDRINUSE and await is_running(configuration):
            return None
        code = "OXP701" if number == errno.EADDRINUSE else "OXP702"
        row = NOTIFY_PORT if number in (errno.EADDRINUSE, errno.EACCES) else NOTIFY_HOST
        return told(configuration, Severity.WARNING, code, row, str(error).removeprefix(f"{row.key}: "))
    for each in sockets:
        each.close()
    return None


async def _not_believed(configuration: Configuration) -> Finding | None:
    """Tell of a mail server whose own address is not among those that are believed; it may send from another."""
    server, networks = configuration.settings[MAIL_SERVER_URL], configuration.settings[NOTIFY_SOURCES]
    is_told = any(found.code == _OTHERS_NOT_BELIEVED for found in configuration.findings)
    if server is None or is_told or has_error(configuration, MAIL_SERVER_URL, NOTIFY_SOURCES):
        return None
    try:
        async with asyncio.timeout(_LOOK_UP_S):
            found = await asyncio.wrap_future(looked_up(server.host, server.port))
    except (OSError, UnicodeError):  # TimeoutError is one; that it cannot be resolved is told where it is asked
        return None
    addresses = {ip_address(str(where[0]).partition("%")[0]) for *_, where in found}
    if any(address in network for address in addresses for network in networks):
        return None
    listed = ", ".join(sorted(map(str, addresses)))
    message = f"has no address of {server.host} ({listed}): datagrams that it sends are dropped"
    return told(configuration, Severity.INFO, "OXP753", NOTIFY_SOURCES, message, "add the addresses it sends from")
