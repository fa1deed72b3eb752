from __future__ import annotations

import pytest
from rich.console import Console

from oxpushctl.cli.output import Row, drawn

_SUBSCRIPTION: Row = {
    "context": 1,
    "user": 3,
    "client": "open-xchange-mobile-api-facade",
    "transport": "apns_http2",
    "token": "0123456789abcdef" * 4,
    "topics": ["ox:mail:new", "ox:calendar:new"],
    "expires": "2030-12-31T18:00:00Z",
}
_USER: Row = {"context": 1, "user": 3, "login": "alice", "mail": "alice.liddell@" + "example." * 6 + "org", "alias": ()}


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("row", [_SUBSCRIPTION, _USER], ids=["subscription", "user"])
def test_a_narrow_terminal(row: Row, width: int) -> None:
    """No heading and no short cell is broken, and what is long is folded, not cut."""
    console = Console(width=width)
    with console.capture() as captured:
        console.print(drawn(tuple(row), [row], width))
    text = captured.get()

    words = text.split()
    topics = ["ox:mail:new", "ox:calendar:new", "2030-12-31T18:00:00Z"] if "topics" in row else ["alice"]
    assert [word for word in (*row, *topics) if word not in words] == []
    assert max(map(len, text.splitlines())) <= width
    long = str(row.get("token") or row["mail"])
    assert long in "".join(word for word in words if word in long)
