"""The checks of every part, apart from ``app`` so that a check need not load the engine.

What asks the network is loaded only when it is asked: a check offline is to be over before that would be.
"""

from __future__ import annotations

from collections.abc import Sequence

from oxpushctl.config.check import Check, Wishes, WorldCheck
from oxpushctl.config.configuration import Configuration
from oxpushctl.stores.check import check_database, check_kept_passwords
from oxpushctl.transports.check import check_clients
from oxpushctl.web.tls import check_tls

_ENGINE_S = 3.0

PART_CHECKS: tuple[Check, ...] = (check_clients, check_tls, check_database, check_kept_passwords)


def check_parts(configuration: Configuration) -> Configuration:
    """Add what the parts find wrong with the configuration."""
    return configuration.with_findings(finding for part in PART_CHECKS for finding in part(configuration))


async def check_world(configuration: Configuration, wishes: Wishes) -> Configuration:
    """Add what the network and other programs have to say, in the order of the checks."""
    import asyncio  # noqa: PLC0415  # see above

    found = await asyncio.gather(*(check(configuration, wishes) for check in _world_checks(wishes)))
    return configuration.with_findings(finding for findings in found for finding in findings)


def _world_checks(wishes: Wishes) -> Sequence[WorldCheck]:
    """Load the checks that have something to ask or, offline, to read."""
    checks: list[WorldCheck] = []
    if not wishes.is_offline:
        from functools import partial  # noqa: PLC0415  # see above

        from oxpushctl.listeners.doveadm_check import check_doveadm  # noqa: PLC0415  # see above
        from oxpushctl.listeners.imap_check import check_mail_server  # noqa: PLC0415  # see above
        from oxpushctl.listeners.mailnotify_check import check_datagrams  # noqa: PLC0415  # see above
        from oxpushctl.stores.database_check import check_stored  # noqa: PLC0415  # see above
        from oxpushctl.stores.redis_check import check_redis  # noqa: PLC0415  # see above
        from oxpushctl.web.listen_check import check_ports  # noqa: PLC0415  # see above

        checks += (check_ports, check_mail_server, check_doveadm, check_stored, check_redis)
        checks.append(partial(check_datagrams, is_running=_is_engine_running))
    if not wishes.is_offline or wishes.dovecot_config is not None:
        from oxpushctl.listeners.dovecot_check import check_dovecot  # noqa: PLC0415  # see above

        checks.append(check_dovecot)
    if wishes.are_providers_probed:
        from oxpushctl.transports.probe import check_providers  # noqa: PLC0415  # see above

        checks.append(check_providers)
    return checks


async def _is_engine_running(configuration: Configuration) -> bool:
    """Tell whether the engine of this configuration runs; where that cannot be told, nothing is held against it."""
    import asyncio  # noqa: PLC0415  # see above
    from contextlib import aclosing  # noqa: PLC0415  # see above

    from oxpushctl.errors import OxpushctlError  # noqa: PLC0415  # see above
    from oxpushctl.web.admin_client import AdminClient, NoEngine  # noqa: PLC0415  # see above
    from oxpushctl.web.admin_reports import STATUS_PATH  # noqa: PLC0415  # see above

    try:
        async with asyncio.timeout(_ENGINE_S), aclosing(AdminClient.from_configuration(configuration)) as engine:
            await engine.told(STATUS_PATH)
    except NoEngine:
        return False
    except (OxpushctlError, TimeoutError):
        pass
    return True
