"""Header texts: what senders write and what people read."""

from __future__ import annotations

import email.header

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oxpushctl import header
from oxpushctl.model import Address

_DECODED = {
    "plain": ("Lunch?", "Lunch?"),
    "raw UTF-8": ("Café ☕ 日本 🚀", "Café ☕ 日本 🚀"),
    "Q": ("=?utf-8?Q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?=", "Grüße aus Köln"),
    "B": ("=?UTF-8?b?8J+OiQ==?=", "🎉"),
    "ISO-2022-JP": ("=?iso-2022-jp?B?GyRCMnE1RCRON28bKEI=?=", "会議の件"),
    "language": ("=?us-ascii*en?Q?Keith_Moore?=", "Keith Moore"),
    "Windows charset": ("=?windows-1252?Q?=80_5?=", "€ 5"),
    "Hebrew, logical order": ("=?iso-8859-8-i?B?+ezl7Q==?=", "שלום"),
    "gb2312 beyond its own table": ("=?gb2312?B?6Og=?=", "梃"),
    "adjacent words": ("=?utf-8?Q?a?= =?utf-8?Q?b?=\n\t=?latin1?Q?=E9?=", "abé"),
    "words with text between": ("a =?utf-8?Q?b?= c =?utf-8?Q?d?= e", "a b c d e"),
    "words within text": ("Re:=?utf-8?Q?_x?=!", "Re: x!"),
    "character split between words": ("=?utf-8?B?8J+O?= =?utf-8?B?iQ==?=", "🎉"),
    "padding missing": ("=?utf-8?B?w7w?=", "ü"),
    "question marks and blanks in a word": ("=?utf-8?Q?Really? =C3=BC??=", "Really? ü?"),
    "folded": ("one\r\n two\n\tthree", "one two three"),
    "folded in a word": ("=?utf-8?Q?a\n b?=", "a b"),
    "unknown charset": ("=?x-bogus?Q?a=FC?= b", "=?x-bogus?Q?a=FC?= b"),
    "codec that is no charset": ("=?hex?Q?6161?= =?zlib?B?eJw=?=", "=?hex?Q?6161?= =?zlib?B?eJw=?="),
    "octets that the charset does not have": ("=?utf-8?Q?=FF?= x", "=?utf-8?Q?=FF?= x"),
    "damaged beside good": ("=?utf-8?Q?=FF?= =?latin1?Q?=FC?=", "=?utf-8?Q?=FF?=ü"),
    "damaged beside good, same charset": ("=?utf-8?Q?=FF?= =?utf-8?Q?=C3=BC?=", "=?utf-8?Q?=FF?= ü"),
    "damaged base64": ("=?utf-8?B?Q?=", "=?utf-8?B?Q?="),
    "never closed": ("=?utf-8?Q?abc", "=?utf-8?Q?abc"),
    "control characters": ("a\x00b\x07\x1b[31mc\x7fd\x85e\u2028f", "a b [31mc d e f"),
    "control characters in a word": ("=?utf-8?Q?a=0D=0ABcc:_x=00?=", "a Bcc: x"),
    "text turned around": ("invoice\u202excod.exe", "invoice xcod.exe"),
    "lone surrogate": ("=?utf-7?Q?+2AA-?=", "\ufffd"),
    "emoji family": ("👩‍👩‍👧", "👩‍👩‍👧"),
    "blank": (" \r\n ", ""),
}


@pytest.mark.parametrize(("raw", "expected"), _DECODED.values(), ids=_DECODED.keys())
def test_decode(raw: str, expected: str) -> None:
    """A header is read as its sender meant it; what cannot be decoded stays as received."""
    assert header.decode(raw) == expected


