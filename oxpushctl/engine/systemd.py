"""Telling the service manager how we are: sd_notify(3), a datagram of KEY=VALUE lines."""

from __future__ import annotations

import socket
import time

from oxpushctl import log

_log = log.get(__name__)


class ServiceManager:
    """The service manager behind ``$NOTIFY_SOCKET``; without one, nobody is told."""

    def __init__(self, address: str | None) -> None:
        # An abstract socket is written with @ for the NUL byte (sd_notify(3)).
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address

    def ready(self) -> None:
        """Say that start or reload is complete."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is being read again (Type=notify-reload wants the monotonic time)."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the orderly stop has begun."""
        self._tell("STOPPING=1")

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.connect(self._address)
                channel.sendall(state.encode())
        except OSError as error:
            _log.warning("service manager not told", reason=str(error))
