"""Our reading of ``*.properties`` beside that of ``java.util.Properties``, which the middleware reads with.

Three differences are meant, and left out here:

* Valid UTF-8 is read as UTF-8: Java is told to do the same.
* A malformed ``\\u`` makes Java refuse the whole file: here it is told, and the other entries are read.
* A backslash alone, at the very end of a file, is an empty key to Java: here it is nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oxpushctl.config import properties_file
from tests.peers.java import JavaProperties

_PIECES = st.sampled_from(
    [
        *(
            b"=",
            b":",
            b" ",
            b"\t",
            b"\f",
            b"\n",
            b"\r",
            b"\r\n",
            b"#",
            b"!",
            b"\\",
            b"\\\\",
            b"\\\n",
            b"\\\r\n",
            b"\\\r",
        ),
        *(
            b"a",
            b"key",
            b"com.openexchange.pns.delayDuration",
            b"value",
            b"1000",
            b"\\t",
            b"\\n",
            b"\\=",
            b"\\ ",
            b"\\x",
        ),
        *(b"\\u", b"\\u00e4", b"\\u00E", b"\\uD83D", b"\\uDE00", b"\\u0020", b"\\u003d", b"\\uu0041", b"\\u 041"),
        *(b"\xe4", b"\xc3\xa4", b"\xf0\x9f\x98\x80", b"\xe2\x80\xa8", b"\xc2\x85", b"\xed\xa0\xbd", b"\xef\xbb\xbf"),
        *(b"\0", b"\x0b", b"\x1c", b"\x1b", b"\x7f", b"\xa0", b"\x85", b"# a comment\n", b"  continued \\\n   on\n"),
    ]
)
_CONTENT = st.one_of(st.lists(_PIECES, max_size=25).map(b"".join), st.binary(max_size=60))


@pytest.fixture(scope="module")
def java() -> Iterator[JavaProperties]:
    with JavaProperties() as running:
        yield running


def _text(data: bytes) -> tuple[bytes, bool]:
    """Return a file as it is handed to Java, and whether that is to read UTF-8."""
    if data.isascii():
        return data, False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data, False
    return data.removeprefix(b"\xef\xbb\xbf"), True


def _without_nothing(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [pair for pair in pairs if pair != ("", "")]


@settings(max_examples=1000, deadline=None, derandomize=True)
@example(b"\\\n# a comment\nkey=1")
@example(b"\\\n  \\\n\n  key=1")
@example(b"key=1 \\\n\nother=2")
@example(b"key=1\\")
@example(b"\\")
@given(_CONTENT)
def test_a_file_says_what_java_reads(java: JavaProperties, data: bytes) -> None:
    """Keys and values, their order and repetitions are those of Java, and what it refuses is an error here."""
    sent, is_utf8 = _text(data)
    expected = java.read(sent, is_utf8=is_utf8)
    entries, findings = properties_file.parse(data, "a.properties")
    pairs = [(entry.key, entry.text) for entry in entries]
    assert (expected is None) == any(found.code == "OXP002" for found in findings)
    assert expected is None or _without_nothing(pairs) == _without_nothing(expected)


def test_java_reads_what_the_comparison_is_about(java: JavaProperties) -> None:
    """The other side of the comparison is alive: it reads entries, and refuses what it must."""
    assert java.read(b"a=1\nb\\\n : \\u00e4\na=2 ") == [("a", "1"), ("b", "ä"), ("a", "2")]
    assert java.read(b"a=\\u00g0") is None
