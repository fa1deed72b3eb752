"""A throw-away MariaDB on a free port of 127.0.0.1, with the settings of a server that does not care about its data.

Everything lies in one folder below /tmp, which goes when the server stops.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import OperationalError

from tests.peers.ports import free_port

_START_LIMIT_S = 60.0
_OPTIONS = (
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    # Written at each commit, never synced: what was committed outlives the process, as the tests that kill it need.
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-doublewrite=0",
    "--innodb-log-file-size=16M",
    "--performance-schema=OFF",
    # As the middleware wants it: what is not said otherwise compares in any case.
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_unicode_ci",
)


class MariaDbError(Exception):
    """MariaDB did not start; its log is in the text."""


class MariaDb:
    """A running MariaDB; used as a context manager it starts and stops. ``options`` are further ones of its own."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._numbers = itertools.count(1)
        self._folder = Path()
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # Not pytest's tmp_path: the server runs as another user and must get through.
        self._folder = Path(tempfile.mkdtemp(prefix="oxpushctl-mariadb-", dir="/tmp"))
        self._folder.chmod(0o755)
        self._port = free_port()
        data = f"--datadir={self._folder / 'data'}"
        install = (_program("mariadb-install-db"), "--no-defaults", *_as_user(), data)
        subprocess.run(
            [*install, "--auth-root-authentication-method=normal", "--skip-test-db"], check=True, capture_output=True
        )
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Return when it answers."""
        log = self._folder / "server.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *(_program("mariadbd"), "--no-defaults", *_as_user(), f"--datadir={self._folder / 'data'}"),
                    *(f"--port={self._port}", f"--socket={self._folder / 'data' / 'my.sock'}", *_OPTIONS),
                    *self._options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_LIMIT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise MariaDbError(log.read_text(errors="replace"))
            time.sleep(0.02)

    def stop(self) -> None:
        """End it as a power failure would."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

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
        """Make an empty schema and give the URL of its owner; it goes with the block."""
        name = f"push{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}", f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'pw'")
        self.execute(f"GRANT ALL ON {name}.* TO {name}@'127.0.0.1'")
        try:
            yield f"mysql://{name}:pw@127.0.0.1:{self._port}/{name}"
        finally:
            self.execute(f"DROP DATABASE {name}", f"DROP USER {name}@'127.0.0.1'")

    def execute(self, *statements: str) -> None:
        """Run statements as the administrator of the server."""
        engine = create_engine(f"mysql+pymysql://root@127.0.0.1:{self._port}", poolclass=NullPool)
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except OperationalError:
            return False
        return True


def _as_user() -> list[str]:
    """Started by root it must be told to be somebody; the user came with the package."""
    return ["--user=mysql"] if os.getuid() == 0 else []


def _program(name: str) -> str:
    # Debian keeps the server in /usr/sbin, which is not on everybody's PATH.
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise MariaDbError(f"no program {name!r}: install mariadb-server")
    return path
