"""A throw-away PostgreSQL on a free port of 127.0.0.1, with the settings of a server that does not care about its data.

It refuses to be root: started by root, it is the user ``postgres`` that its package made. Everything lies in one
folder below /tmp, which goes when the server stops.
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
from typing import Any, Self

from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import OperationalError

from tests.peers.ports import free_port

_START_LIMIT_S = 60.0
_SETTINGS = ("listen_addresses=127.0.0.1", "fsync=off", "full_page_writes=off")


class PostgreSqlError(Exception):
    """PostgreSQL did not start; its log is in the text."""


class PostgreSql:
    """A running PostgreSQL; used as a context manager it starts and stops. ``settings`` are further ones of its own."""

    def __init__(self, *settings: str) -> None:
        self._settings = settings
        self._numbers = itertools.count(1)
        self._folder = Path()
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # Not pytest's tmp_path: the server runs as another user and must get through.
        self._folder = Path(tempfile.mkdtemp(prefix="oxpushctl-postgresql-", dir="/tmp"))
        if os.getuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
        self._port = free_port()
        self._run("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Return when it answers."""
        log = self._folder / "server.log"
        settings = [
            word
            for setting in (*_SETTINGS, f"unix_socket_directories={self._folder}", *self._settings)
            for word in ("-c", setting)
        ]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [_program("postgres"), "-D", self._folder / "data", "-p", str(self._port), *settings],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **_as_user(),
            )
        deadline = time.monotonic() + _START_LIMIT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise PostgreSqlError(log.read_text(errors="replace"))
            time.sleep(0.02)

    def stop(self) -> None:
        """End it at once, without telling anybody or finishing anything."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGQUIT)  # its "immediate shutdown": SIGKILL would leave its children
            self._process.wait()
            self._process = None

    @contextlib.contextmanager
    def fresh(self) -> Iterator[str]:
        """Make an empty schema and give a URL that leads to it; it goes with the block."""
        name = f"push{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {name}")
        try:
            yield f"postgresql://postgres:pw@127.0.0.1:{self._port}/postgres?options=-csearch_path%3D{name}"
        finally:
            self.execute(f"DROP SCHEMA {name} CASCADE")

    def execute(self, *statements: str) -> None:
        """Run statements as the administrator of the server."""
        engine = create_engine(f"postgresql+psycopg://postgres@127.0.0.1:{self._port}/postgres", poolclass=NullPool)
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except OperationalError:
            return False
        return True

    def _run(self, program: str, *options: str) -> None:
        data = str(self._folder / "data")
        # From its own folder: the user has no access to, say, root's.
        command = [_program(program), "-D", data, *options]
        subprocess.run(command, cwd=self._folder, check=True, capture_output=True, **_as_user())


def _as_user() -> dict[str, Any]:
    """Return who a process has to be."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}


def _program(name: str) -> str:
    # Debian keeps the servers of each version in a folder that is on nobody's PATH.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = shutil.which(name, path=":".join([os.environ.get("PATH", os.defpath), *map(str, folders)]))
    if path is None:
        raise PostgreSqlError(f"no program {name!r}: install postgresql")
    return path
