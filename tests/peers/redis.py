"""A throw-away Redis on a free port of 127.0.0.1, which writes nothing to disk unless it is told to.

Everything lies in one folder below /tmp, which goes when the server stops.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.peers.ports import free_port

_START_LIMIT_S = 60.0
_NOTHING_KEPT = ("--save", "", "--appendonly", "no")
_EVERYTHING_KEPT = ("--save", "3600 1", "--appendonly", "yes", "--appendfsync", "always")


class RedisError(Exception):
    """Redis did not start; its log is in the text."""


class Redis:
    """A running Redis; used as a context manager it starts and stops.

    ``certificate`` are the files of one and of its key: it then speaks TLS only. ``is_persistent``: what it has is on
    disk, and there again after a restart. ``options`` are further ones of its own.
    """

    def __init__(
        self,
        *options: str,
        password: str | None = None,
        certificate: tuple[Path, Path] | None = None,
        is_persistent: bool = False,
    ) -> None:
        self._options = options
        self._password = password
        self._certificate = certificate
        self._is_persistent = is_persistent
        self.folder = Path()
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="oxpushctl-redis-", dir="/tmp"))
        self.port = free_port()
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    @property
    def url(self) -> str:
        """Where it is, with its password."""
        return self.url_for("", self._password or "")

    def url_for(self, login: str, password: str) -> str:
        """Return where it is, for somebody."""
        scheme = "redis" if self._certificate is None else "rediss"
        somebody = f"{login}:{password}@" if login or password else ""
        return f"{scheme}://{somebody}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Return when it answers."""
        log = self.folder / "server.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [_program(), *self._words()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_LIMIT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RedisError(log.read_text(errors="replace"))
            time.sleep(0.02)

    def stop(self) -> None:
        """End it as a power failure would."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """End it and start it again; unless it is persistent, it has forgotten everything."""
        self.stop()
        self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it say nothing more until the end of the block, its connections staying open."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

    @contextlib.contextmanager
    def fresh(self) -> Iterator[str]:
        """Empty it and give its URL."""
        self.execute("FLUSHALL")
        yield self.url

    def execute(self, *command: str | bytes | int) -> Any:
        """Send one command as the administrator of the server."""
        tls: dict[str, Any] = {"ssl": True, "ssl_cert_reqs": "none"} if self._certificate else {}
        client: Any = redis.Redis(
            port=self.port, password=self._password, protocol=2, retry=Retry(NoBackoff(), 0), socket_timeout=10, **tls
        )
        try:
            return client.execute_command(*command)
        finally:
            client.close()

    def dump(self) -> bytes:
        """Have everything written to disk, and return what the file holds."""
        self.execute("SAVE")
        return (self.folder / "dump.rdb").read_bytes()

    def _words(self) -> list[str]:
        words = ["--bind", "127.0.0.1", "--dir", str(self.folder)]
        words += _EVERYTHING_KEPT if self._is_persistent else _NOTHING_KEPT
        words += ["--rdbcompression", "no"]  # so that the file can be searched
        if self._certificate is None:
            words += ["--port", str(self.port)]
        else:
            certificate, key = map(str, self._certificate)
            words += ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            words += ["--tls-cert-file", certificate, "--tls-key-file", key]
        if self._password is not None:
            words += ["--requirepass", self._password]
        return [*words, *self._options]

    def _answers(self) -> bool:
        try:
            self.execute("PING")
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        return True


def _program() -> str:
    path = shutil.which("redis-server")
    if path is None:
        raise RedisError("no program 'redis-server': install redis-server")
    return path
