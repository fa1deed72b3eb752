from __future__ import annotations

import javaproperties
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.config import properties_file
from oxpushctl.config.entry import Entry
from oxpushctl.config.settings import Origin

_TRIMMED_BY_JAVA = "".join(map(chr, range(33)))


def _one(data: bytes) -> Entry:
    entries, _ = properties_file.parse(data, "a.properties")
    assert len(entries) == 1
    return entries[0]


@given(st.binary(max_size=400))
def test_any_bytes_end_in_entries_and_findings(data: bytes) -> None:
    """No content of a file raises, and every place lies within it."""
    entries, findings = properties_file.parse(data, "a.properties")
    count = len(data.splitlines()) + 1
    assert all(1 <= (entry.origin.line or 0) <= count for entry in entries)
    assert all(1 <= (found.line or 0) <= count for found in findings)


@given(st.dictionaries(st.text(min_size=1), st.text().map(lambda text: text.strip(_TRIMMED_BY_JAVA))))
def test_what_javaproperties_writes_is_read_back(values: dict[str, str]) -> None:
    """Escapes, separators and continued lines of the format are all understood."""
    data = javaproperties.dumps(values).encode("iso-8859-1")
    entries, findings = properties_file.parse(data, "a.properties")
    assert ({entry.key: entry.text for entry in entries}, findings) == (values, [])


@given(st.lists(st.sampled_from(["", "# x", "a=1", "  b : 2", "c = 1\\\n  2", "d=\\u00e4", "! y\\"])))
def test_each_entry_knows_its_line(pieces: list[str]) -> None:
    """Comments, blank and continued lines are counted like an editor counts them."""
    entries, _ = properties_file.parse("\n".join(pieces).encode(), "a.properties")
    line = 1
    expected = []
    for piece in pieces:
        if piece and piece[0] not in "#!":
            expected.append((line, 3 if piece.startswith(" ") else 1))
        line += piece.count("\n") + 1
    assert [(entry.origin.line, entry.origin.column) for entry in entries] == expected


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param("k=größe".encode("iso-8859-1"), "größe", id="latin-1"),
        pytest.param("k=größe".encode(), "größe", id="utf-8"),
        pytest.param(b"\xef\xbb\xbfk=1", "1", id="byte order mark"),
        pytest.param(b"k=gr\\u00f6\\u00dfe", "größe", id="escapes"),
        pytest.param(b"k=\\ud83d\\ude00", "😀", id="surrogate pair"),
        pytest.param(b"k = 1 \\\r\n   2  ", "1 2", id="continued"),
        pytest.param(b"k = 1 \\\r   # 2", "1 # 2", id="continued by what looks like a comment"),
        pytest.param(b"\\\n# no continuation\nk=1", "1", id="continuation of nothing"),
        pytest.param(b"k=C:\\\\", "C:\\", id="backslash at the end"),
        pytest.param(b"k=1\\", "1", id="continued by nothing"),
        pytest.param("k=\xa0größe\x85".encode(), "\xa0größe\x85", id="blanks that Java leaves alone"),
    ],
)
def test_values_are_decoded(data: bytes, text: str) -> None:
    """Files are read as ISO-8859-1 with escapes, and as UTF-8 where they are UTF-8."""
    assert (_one(data).key, _one(data).text) == ("k", text)


def test_lines_are_counted_past_continued_ones() -> None:
    """An entry stands where its key begins, whatever ends the lines and however many the one before has."""
    data = b"a = 1 \\\r\n  2 \\\r\n  3\r\n# x \\\n\rb=1\r  c \\\n\\\n= 2\n\\\n d=3"
    entries, _ = properties_file.parse(data, "a.properties")
    assert [(entry.key, entry.text, entry.origin.line, entry.origin.column) for entry in entries] == [
        ("a", "1 2 3", 1, 1),
        ("b", "1", 6, 1),
        ("c", "2", 7, 3),
        ("d", "3", 11, 2),
    ]


def test_entries_after_a_malformed_escape_are_read() -> None:
    """One bad line hides no other."""
    entries, findings = properties_file.parse(b"a=1\nb=\\uXYZW\\\n more\nc=3\n", "a.properties")
    assert [(entry.key, entry.origin) for entry in entries] == [
        ("a", Origin("a.properties", 1, 1)),
        ("c", Origin("a.properties", 4, 1)),
    ]
    assert [(found.code, found.line, found.key) for found in findings] == [("OXP002", 2, "b")]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param("# a\r\r\n# ä\nk=1\n".encode(), [("info", "OXP003", 3)], id="utf-8"),
        pytest.param("# a\n# ä\nk=1\n".encode("iso-8859-1"), [], id="latin-1"),
        pytest.param(b"\xef\xbb\xbf# a\nk=1\n", [("warning", "OXP003", 1)], id="byte order mark"),
        pytest.param(b"# a\nk=1\0\n", [("warning", "OXP008", 2)], id="NUL"),
        pytest.param("k=1\n".encode("utf-16"), [("warning", "OXP008", 1)], id="utf-16"),
    ],
)
def test_what_the_middleware_reads_otherwise_is_told(data: bytes, told: list[tuple[str, str, int]]) -> None:
    """Only ISO-8859-1 is the same to both; the line is that of the first character in question."""
    _, findings = properties_file.parse(data, "a.properties")
    assert [(found.severity.value, found.code, found.line) for found in findings] == told


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"a=1\\\n" + b"  and more\\\n" * 200_000, id="one entry of many lines"),
        pytest.param(b"a=" + b"\\\\" * 1_000_000, id="one line of backslashes"),
        pytest.param(b" " * 2_000_000 + b"a=1", id="one line of blanks"),
        pytest.param(b"a" * 2_000_000, id="one key without end"),
    ],
)
@pytest.mark.timeout(20)
def test_time_grows_no_faster_than_the_file(data: bytes) -> None:
    """No content keeps the parser busy: with time in the square of these sizes the test would run for minutes."""
    assert _one(data).key.startswith("a")
