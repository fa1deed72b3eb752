"""The command line over an etc folder and a state folder of its own: in this process, or as a real one."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from oxpushctl.cli.main import oxpushctl
from oxpushctl.errors import OxpushctlError

_WITHOUT_PRIVILEGES = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


class Command:
    """``oxpushctl`` of one installation below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.etc = folder / "etc"
        self.state = folder / "state"
        self.etc.mkdir()

    def __call__(self, *arguments: str, stdin: str = "") -> Ended:
        """Run it in this process: fast, an error of ours told as `main` does."""
        result = CliRunner().invoke(
            oxpushctl, ["--etc", str(self.etc), *arguments], input=stdin, env={"STATE_DIRECTORY": str(self.state)}
        )
        if isinstance(result.exception, OxpushctlError):
            return Ended(result.exception.exit_code, result.stdout, f"{result.stderr}oxpushctl: {result.exception}\n")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    def process(self, *arguments: str, stdin: str = "", is_held_back: bool = False) -> Ended:
        """Run the installed program; ``is_held_back`` by permissions, as everybody but root is anyway."""
        program = Path(sys.executable).with_name("oxpushctl")
        before = _WITHOUT_PRIVILEGES if is_held_back and os.geteuid() == 0 else ()
        done = subprocess.run(
            [*before, program, "--etc", self.etc, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "STATE_DIRECTORY": str(self.state)},
        )
        return Ended(done.returncode, done.stdout, done.stderr)
