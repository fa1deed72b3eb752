"""Logging: one line a record, a short event followed by key=value, secrets masked.

``_log = log.get(__name__)`` and ``_log.info("push delivered", client="…", status=200)``.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TextIO

_MASKED = frozenset({"token", "password", "passcrypt", "authorization", "secret"})
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.,:;/@+%()[]<>*#")
Field = str | int | float | bool | None


def mask(secret: str) -> str:
    """Shorten a secret so that two of them can be told apart in a log, but none be used."""
    return f"{secret[:6]}…" if len(secret) > 12 else "…"


def quote(value: Field) -> str:
    """Write a value so that a record stays one line and its fields can be split at blanks."""
    text = str(value)
    return text if text and _PLAIN.issuperset(text) else _visible(json.dumps(text, ensure_ascii=False))


def _visible(text: str) -> str:
    """Escape what a terminal would obey or not show: control characters, line separators, directions."""
    return text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


class Log:
    """A module's logger: an event and its fields."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    @property
    def is_debug(self) -> bool:
        """Whether debug records are written, so that costly fields need not be made."""
        return self._logger.isEnabledFor(logging.DEBUG)

    def debug(self, event: str, **fields: Field) -> None:
        """Record what only a developer wants."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Field) -> None:
        """Record what an operator likes to know."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Field) -> None:
        """Record what an operator should look at."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Field) -> None:
        """Record what an operator must act on."""
        self._write(logging.ERROR, event, fields)

    def _write(self, level: int, event: str, fields: dict[str, Field]) -> None:
        if self._logger.isEnabledFor(level):
            masked = {k: mask(str(v)) if k in _MASKED and v else v for k, v in fields.items() if v is not None}
            self._logger.log(level, "%s", event, extra={"fields": masked})


def get(name: str) -> Log:
    """Return the logger of a module."""
    return Log(logging.getLogger(name))


class _LineFormatter(logging.Formatter):
    """A record of ours or of a library as one line; a traceback only when tracebacks were asked for."""

    def __init__(self, *, as_json: bool, with_traceback: bool) -> None:
        super().__init__()
        self._as_json = as_json
        self._with_traceback = with_traceback

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Field] = dict(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[1] is not None:
            fields["exception"] = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        milliseconds = int(record.created * 1000) % 1000
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{milliseconds:03d}Z"
        level = record.levelname.lower()
        event = _visible(" ".join(record.getMessage().split()))
        if self._as_json:
            line = _visible(json.dumps({"time": at, "level": level, "event": event, **fields}, ensure_ascii=False))
        else:
            line = " ".join([at, level, event, *(f"{key}={quote(value)}" for key, value in fields.items())])
        if self._with_traceback and record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def configure(stream: TextIO, *, level: int, as_json: bool = False, with_traceback: bool = False) -> None:
    """Send all records of this process to a stream, in one of the two formats."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_LineFormatter(as_json=as_json, with_traceback=with_traceback))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("oxpushctl").setLevel(level)
