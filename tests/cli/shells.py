"""bash, zsh and fish as somebody has them on a terminal, with the checked-in script of each."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.house.tree import ROOT

_SCRIPTS = ROOT / "completions"
_TIMEOUT_S = 20.0
_WIDE = (50, 4000)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")


class Shell(ABC):
    """A shell that completes; ``folder`` is where it runs, with nothing of the user's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environ = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
        }

    @abstractmethod
    def candidates(self, line: str) -> list[str]:
        """Return what is offered at the end of a line, as words that would stand there."""


class Terminal(Shell):
    """A shell that is typed to: it prints ``<<`` line ``>>`` at Ctrl-X L, and completes to all at Ctrl-X A."""

    command: tuple[str, ...]
    setup: tuple[str, ...]

    def __enter__(self) -> Self:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, _WIDE)
        self._process = subprocess.Popen(
            self.command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=self._folder,
            env=self._environ,
            start_new_session=True,
        )
        os.close(slave)
        for line in self.setup:
            self._type(f"{line}\r")
        self._type("echo READ''Y\r")
        self._read_until("READY")
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def completed(self, line: str) -> str:
        """Return the line after one press of the tabulator, blanks at its end included."""
        return self._typed(f"{line}\t")

    def candidates(self, line: str) -> list[str]:
        return self._typed(f"{line}\x18a")[len(line.rpartition(" ")[0]) :].split()

    def _typed(self, keys: str) -> str:
        self._type(f"\x15{keys}\x18l")
        return self._read_until(r"<<(.*)>>")

    def _type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def _read_until(self, pattern: str) -> str:
        """Return what a pattern's last group matches in what is printed from now on."""
        seen = ""
        deadline = time.monotonic() + _TIMEOUT_S
        while not (match := re.search(pattern, seen)):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._master], [], [], left)[0]:
                raise AssertionError(f"{pattern} does not appear, but {seen!r}")
            seen += os.read(self._master, 65536).decode()
        return match[match.lastindex or 0]


class Bash(Terminal):
    command = ("bash", "--norc", "--noprofile", "-i")
    setup = (
        "bind 'set enable-bracketed-paste off'",
        "bind 'set bell-style none'",
        r"""bind -x '"\C-xl": printf "\n<<%s>>\n" "$READLINE_LINE"'""",
        r"""bind '"\C-xa": insert-completions'""",
        f"source '{_SCRIPTS / 'oxpushctl.bash'}'",
    )


class Zsh(Terminal):
    command = ("zsh", "-f", "-i")
    setup = (
        "unsetopt beep zle_bracketed_paste prompt_sp; setopt no_list_beep; PS1=",
        f"fpath=('{_SCRIPTS}' $fpath); autoload -Uz compinit; compinit -u -D",
        "line() { print -r -- $'\\n''<<'\"$BUFFER\"'>>' }; zle -N line; bindkey '^Xl' line",
        "every() { _main_complete; compstate[insert]=all }; zle -C every complete-word every; bindkey '^Xa' every",
    )

    def listing(self, line: str) -> str:
        """Return what the terminal shows at Ctrl-D: the line, and what may follow, with its help."""
        self._type(f"\x15{line}\x04\x18l")
        return _CONTROL.sub("", self._read_until(r"(?s)(.*)<<"))


class Fish(Shell):
    """fish without a terminal: it tells what it would offer."""

    def candidates(self, line: str) -> list[str]:
        script = f"source '{_SCRIPTS / 'oxpushctl.fish'}'; complete -C {_quoted(line)}"
        shown = subprocess.run(
            ["fish", "--no-config", "-c", script],
            capture_output=True,
            text=True,
            check=True,
            cwd=self._folder,
            env=self._environ,
        )
        assert shown.stderr == ""
        return [answer.partition("\t")[0] for answer in shown.stdout.splitlines()]


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
