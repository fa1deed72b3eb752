"""Responses during IDLE, taken from bytes that come in any pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.listeners.idle_wire import Response, taken
from oxpushctl.listeners.imap_wire import TooMuch

# What a real Dovecot 2.3.19 said (imap-idle.txt), and what others may.
SAID = (
    b"+ idling\r\n"
    b"* 1 EXISTS\r\n* 1 RECENT\r\n"
    b"* OK Still here\r\n"
    b"* 2 FETCH (FLAGS (\\Recent $Important))\r\n"
    b"* OK [PERMANENTFLAGS (\\Answered \\*)] Flags permitted.\r\n"
    b"* 3 FETCH (X {12}\r\n* 9 EXISTS\r\n Y {3+}\r\nabc)\r\n"
    b"* BYE\r\n"
    b"X1 OK Idle completed (8.517 + 8.509 + 8.516 secs).\r\n"
)
MEANT = [
    Response(b"+", b"IDLING", b""),
    Response(b"*", b"EXISTS", b""),
    Response(b"*", b"RECENT", b""),
    Response(b"*", b"OK", b"Still here"),
    Response(b"*", b"FETCH", b"(FLAGS (\\Recent $Important))"),
    Response(b"*", b"OK", b"[PERMANENTFLAGS (\\Answered \\*)] Flags permitted."),
    Response(b"*", b"FETCH", b"(X {12}\r\n* 9 EXISTS\r\n Y {3+}\r\nabc)"),
    Response(b"*", b"BYE", b""),
    Response(b"X1", b"OK", b"Idle completed (8.517 + 8.509 + 8.516 secs)."),
]


def read(*pieces: bytes) -> list[Response]:
    """Take what is whole after each piece."""
    buffer, responses = bytearray(), []
    for piece in pieces:
        buffer += piece
        while (response := taken(buffer)) is not None:
            responses.append(response)
    assert not buffer
    return responses


@pytest.mark.parametrize("cut", range(len(SAID)))
def test_cut_anywhere(cut: int) -> None:
    """Wherever a segment ends, the same is read."""
    assert read(SAID[:cut], SAID[cut:]) == MEANT


@given(st.lists(st.integers(0, len(SAID))))
def test_cut_often(cuts: list[int]) -> None:
    """However many there are."""
    places = [0, *sorted(cuts), len(SAID)]
    assert read(*(SAID[a:b] for a, b in pairwise(places))) == MEANT


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (b"+\r\n", Response(b"+", b"", b"")),
        (b"+ \r\n", Response(b"+", b"", b"")),
        (b"* 12 exists\n", Response(b"*", b"EXISTS", b"")),
        (b"*\t12  EXISTS \r\n", Response(b"*", b"EXISTS", b"")),
        (b"* BYE \xff\xfe\r\n", Response(b"*", b"BYE", b"\xff\xfe")),
        (b"* OK {x}\r\n", Response(b"*", b"OK", b"{x}")),
    ],
)
def test_odd_lines(said: bytes, meant: Response) -> None:
    """Blanks, letters in lower case and bytes beyond ASCII are read as they are meant."""
    assert read(said) == [meant]


@pytest.mark.parametrize(
    "said", [b"x" * 70_000, b"* 1 FETCH (X {70000}\r\n", b"* X {999999999}\r\n", b"* X {60000}\r\n" + b"y" * 70_000]
)
def test_too_much(said: bytes) -> None:
    """What no server says unasked is not waited for."""
    with pytest.raises(TooMuch):
        taken(bytearray(said))


@given(st.binary(max_size=200))
def test_garbage(said: bytes) -> None:
    """Of anything else each line is taken or refused, and nothing is taken twice."""
    buffer = bytearray(said)
    while buffer:
        before = len(buffer)
        try:
            if taken(buffer) is None:
                break
        except ValueError:
            pass
        assert len(buffer) < before or buffer.find(b"\n") < 0 or b"{" in buffer
