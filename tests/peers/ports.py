"""Free ports on 127.0.0.1, for programs that cannot be asked which port they took."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Return a port that nobody listens on now; whoever is given it must be ready to find it taken."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert isinstance(port, int)
    return port
