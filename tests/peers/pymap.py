"""pymap, an IMAP server written in Python by others: mail in memory, one user, a port of 127.0.0.1.

It is a second opinion on IDLE: another order of answers, other capabilities, no SNIPPET.
"""

from __future__ import annotations

import contextlib
import imaplib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.ports import free_port

LOGIN, PASSWORD = "anton@example.com", "pw"
_START_LIMIT_S = 20.0


@contextmanager
def pymap() -> Iterator[int]:
    """Yield the port of a running server, whose INBOX has some mails already."""
    port = free_port()
    program = Path(sys.executable).with_name("pymap")
    options = ["--host", "127.0.0.1", "--port", str(port), "--no-tls", "--no-service", "admin"]
    user = ["--demo-data", "--demo-user", LOGIN, "--demo-password", PASSWORD]
    command = [str(program), *options, "--no-service", "managesieve", "dict", *user]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        _wait(process, port)
        yield port
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def opened(port: int) -> Iterator[imaplib.IMAP4]:
    """Open its INBOX as an app does."""
    with imaplib.IMAP4("127.0.0.1", port, timeout=20) as imap:
        imap.login(LOGIN, PASSWORD)
        imap.select()
        yield imap


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), opened(port):
            return
        time.sleep(0.05)
    process.kill()
    raise RuntimeError(f"pymap did not start:\n{process.communicate()[0].decode(errors='replace')}")
