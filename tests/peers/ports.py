"""Free ports on 127.0.0.1, for programs that cannot be asked which port they took."""

from __future__ import annotations

import itertools
import os
import random
import socket

# Below those that Linux gives to connections that go out (ip(7), ip_local_port_range): nobody gets one of these
# between the asking and the taking. Test processes that run side by side have a stretch each.
_FIRST, _STRETCH, _STRETCHES = 12_000, 2_500, 8
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _STRETCHES
# Another run on this machine has the same stretch, and most likely another place in it.
_numbers = itertools.count(random.randrange(_STRETCH))


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port that nobody has now; whoever is given it must be ready to find it taken."""
    for number in itertools.islice(_numbers, _STRETCH):
        port = _FIRST + _WORKER * _STRETCH + number % _STRETCH
        with socket.socket(socket.AF_INET, kind) as server:
            try:
                server.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("no port of 127.0.0.1 is free")
