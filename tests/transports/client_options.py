"""Client options as the YAML files give them."""

from __future__ import annotations

from oxpushctl.config.clients.options import ApnsOptions
from oxpushctl.config.settings import Origin
from tests.transports.faults import PASSWORD


def apns_options(**changes: object) -> ApnsOptions:
    """Return the options of an iPhone client with some of them set."""
    given: dict[str, object] = {
        "client": "mail",
        "origin": Origin("pns-apns-options.yml", 3, 1),
        "authtype": "certificate",
        "topic": None,
        "keystore": None,
        "password": PASSWORD,
    }
    return ApnsOptions(**{**given, **changes})  # type: ignore[arg-type]  # a test names the options that it is about