_SENDERS = {
    "usual": ("Anna Smith <anna@example.com>", Address("Anna Smith", "anna@example.com")),
    "address alone": ("anna@example.com", Address("", "anna@example.com")),
    "address in brackets": ("<anna@example.com>", Address("", "anna@example.com")),
    "quoted": ('"Smith, Anna" <a@b.c>', Address("Smith, Anna", "a@b.c")),
    "quoted pairs": ('"O\\"Hara, \\\\Kim/" <kim@b.c>', Address('O"Hara, \\Kim/', "kim@b.c")),
    "name in words": ("=?utf-8?Q?Doe,_J=C3=BC?= <j@b.c>", Address("Doe, Jü", "j@b.c")),
    "name in quoted words": ('"=?utf-8?Q?J=C3=BC?=" <j@b.c>', Address("Jü", "j@b.c")),
    "comment for a name": ("a@b.c (Anna (the boss))", Address("Anna the boss", "a@b.c")),
    "comment beside a name": ("Anna (boss) <a@b.c>", Address("Anna", "a@b.c")),
    "unquoted comma": ("Smith, Anna <a@b.c>", Address("Smith, Anna", "a@b.c")),
    "several": ("a@b.c, Anna <d@e.f>", Address("", "a@b.c")),
    "several with names": ("Anna <a@b.c>, Bert <d@e.f>", Address("Anna", "a@b.c")),
    "group": ("staff: Anna <a@b.c>, d@e.f;", Address("Anna", "a@b.c")),
    "quoted local part": ('"a b"@c.d', Address("", '"a b"@c.d')),
    "address literal": ("Anna <a@[192.0.2.1]>", Address("Anna", "a@[192.0.2.1]")),
    "not ASCII": ("Zoë Ünal <zoë@exämple.com>", Address("Zoë Ünal", "zoë@exämple.com")),
    "folded": ("=?utf-8?Q?J=C3=BC?=\n <j@b.c>", Address("Jü", "j@b.c")),
    "bracket never closed": ("Anna <a@b.c", Address("Anna", "a@b.c")),
    "no address": ("=?utf-8?Q?J=C3=BC?=", Address("", "Jü")),
    "address within a word": ("=?utf-8?Q?J=C3=BC_<j@b.c>?=", Address("", "Jü <j@b.c>")),
    "words with an at": ("see you @ home", Address("", "see you @ home")),
    "empty group": ("undisclosed-recipients:;", Address("", "undisclosed-recipients:;")),
    "empty": ("", None),
    "blank": (" \n ", None),
    "nobody": ("<>", None),
}


@pytest.mark.parametrize(("raw", "expected"), _SENDERS.values(), ids=_SENDERS.keys())
def test_sender(raw: str, expected: Address | None) -> None:
    """The first mailbox of a From is found; what is none stands decoded in the place of the address."""
    assert header.sender(raw) == expected


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp", "Zs")), max_size=200))
@example("=?")
def test_encoded_by_the_standard_library(text: str) -> None:
    """What Python's email package encodes is read as it was, folded or not."""
    encoded = email.header.Header(text, "utf-8").encode()

    assert header.decode(encoded) == text


@given(st.text(max_size=300))
def test_any_text(raw: str) -> None:
    """Any text at all gives one line that can be sent on."""
    address = header.sender(raw)
    for text in [header.decode(raw), *([address.name, address.email] if address else [])]:
        text.encode()
        assert not any(ord(character) < 32 for character in text)


_PIECES = [
    "=?utf-8?q?",
    "=?",
    "?=",
    "?",
    "=C3",
    " ",
    "\n ",
    '"',
    "\\",
    "<",
    ">",
    "(",
    ")",
    ",",
    ";",
    ":",
    "@",
    "a",
    "ü",
    "\x00",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=40).map("".join))
def test_any_pieces_of_syntax(raw: str) -> None:
    """Syntax in any disorder gives a text, and decoding leaves nothing that is no character."""
    header.decode(raw).encode()
    header.sender(raw)


@pytest.mark.parametrize("piece", [*_PIECES, '"\\', "=?a?q?x", "=?a?q?x?= ", "\r", "a,", "(a"])
def test_length_is_bounded(piece: str) -> None:
    """Of a header of any length only the beginning is read."""
    page, book = (piece * 16_384)[:16_384], (piece * 1_000_000)[:1_000_000]

    assert len(header.decode(book)) <= len(page)
    assert header.sender(book) == header.sender(page)


def test_cut_between_words() -> None:
    """A header that is longer than what is read ends with a whole word."""
    assert header.decode("=?utf-8?Q?=C3=BC?= " * 2000) == "ü" * (16_384 // 19)
