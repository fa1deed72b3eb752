"""What was said before the command's name: where the configuration is, and how to talk."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oxpushctl import log

if TYPE_CHECKING:
    from oxpushctl.config.configuration import Configuration

DEFAULT_ETC = Path("/opt/open-xchange/etc")
# Whoever reads a file says why it cannot be read, with exit code 66; click would call that a mistake of usage.
PATH = click.Path(readable=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Invocation:
    """The options of ``oxpushctl`` itself; commands take it as click's context object."""

    etc: Path
    overrides: tuple[str, ...]
    verbosity: int
    is_json_log: bool
    is_debug: bool

    def configuration(self, etc: Path | None = None) -> Configuration:
        """Read the configuration, of another folder where a command brings its own."""
        from oxpushctl.config import reading  # noqa: PLC0415  # --version and --help do without

        return reading.read(etc or self.etc, environ=os.environ, overrides=self.overrides)

    def start_logging(self) -> None:
        """Send log records to stderr, in the form and from the level that were asked for."""
        level = logging.WARNING if self.verbosity < 0 else logging.DEBUG if self.verbosity > 0 else logging.INFO
        log.configure(sys.stderr, level=level, as_json=self.is_json_log, with_traceback=self.is_debug)

    def start_quiet_logging(self) -> None:
        """Do so for a command that says itself what it does: warnings only, more with -v."""
        replace(self, verbosity=self.verbosity - 1).start_logging()
