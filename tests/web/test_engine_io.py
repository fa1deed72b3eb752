"""Engine.IO and Socket.IO: what each text means in either revision."""

from __future__ import annotations

import json
import re

import pytest

from oxpushctl.web import engine_io
from oxpushctl.web.engine_io import Answer, Malformed, Step

_BOTH = pytest.mark.parametrize("revision", engine_io.REVISIONS)


@pytest.mark.parametrize(("revision", "further"), [(3, {}), (4, {"maxPayload": 65536})])
def test_opened(revision: int, further: dict[str, int]) -> None:
    """The first packet says how often who pings, and offers no other transport; no two have the same id."""
    text = engine_io.opened(revision)

    opened = json.loads(text.removeprefix("0"))
    assert re.fullmatch(r"[\w-]{20}", opened.pop("sid"))
    assert opened == {"upgrades": [], "pingInterval": 25000, "pingTimeout": 20000, **further}
    assert engine_io.opened(revision) != text


def test_joins() -> None:
    """A client of Engine.IO 4 joins, with or without words about itself, and is given an id."""
    for text in ("40", '40{"token":"x"}', "40/", "40/,{}"):
        answer = engine_io.answer(text, 4)

        assert answer.step is Step.JOINS
        assert re.fullmatch(r'40\{"sid":"[\w-]{20}"\}', answer.text)


@_BOTH
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", Answer("3")),
        ("2probe", Answer("3probe")),
        ("3", Answer()),
        ("5", Answer()),
        ("6", Answer()),
        ("1", Answer(step=Step.LEAVES)),
        ("41", Answer(step=Step.LEAVES)),
        ("41/,", Answer(step=Step.LEAVES)),
        ("41/other,", Answer()),
        ('42["hello",1]', Answer()),
        ('4217["hello"]', Answer("4317[]")),
        ('42/,17["hello"]', Answer("4317[]")),
        ('42/other,17["hello"]', Answer()),
        ("43[]", Answer()),
        ('44"no"', Answer()),
    ],
)
def test_answers(revision: int, text: str, expected: Answer) -> None:
    """Pings are answered, events accepted and acknowledged where that is asked for, and who leaves may go."""
    assert engine_io.answer(text, revision) == expected


def test_connect_packet_of_revision_3() -> None:
    """A client of Engine.IO 3 has joined anyway: what it says about that changes nothing."""
    assert [engine_io.answer(text, 3) for text in ("40", "40/?a=b")] == [Answer(), Answer()]


@pytest.mark.parametrize(
    ("revision", "text", "expected"),
    [
        (3, "40/other", '44/other,"Invalid namespace"'),
        (3, "40/other?a=b,", '44/other,"Invalid namespace"'),
        (4, "40/other,", '44/other,{"message":"Invalid namespace"}'),
    ],
)
def test_other_namespace(revision: int, text: str, expected: str) -> None:
    """There is one namespace; whoever joins another is told so in the words of its revision."""
    assert engine_io.answer(text, revision) == Answer(expected)


@_BOTH
@pytest.mark.parametrize(
    "text",
    ["", "0", "0{}", "2x", "2" + "x" * 100, "3x", "7", "9", "b4", "x", "4", "4x", "47", "451-[]", "461-[]", "session"],
)
def test_malformed(revision: int, text: str) -> None:
    """What is no packet for a server, or belongs to binary events, is refused, and not repeated in the reason."""
    with pytest.raises(Malformed) as refused:
        engine_io.answer(text, revision)

    assert len(str(refused.value)) < 100


def test_long_namespace() -> None:
    """The answer does not carry back whatever a client sends as a name."""
    with pytest.raises(Malformed):
        engine_io.answer("40/" + "n" * 200 + ",", 4)


def test_event() -> None:
    """The middleware's inner message becomes an event whose arguments are its own."""
    packet = engine_io.event('{"name":"ox:mail:new","args":[{"subject":"Grüße \\u2028"},2],"namespace":"/"}'.encode())

    assert packet == '42["ox:mail:new",{"subject":"Grüße \u2028"},2]'.encode()
