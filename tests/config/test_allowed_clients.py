"""The allow list of clients: wildcards, case, and the list that is empty."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.config.allowed_clients import is_allowed
from oxpushctl.config.properties import ALLOWED_CLIENTS

_FACADE = "open-xchange-mobile-api-facade"
_TEXTS = st.text("abAB*?.+[\\\n", max_size=8)


@pytest.mark.parametrize(
    ("pattern", "client", "expected"),
    [
        pytest.param("USM-EAS", "USM-EAS", True, id="literal"),
        pytest.param("USM-EAS", "usm-eas", True, id="case of the client"),
        pytest.param("usm-eas*", "USM-EAS-2", True, id="case of the pattern"),
        pytest.param("USM-EAS", "USM-EAS-2", False, id="not a prefix"),
        pytest.param("USM-EAS", "my-USM-EAS", False, id="not an ending"),
        pytest.param(f"{_FACADE}*", _FACADE, True, id="a star stands for nothing too"),
        pytest.param(f"{_FACADE}*", f"{_FACADE}-brand1", True, id="a star at the end"),
        pytest.param("*-facade", _FACADE, True, id="a star at the beginning"),
        pytest.param("open*facade", _FACADE, True, id="a star in between"),
        pytest.param("open*api*facade", _FACADE, True, id="two stars in between"),
        pytest.param("open*facade*api", _FACADE, False, id="pieces in the wrong order"),
        pytest.param("ab*ba", "aba", False, id="beginning and end do not share characters"),
        pytest.param("*", "anything", True, id="a star alone"),
        pytest.param("*", "", True, id="a star alone, nothing"),
        pytest.param("abc?", "abcd", True, id="a question mark at the end, as 7.x"),
        pytest.param("abc?", "abc", False, id="a question mark stands for one character"),
        pytest.param("?bc", "abc", True, id="a question mark at the beginning"),
        pytest.param("a?c*", "abcdef", True, id="both"),
        pytest.param("a.c", "abc", False, id="a dot is a dot"),
        pytest.param("a+", "aa", False, id="a plus is a plus"),
        pytest.param("a[bc]", "ab", False, id="brackets are brackets"),
        pytest.param("a[bc]", "A[BC]", True, id="brackets, literally"),
        pytest.param("?", "İ", True, id="one character, whatever its lower case"),
        pytest.param("É", "é", False, id="case beyond ASCII counts, as with the middleware"),
    ],
)
def test_one_pattern(pattern: str, client: str, expected: bool) -> None:
    """A pattern is for whole ids; only * and ? are special in it."""
    assert expected == is_allowed(client, [pattern])


def test_empty_list() -> None:
    """Without patterns every client is allowed."""
    assert is_allowed("anything", ())


def test_several_patterns() -> None:
    """One that matches will do."""
    assert is_allowed(_FACADE, ("USM-EAS*", f"{_FACADE}*"))


def test_list_without_the_client() -> None:
    """None that matches refuses."""
    assert not is_allowed("open-xchange-appsuite", ALLOWED_CLIENTS.default)


def test_pattern_that_is_hard_on_a_matcher_that_backtracks() -> None:
    """Many stars do not cost more than their number."""
    assert not is_allowed("a" * 64, ["a*" * 32 + "b"])


@given(client=_TEXTS, pattern=_TEXTS)
def test_as_a_regular_expression(client: str, pattern: str) -> None:
    """The answer is that of the expression that the middleware builds, all special characters escaped."""
    expression = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    expected = re.fullmatch(expression, client, re.DOTALL | re.IGNORECASE | re.ASCII) is not None
    assert expected == is_allowed(client, [pattern])
