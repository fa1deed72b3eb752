"""The way out of a configuration: transports of its usable clients, the generators for them, providers' verdicts."""

from __future__ import annotations

import time

import orjson

from oxpushctl.config.clients.options import ApnsOptions, FcmOptions, switch_of, transport_of
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.properties import SWITCHES, WEBSOCKET_ENABLED
from oxpushctl.engine.clock import SystemClock
from oxpushctl.engine.routes import Routes
from oxpushctl.interfaces import SocketDelivery, Transport
from oxpushctl.messages.appsuite import AppSuite
from oxpushctl.messages.facade import MobileApiFacade
from oxpushctl.model import Outcome
from oxpushctl.transports import apns_verdicts, fcm_verdicts
from oxpushctl.transports.apns import ApnsTransport
from oxpushctl.transports.fcm import FcmTransport
from oxpushctl.transports.websocket import WebSocketTransport


def make_routes(configuration: Configuration, sockets: SocketDelivery | None = None) -> Routes:
    """Make the transports of all usable clients, and the generators that write for them.

    ``sockets`` are the web sockets of a running engine.
    """
    settings, clients = configuration.settings, configuration.usable_clients
    apns = [client for client in clients if isinstance(client, ApnsOptions)]
    fcm = [client for client in clients if isinstance(client, FcmOptions)]
    switches = {(client.client, transport_of(client)): SWITCHES[switch_of(client)] for client in clients}

    def is_enabled(client: str, transport: str, topic: str) -> bool:
        return settings.qualified(switches.get((client, transport), WEBSOCKET_ENABLED), client, topic)

    transports: list[Transport] = [
        ApnsTransport.from_settings(settings, apns, configuration.etc),
        FcmTransport.from_settings(settings, fcm, configuration.etc),
    ]
    if sockets is not None:
        transports.append(WebSocketTransport(sockets))
    facade = MobileApiFacade.from_settings(settings, configuration.facade_clients, SystemClock())
    return Routes(transports, [facade, AppSuite()], is_enabled)


def simulated(transport: str, status: int, reason: str) -> Outcome:
    """Judge an answer that nobody gave: what would follow if the provider said this."""
    if transport == FcmTransport.name:
        details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": reason}]
        body = orjson.dumps({"error": {"code": status, "status": reason, "details": details if reason else []}})
        return fcm_verdicts.judge(status, {}, body, time.time())
    body = orjson.dumps({"reason": reason}) if reason else b""
    return apns_verdicts.judge(status, {}, body, time.time())
