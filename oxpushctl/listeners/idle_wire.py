"""The server's responses during IDLE, taken from what has come so far: each whole, wherever a segment ended.

::

    * 3 EXISTS CRLF                          a line
    * 1 FETCH (X {5} CRLF 12345) CRLF        a line that goes on behind a literal of five octets

imaplib reads what the user asked for; nobody asks for these, and they are few and short.
Source: RFC 3501, 4.3 and 7; RFC 2177.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from oxpushctl.listeners.imap_wire import TooMuch

# Nothing that is said unasked is so long.
_LONGEST = 64 * 1024
_LITERAL_END = re.compile(rb"\{(\d{1,9})\+?\}\r?\n\Z")
# tag or * or +, then what the response is about, in one of two orders: "* OK …", "* 3 EXISTS"
_SHAPE = re.compile(rb"(\*|\+|[^\s*+]+)(?:[ \t]+(?:(\d+)[ \t]+)?([^\s]+))?(?:[ \t]+|\s*\Z)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Response:
    """One response: ``tag`` is ``*`` where it answers to nothing and ``+`` where the server waits for us.

    ``name`` in upper case: ``OK``, ``NO``, ``BAD``, ``BYE``, ``EXISTS`` …; ``text`` is what follows it.
    """

    tag: bytes
    name: bytes
    text: bytes


def taken(received: bytearray) -> Response | None:
    """Take the next response from the begin of what has come; ``None`` while it is not whole.

    Raise ``TooMuch`` for one that is longer than any that we know of, ``ValueError`` for what is no IMAP.
    """
    end = _end(received)
    if end is None:
        return None
    line = bytes(received[:end])
    del received[:end]
    shape = _SHAPE.match(line)
    if shape is None:
        raise ValueError("a line that is no IMAP")
    tag, _, name, text = shape.groups()
    return Response(tag, (name or b"").upper(), text.rstrip())


def _end(received: bytearray) -> int | None:
    """Return where the first response ends, behind its line end."""
    start = 0
    while True:
        end = received.find(b"\n", start, _LONGEST) + 1
        if not end:
            if len(received) >= _LONGEST:
                raise TooMuch(f"a response of more than {_LONGEST} bytes")
            return None
        literal = _LITERAL_END.search(received, start, end)
        if literal is None:
            return end
        start = end + int(literal[1])
        if start > _LONGEST:
            raise TooMuch(f"a response of {start} bytes is announced")
