"""``java.util.Properties`` itself: one JVM that reads file after file, as ``java/ReadProperties.java`` says."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path
from types import TracebackType

_PROGRAM = Path(__file__).parent / "java" / "ReadProperties.java"
_INT = struct.Struct(">i")
# A short-lived JVM gains nothing from its second compiler, nor from several threads of a collector.
_COMMAND = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", str(_PROGRAM))


class JavaProperties:
    """A JVM that is started with the block and ended with it."""

    def __enter__(self) -> JavaProperties:
        assert shutil.which("javac") is not None, "install openjdk-17-jdk-headless"
        self._process = subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            assert self._process.wait(timeout=20) == 0
        finally:
            self._process.kill()
            self._process.wait()

    def read(self, data: bytes, *, is_utf8: bool = False) -> list[tuple[str, str]] | None:
        """Return keys and trimmed values in the order of a file, ``None`` where Java refuses it."""
        assert self._process.stdin is not None
        self._process.stdin.write(bytes([is_utf8]) + _INT.pack(len(data)) + data)
        self._process.stdin.flush()
        count = self._int()
        if count < 0:
            return None
        # A surrogate may stand alone: Java does not mind.
        texts = [self._bytes(self._int()).decode("utf-16-be", "surrogatepass") for _ in range(count)]
        return list(zip(texts[::2], texts[1::2], strict=True))

    def _int(self) -> int:
        number: int = _INT.unpack(self._bytes(_INT.size))[0]
        return number

    def _bytes(self, size: int) -> bytes:
        assert self._process.stdout is not None
        data = self._process.stdout.read(size)
        assert len(data) == size, "the JVM ended early"
        return data
