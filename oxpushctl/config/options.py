"""The client options of the YAML files: which app is reached with which certificate, key or service account."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from oxpushctl.config.settings import Origin


@dataclass(frozen=True, slots=True)
class ApnsOptions:
    """How to reach Apple for one client; ``authtype`` is ``certificate`` or ``jwt``, paths are absolute.

    ``switch`` is the transport switch that turns the client's file on: ``apn`` or ``apns_http2``.
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


@dataclass(frozen=True, slots=True)
class FcmOptions:
    """How to reach Google for one client: the path of its service account."""

    client: str
    origin: Origin
    key_path: Path | None
    is_enabled: bool = True


ClientOptions = ApnsOptions | FcmOptions
