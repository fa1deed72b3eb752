"""What a check of the configuration says: one finding is one line for a person, one object for a program."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from oxpushctl.config.settings import Origin


class Severity(enum.Enum):
    """How bad it is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Reach(enum.Enum):
    """What a finding puts out of service: everything, one client, or one user."""

    ENGINE = "engine"
    CLIENT = "client"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know about the configuration; ``file`` is relative to the etc folder, lines count from 1.

    ``client`` names the client that an error of reach CLIENT puts out of service, together with ``transport``.
    """

    severity: Severity
    reach: Reach
    code: str
    message: str
    hint: str = ""
    file: str = ""
    line: int | None = None
    column: int | None = None
    key: str = ""
    client: str = ""
    transport: str = ""

    def at(self, origin: Origin) -> Finding:
        """Return this finding with its place."""
        return replace(self, file=origin.file, line=origin.line, column=origin.column)
