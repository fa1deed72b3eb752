"""The way out of a configuration: transports of its usable clients, the generators for them, providers' verdicts."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path

import orjson

from oxpushctl.config.clients.options import ApnsOptions, ClientOptions, FcmOptions, switch_of, transport_of
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


def fingerprints(configuration: Configuration) -> Mapping[tuple[str, str], bytes]:
    """Return what tells each client's credentials from others, by transport and client: options and what is in files.

    A file that cannot be read counts as empty; where it matters, the transport says so.
    """
    return {(transport_of(client), client.client): _fingerprint(client) for client in configuration.usable_clients}


def _fingerprint(client: ClientOptions) -> bytes:
    if isinstance(client, ApnsOptions):
        paths = [client.keystore, client.privatekey]
        options: tuple[object, ...] = (
            client.authtype,
            client.topic,
            client.password,
            client.keyid,
            client.teamid,
            client.is_production,
        )
    else:
        paths, options = [client.key_path], ()
    digest = hashlib.sha256(repr(options).encode())
    for path in paths:
        digest.update(hashlib.sha256(_content(path)).digest())
    return digest.digest()


def _content(path: Path | None) -> bytes:
    try:
        return b"" if path is None else path.read_bytes()
    except OSError:
        return b""


def simulated(transport: str, status: int, reason: str) -> Outcome:
    """Judge an answer that nobody gave: what would follow if the provider said this."""
    if transport == FcmTransport.name:
        details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": reason}]
        body = orjson.dumps({"error": {"code": status, "status": reason, "details": details if reason else []}})
        return fcm_verdicts.judge(status, {}, body, time.time())
    body = orjson.dumps({"reason": reason}) if reason else b""
    return apns_verdicts.judge(status, {}, body, time.time())
