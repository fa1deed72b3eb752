from __future__ import annotations

import javaproperties
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.config import properties_file
from oxpushctl.config.entry import Entry
from oxpushctl.config.settings import Origin


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


@given(st.dictionaries(st.text(min_size=1), st.text().map(str.strip)))
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
    ],
)
def test_values_are_decoded(data: bytes, text: str) -> None:
    """Files are read as ISO-8859-1 with escapes, and as UTF-8 where they are UTF-8."""
    assert (_one(data).key, _one(data).text) == ("k", text)


def test_entries_after_a_malformed_escape_are_read() -> None:
    """One bad line hides no other."""
    entries, findings = properties_file.parse(b"a=1\nb=\\uXYZW\\\n more\nc=3\n", "a.properties")
    assert [(entry.key, entry.origin) for entry in entries] == [
        ("a", Origin("a.properties", 1, 1)),
        ("c", Origin("a.properties", 4, 1)),
    ]
    assert [(found.code, found.line) for found in findings] == [("OXP002", 2)]
