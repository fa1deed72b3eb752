"""What doveadm answers, as it was captured, and what it might."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.errors import NotPermitted, OxpushctlError, TryLater, UnknownEntry, Unsupported
from oxpushctl.listeners.doveadm_answers import NO_ANSWER, Answer, Command, Done, Failed, answers_in, encoded

A, B, C = (Command("mailboxMetadataGet", {"user": name}) for name in ("anton", "berta", "cäsar"))
ASKED = {"a": A, "b": B, "c": C}
VALUE = Done([{"value": "user=3@1"}])
NONE = Done([{"value": ""}])


def test_request() -> None:
    """A request is a list of name, parameters and tag; what is not ASCII is escaped."""
    expected = (
        b'[["mailboxMetadataGet",{"user":"anton"},"a"],["mailboxMetadataGet",{"user":"berta"},"b"],'
        b'["mailboxMetadataGet",{"user":"c\\u00e4sar"},"c"]]'
    )
    assert encoded(ASKED) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('[["doveadmResponse",[{"value":"user=3@1"}],"a"]]', {"a": VALUE}),
        ('[["doveadmResponse",[],"a"]]', {"a": Done([])}),
        ('[["error",{"type":"exitCode", "exitCode":67},"b"]]', {"b": Failed("exitCode", 67, B)}),
        (
            # As it was captured: no comma before an error of these types.
            '[["doveadmResponse",[{"value":""}],"a"]["error",{"type":"unknownMethod", "exitCode":0},"b"],'
            '["doveadmResponse",[{"value":"user=3@1"}],"c"]]',
            {"a": NONE, "b": Failed("unknownMethod", 0, B), "c": VALUE},
        ),
        (
            '[["error",{"type":"unknownMethod", "exitCode":0},"a"]["error",{"type":"invalidRequest", "exitCode":0},"b"]'
            '["doveadmResponse",[{"value":""}],"c"]]',
            {"a": Failed("unknownMethod", 0, A), "b": Failed("invalidRequest", 0, B), "c": NONE},
        ),
        (
            '[["doveadmResponse",[{"value":""}],"c"],["doveadmResponse",[{"value":"user=3@1"}],"a"]]',
            {"a": VALUE, "c": NONE},
        ),
        ("[]", {}),
        ('[["doveadmResponse",[{"value":"a raw \t tab"}],"a"]]', {"a": Done([{"value": "a raw \t tab"}])}),
    ],
    ids=["value", "nothing", "error", "no comma", "no comma twice", "other order", "empty", "control character"],
)
def test_captured(body: str, expected: dict[str, Answer]) -> None:
    """Each answer is found by its tag, also where the whole is no JSON."""
    assert answers_in(body.encode(), ASKED) == expected


@pytest.mark.parametrize(
    "body",
    [
        '[["doveadmResponse",[{"value":"user=3@1"}],"z"]]',
        '[["doveadmResponse",[{"value":"user=3@1"}],"a"],["doveadmResponse",[{"value":"user=4@1"}],"a"]]',
        '[["doveadmResponse",[{"value":"user=3@1"}],["a"]]]',
        '[["doveadmResponse",[{"value":1}],"a"]]',
        '[["doveadmResponse",[["value"]],"a"]]',
        '[["doveadmResponse",{"value":"x"},"a"]]',
        '[["error",{"type":"exitCode"},"a"]]',
        '[["doveadmResponse",[{"value":"[\\"doveadmResponse\\",[],\\"a\\"]"}],"z"]]',
        '[["doveadmResponse",[{"value":"user=3@1"}',
        "[" * 100_000,
        "[[1" + "0" * 10_000 + "]]",
    ],
    ids=[
        "tag",
        "twice",
        "no tag",
        "number",
        "row",
        "no rows",
        "no code",
        "in a text",
        "cut off",
        "deep",
        "long number",
    ],
)
def test_not_attributed(body: str) -> None:
    """What nobody asked, or what may be anybody's, is nobody's answer."""
    assert answers_in(body.encode(), ASKED) == {}


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": 1}', b"null", b"\xff\xfe"])
def test_not_doveadm(body: bytes) -> None:
    """What is no list is nothing of doveadm's."""
    assert answers_in(body, ASKED) is None


def test_cut_off() -> None:
    """Where an answer ends early, what came before stands."""
    body = b'[["doveadmResponse",[{"value":"user=3@1"}],"a"],["doveadmResponse",[{"val'
    assert answers_in(body, ASKED) == {"a": VALUE}


@given(st.binary() | st.text(alphabet='[]{},:"ab\\ 1doveamRspn').map(str.encode))
def test_total(body: bytes) -> None:
    """Whatever comes, there is an answer and no exception."""
    found = answers_in(body, ASKED)
    assert found is None or found.keys() <= ASKED.keys()


@given(st.lists(st.dictionaries(st.text(), st.text())))
def test_any_rows(rows: list[dict[str, str]]) -> None:
    """Whatever texts a mail holds, they come through and are nobody else's answer."""
    body = json.dumps([["doveadmResponse", rows, "b"]]).encode()
    assert answers_in(body, ASKED) == {"b": Done(rows)}


@pytest.mark.parametrize(
    ("kind", "code", "error"),
    [
        ("exitCode", 64, Unsupported),
        ("exitCode", 65, Unsupported),
        ("exitCode", 67, UnknownEntry),
        ("exitCode", 68, UnknownEntry),
        ("exitCode", 75, TryLater),
        ("exitCode", 77, NotPermitted),
        ("exitCode", 1, TryLater),
        ("unknownMethod", 0, Unsupported),
        ("invalidRequest", 0, Unsupported),
        (NO_ANSWER, 0, TryLater),
    ],
)
def test_meaning(kind: str, code: int, error: type[OxpushctlError]) -> None:
    """Each failure is one of our errors and names the command; none repeats a parameter beside the user."""
    command = Command("mailboxMetadataSet", {"user": "anton", "value": "user=3@1/the-mac"})
    found = Failed(kind, code, command)
    assert type(found.error) is error
    assert "mailboxMetadataSet" in str(found.error)
    assert "the-mac" not in f"{found.error}{found!r}{command!r}"
