"""Which program holds a TCP port, as far as this system user may know: Linux tells it below /proc.

/proc/net/tcp has a line for each socket: ``sl local_address rem_address st … uid timeout inode``. Ports and the state
are in hexadecimal, 0A listens. Source: proc(5).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_LISTENS = "0A"
_TABLES = ("tcp", "tcp6")


def holder(port: int, proc: Path = Path("/proc")) -> str:
    """Return ``dovecot (pid 1234)``, or nothing where it cannot be told."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port, proc)}
    if not sockets:
        return ""
    for process in proc.glob("[0-9]*"):
        try:
            if any(str(descriptor.readlink()) in sockets for descriptor in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text(errors='replace').strip()} (pid {process.name})"
        except OSError:
            continue  # another user's, or it has just ended
    return ""


def _inodes(port: int, proc: Path) -> Iterator[str]:
    for name in _TABLES:
        try:
            lines = (proc / "net" / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]
