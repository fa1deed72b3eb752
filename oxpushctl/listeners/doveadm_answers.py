"""What doveadm's HTTP API is asked and what it answers, as text: pure.

::

    [["mailboxStatus", {"user": "anton", "mailboxMask": ["INBOX"], "field": ["uidnext"]}, "7"], …]
    [["doveadmResponse", [{"mailbox": "INBOX", "uidnext": "5"}], "7"], …]
    [["error", {"type": "exitCode", "exitCode": 67}, "8"]["error", {"type": "unknownMethod", "exitCode": 0}, "9"]]

Answers are found by our tag, the last of three. Before the error of a command that Dovecot does not know, or of a
parameter, the comma is missing, so that the whole is no JSON: the answers are, one by one.
Source: Dovecot 2.3.19, and what it was seen to answer. Exit codes are those of sysexits(3), 68 is "not found".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from oxpushctl.config.listening import DOVEADM_PROXY_DELIMITER
from oxpushctl.config.properties import LOGIN_SOURCE
from oxpushctl.errors import NotPermitted, OxpushctlError, TryLater, UnknownEntry, Unsupported

# What we call a command that is left without an answer: the connection ends, or what comes cannot be read.
NO_ANSWER = "noAnswer"
# And one that no end-point could be asked.
NOT_ASKED = "notAsked"

_EXIT_CODE = "exitCode"
_NOT_KNOWN = frozenset({"unknownMethod", "invalidRequest"})
_CANNOT = "cannot do it (mailbox attributes, for one, need its mail_attribute_dict; its log says why)"
_EXIT_CODES: Mapping[int, tuple[type[OxpushctlError], str]] = {
    64: (Unsupported, _CANNOT),
    65: (Unsupported, _CANNOT),
    67: (
        UnknownEntry,
        f"knows no such user ({LOGIN_SOURCE.key} and {DOVEADM_PROXY_DELIMITER.key} say how it is named)",
    ),
    68: (UnknownEntry, "has no such mailbox"),
    75: (TryLater, "could not do it now (its log says why)"),
    77: (NotPermitted, "does not permit it (its log says why)"),
}
_BLANK = re.compile(r"[ \t\r\n]*")
_COMMA = re.compile(r"[ \t\r\n,]*")
# Raw control characters in a text are no JSON, and do no harm here.
_decoder = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True)
class Command:
    """A command as ``GET /doveadm/v1`` lists it; it is repeated where no answer came, and must bear that.

    A value of a registration may be among the parameters.
    """

    name: str
    parameters: Mapping[str, object]

    def __repr__(self) -> str:
        return f"Command({self.name!r}, user={self.user!r})"

    @property
    def user(self) -> str:
        """Whose mailbox it is about."""
        return str(self.parameters.get("user", ""))


@dataclass(frozen=True, slots=True)
class Done:
    """A command went well; ``rows`` are what it printed."""

    rows: Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Failed:
    """A command did not go well: Dovecot's ``type`` and exit code, or one of the types above.

    ``trouble`` is why it could not be asked.
    """

    type: str
    exit_code: int
    command: Command
    trouble: OxpushctlError | None = None

    @property
    def error(self) -> OxpushctlError:
        """Say what that means."""
        if self.trouble is not None:
            return self.trouble
        what = f"{self.command.name} for {self.command.user!r}"
        if self.type in _NOT_KNOWN:
            return Unsupported(f"Dovecot does not know doveadm's {self.command.name}: this needs Dovecot 2.3")
        if self.type != _EXIT_CODE:
            return TryLater(f"doveadm gives no answer to {what} (Dovecot's log says why)")
        kind, words = _EXIT_CODES.get(self.exit_code, (TryLater, f"could not do it now: exit code {self.exit_code}"))
        return kind(f"Dovecot {words}: {what}")


Answer = Done | Failed


def encoded(commands: Mapping[str, Command]) -> bytes:
    """Return a request of tagged commands; what is not ASCII is escaped, so that any text can be sent."""
    request = [[command.name, command.parameters, tag] for tag, command in commands.items()]
    return json.dumps(request, separators=(",", ":")).encode("ascii")


def answers_in(body: bytes, commands: Mapping[str, Command]) -> Mapping[str, Answer] | None:
    """Return the answers in a body, by their tags; ``None`` for a body that is none of doveadm's.

    A tag that nobody sent is passed over, and one that comes twice has no answer. Where the body becomes unreadable,
    what came before stands.
    """
    text = body.decode("utf-8", "replace")
    found: dict[str, Answer] = {}
    doubles: set[str] = set()
    at = _BLANK.match(text).end()  # type: ignore[union-attr]  # it matches anywhere
    if not text.startswith("[", at):
        return None
    for item in _items(text, at + 1):
        tag, answer = _read(item, commands)
        if answer is None:
            continue
        if tag in found:
            doubles.add(tag)
        found[tag] = answer
    return {tag: answer for tag, answer in found.items() if tag not in doubles}


def _items(text: str, at: int) -> Iterator[object]:
    """Yield the values of a list that begins before a place, with or without commas, up to what cannot be read."""
    while True:
        at = _COMMA.match(text, at).end()  # type: ignore[union-attr]  # it matches anywhere
        if not text.startswith("[", at):
            return  # the end, or nothing that has a tag
        try:
            item, at = _decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield item


def _read(item: object, commands: Mapping[str, Command]) -> tuple[str, Answer | None]:
    match item:
        case ["doveadmResponse", [*rows], str(tag)] if tag in commands:
            read = [_row(row) for row in rows]
            whole = [row for row in read if row is not None]
            return tag, Done(whole) if len(whole) == len(rows) else None
        case ["error", {"type": str(kind), "exitCode": int(code)}, str(tag)] if tag in commands:
            return tag, Failed(kind, code, commands[tag])
        case _:
            return "", None


def _row(row: object) -> Mapping[str, str] | None:
    """Return a row of texts, ``None`` for anything else."""
    if not isinstance(row, dict):
        return None
    texts = {key: value for key, value in row.items() if isinstance(value, str)}
    return texts if len(texts) == len(row) else None
