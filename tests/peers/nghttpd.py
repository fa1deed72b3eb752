"""nghttpd, the native HTTP/2 server of nghttp2: it answers every POST with 200 and the body it was sent."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.peers.ports import free_port


@contextlib.contextmanager
def nghttpd(folder: Path, *, tls: tuple[Path, Path] | None = None, streams: int = 100) -> Iterator[str]:
    """Run one until the context ends and give its URL; ``tls`` is a certificate and its key."""
    port = free_port()
    options = ["-a", "127.0.0.1", "-d", str(folder), "--echo-upload", f"--max-concurrent-streams={streams}"]
    where = [str(port), str(tls[1]), str(tls[0])] if tls else ["--no-tls", str(port)]
    with subprocess.Popen(["nghttpd", *options, *where], stdout=subprocess.DEVNULL) as process:
        try:
            _await_port(port)
            yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        finally:
            process.terminate()


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
