"""A small service manager: it holds listening sockets and starts one process after another with them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence

# The process that gets the sockets has to name itself in LISTEN_PID, which is known only within it.
_STARTER = """\
import fcntl, os, sys
count = int(sys.argv[1])
high = [fcntl.fcntl(number, fcntl.F_DUPFD, 100) for number in map(int, sys.argv[2 : 2 + count])]
for target, number in enumerate(high, 3):
    os.dup2(number, target, inheritable=True)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2 + count], sys.argv[2 + count :])
"""
_TELLER = """\
import os
from oxpushctl.web.inherited import inherited
from oxpushctl.web.listen import bound
for each in inherited(os.environ, os.getpid()):
    print(each.name, bound(each.socket), each.socket.get_inheritable())
"""

Held = Sequence[tuple[str, socket.socket]]


def command(held: Held, *words: str) -> list[str]:
    """Return the command that starts another with the sockets."""
    numbers = [str(each.fileno()) for _, each in held]
    return [sys.executable, "-S", "-c", _STARTER, str(len(held)), *numbers, *words]


def environment(held: Held, base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of such a process."""
    return {**base, "LISTEN_FDS": str(len(held)), "LISTEN_FDNAMES": ":".join(name for name, _ in held)}


def tells_descriptors(held: Held) -> list[str]:
    """Return what a process that was given the sockets finds: name, address, whether a child would get it."""
    done = subprocess.run(
        command(held, sys.executable, "-c", _TELLER),
        env=environment(held, os.environ),
        pass_fds=[each.fileno() for _, each in held],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()
