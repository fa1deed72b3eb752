"""One request and its answer, whichever version of HTTP carries them."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import orjson
from cryptography import x509

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


class Ending(enum.Enum):
    """What happens to the connection with the answer."""

    KEPT = "kept"
    LAST = "last"  # the answer is sent, then the connection is closed in good order: GOAWAY
    HELD = "held"  # no answer, and the connection stays
    CUT = "cut"  # no answer, the connection is torn down


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent; header names are lower case, ``certificate`` is the client's, verified."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    certificate: x509.Certificate | None = field(default=None, repr=False)

    def header(self, name: str) -> str | None:
        """Return the first header of that name."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def bearer(self) -> str | None:
        """The token of an ``authorization: bearer …`` header; the scheme's case does not matter."""
        scheme, _, token = (self.header("authorization") or "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back; without an answer (``HELD``, ``CUT``) the status is 0."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    ending: Ending = Ending.KEPT


Handler = Callable[[Request], Awaitable[Answer]]


def parse_object(body: bytes) -> dict[str, Json] | None:
    """Read a JSON object; ``None`` for everything else."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
