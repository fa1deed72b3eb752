"""What is written is read as what it was."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.config import properties_file, writing
from oxpushctl.config.property import DURATION, NETWORKS, PATTERNS, Property
from oxpushctl.config.table import TABLE

_TEXTS = st.text(max_size=20)  # which leaves lone surrogates out
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@given(_TEXTS.filter(bool), _TEXTS.map("<{}>".format))
def test_any_key_and_text(key: str, text: str) -> None:
    """A line of a file holds any key and any text, in ASCII, whatever characters have a meaning there."""
    line = writing.assignment(key, text)

    [entry], findings = properties_file.parse(f"{line}\n".encode("ascii"), "a.properties")

    assert (entry.key, entry.text, findings) == (key, text, [])


def test_a_value_is_not_escaped_without_need() -> None:
    """Addresses and lists stay readable; a topic's colons have to be escaped in a key."""
    line = writing.assignment("enabled.app.ox:mail:new", "imaps://mail.example.com:993, #1 = 2!")

    assert line == "enabled.app.ox\\:mail\\:new=imaps://mail.example.com:993, #1 = 2!"


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.key)
def test_default_of_every_row(row: Property[object]) -> None:
    """A default that is written out is read as that default."""
    text = writing.value(row, row.default)

    assert row.default is None or row.kind.parse(text) == row.default


@given(st.integers(0, 10**9), st.sampled_from(list(_UNIT_MS)))
def test_any_duration(number: int, unit: str) -> None:
    """A duration keeps its length; its unit is the largest that fits."""
    parsed = DURATION.parse(f"{number}{unit}")

    written = writing.duration(parsed)

    assert DURATION.parse(written) == parsed
    larger = [size for other, size in _UNIT_MS.items() if size > _UNIT_MS[written.lstrip("0123456789")]]
    assert number == 0 or all(number * _UNIT_MS[unit] % size for size in larger)


@given(st.lists(st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(v=6)))
def test_any_networks(addresses: list[IPv4Address | IPv6Address]) -> None:
    """An address is the network of itself alone."""
    row = Property("key", NETWORKS, (), "a.properties", "Networks.")
    networks = tuple(ip_network(address) for address in addresses)

    text = writing.value(row, networks)

    assert NETWORKS.parse(text) == networks


@given(st.lists(st.from_regex(r"[a-z*?.-]{1,9}", fullmatch=True)))
def test_any_patterns(patterns: list[str]) -> None:
    """Patterns are written between quotes, as the middleware's own file has them."""
    row = Property("key", PATTERNS, (), "a.properties", "Patterns.")

    text = writing.value(row, tuple(patterns))

    assert PATTERNS.parse(text) == tuple(patterns)
    assert text.count('"') == 2 * len(patterns)
