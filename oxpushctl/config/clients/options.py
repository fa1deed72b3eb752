"""The options of clients: which app is reached with which certificate, key or service account."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from oxpushctl.config.settings import Origin

APNS_FILE = "pns-apns-options.yml"
APNS_HTTP2_FILE = "pns-apns_http2-options.yml"
GCM_FILE = "pns-gcm-options.yml"
UNIFIED_FOLDER = "pushClientConfig"
FACADE_CLIENTS_FILE = "pns-mobile-api-facade-clients.yml"
FACADE_CLIENT = "open-xchange-mobile-api-facade"
_NEARLY = 0.9


@dataclass(frozen=True, slots=True)
class Written:
    """One option as it stands in its file: ``name`` is another one in the files that a package delivers."""

    name: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class ApnsOptions:
    """How to reach Apple for one client; ``authtype`` is ``certificate`` or ``jwt``, paths are absolute.

    ``switch`` is the transport switch that turns the client's file on: ``apn`` or ``apns_http2``; ``is_for_both`` tells
    that either will do. ``is_packaged`` tells that a package delivered the options. ``written`` has those that are set,
    by their names in the YAML files.
    """

    client: str
    origin: Origin
    authtype: str
    topic: str | None
    keystore: Path | None
    password: str | None = field(repr=False)
    privatekey: Path | None = None
    keyid: str | None = None
    teamid: str | None = None
    is_production: bool = True
    is_enabled: bool = True
    switch: str = "apn"
    is_for_both: bool = False
    is_packaged: bool = False
    written: Mapping[str, Written] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class FcmOptions:
    """How to reach Google for one client: the path of its service account."""

    client: str
    origin: Origin
    key_path: Path | None
    is_enabled: bool = True
    is_packaged: bool = False
    written: Mapping[str, Written] = field(default_factory=dict, repr=False, compare=False)


ClientOptions = ApnsOptions | FcmOptions


def transport_of(client: ClientOptions) -> str:
    """Return the id of the transport that a client's options are for."""
    return "apn" if isinstance(client, ApnsOptions) else "gcm"


def switch_of(client: ClientOptions) -> str:
    """Return the name of the switch that turns a client's options on."""
    return client.switch if isinstance(client, ApnsOptions) else "gcm"


def is_served(client: str, listed: Collection[str]) -> bool:
    """Tell whether the mobile API facade writes messages for a client: for its own, and for those that are listed."""
    return client.startswith(FACADE_CLIENT) or client in listed


def is_nearly_facade(client: str) -> bool:
    """Tell whether an id begins almost as those of the mobile API facade's own clients do."""
    beginning = client[: len(FACADE_CLIENT)]
    return difflib.SequenceMatcher(None, beginning, FACADE_CLIENT).ratio() >= _NEARLY


def place_of(client: ClientOptions, option: str) -> Origin:
    """Return where one of a client's options is set, by its name in the YAML files; else where the client is."""
    written = client.written.get(option)
    return written.origin if written else client.origin


def key_of(client: ClientOptions, option: str) -> str:
    """Return how a finding names one of a client's options: as its file does."""
    written = client.written.get(option)
    return f"{client.client}.{written.name if written else option}"
