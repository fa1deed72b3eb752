"""Payloads that fit."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.errors import BadData
from oxpushctl.messages.truncate import cut, fit

_texts = st.text(st.characters(codec="utf-8") | st.sampled_from('"\\\n\x01日🎉\u200d'), max_size=300)


def _size(text: str) -> int:
    return len(orjson.dumps(text)) - 2


@given(_texts, st.integers(0, 400))
def test_cut(text: str, size: int) -> None:
    """A cut text is a beginning of whole characters with an ellipsis, within the size, and is not cut again."""
    short = cut(text, size)

    assert _size(short) <= size
    assert short in {text, ""} or (short.endswith("…") and text.startswith(short[:-1]))
    assert cut(short, size) == short


@given(_texts, st.integers(3, 400))
def test_cut_wastes_nothing(text: str, size: int) -> None:
    """One character more would not fit, blanks and joiners aside."""
    short = cut(text, size)
    if short != text:
        kept = short[:-1]
        following = text[len(kept) :].lstrip(" \u200d\ufe0f")[:1]
        blanks = len(text[len(kept) :]) - len(text[len(kept) :].lstrip(" \u200d\ufe0f"))
        assert blanks or _size(kept + following + "…") > size


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [
        ("Lunch?", 6, "Lunch?"),
        ("Lunch?", 5, "Lu…"),
        ("日本語", 9, "日本語"),
        ("日本語", 8, "日…"),
        ("🎉🎉", 8, "🎉🎉"),
        ("🎉🎉", 7, "🎉…"),
        ("👩\u200d👧\u200d👦", 17, "👩\u200d👧…"),
        ("a b", 4, "a b"),
        ("one two three", 7, "one…"),
        ('""""', 7, '""…'),
        ("abc", 2, ""),
        ("", 0, ""),
    ],
)
def test_cut_at_a_size(text: str, size: int, expected: str) -> None:
    """Bytes of JSON count, characters stay whole, nothing dangles before the ellipsis."""
    assert cut(text, size) == expected


@given(st.dictionaries(st.sampled_from("abcd"), _texts, min_size=1), st.integers(100, 800))
def test_fit(texts: dict[str, str], limit: int) -> None:
    """A document fits after it was cut, is JSON, keeps what may not be cut, and is left alone the second time."""
    document = {"keep": "x" * 20, "texts": texts}
    before = dict(texts)
    payload = fit(document, texts, list(texts), limit)

    assert len(payload) <= limit
    assert orjson.loads(payload) == {"keep": "x" * 20, "texts": texts}
    assert fit(document, texts, list(texts), limit) == payload
    if len(orjson.dumps({"keep": "x" * 20, "texts": before})) <= limit:
        assert texts == before


def test_longest_first() -> None:
    """The longest text gives way; a shorter one is untouched as long as that suffices."""
    texts = {"subject": "s" * 50, "teaser": "t" * 500}
    fit(texts, texts, ["subject", "teaser"], 300)

    assert texts["subject"] == "s" * 50
    assert texts["teaser"] == "t" * (300 - 50 - len('{"subject":"","teaser":""}') - len("…".encode())) + "…"


def test_equally_long() -> None:
    """Two texts that are both too long end at the same length."""
    texts = {"a": "x" * 900, "b": "y" * 500}
    fit(texts, texts, ["a", "b"], 300)

    assert len(texts["a"]) == len(texts["b"])


def test_nothing_left_to_cut() -> None:
    """What may not be cut and does not fit is bad data."""
    with pytest.raises(BadData, match="cannot be cut to 20"):
        fit({"keep": "x" * 20}, {}, [], 20)
