"""Texts that others wrote, as they may be shown: files hold anything, a terminal obeys it, and a line has an end."""

from __future__ import annotations

import re

SET = "(set)"  # what is shown of a secret
_SHOWN = 60  # characters
_WITH_LOGIN_OR_QUERY = re.compile("//.*[@?]", re.DOTALL)


def is_text(text: str) -> bool:
    """Tell whether a text can be written at all: ``\\u`` in a file and odd names of files give lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    """Write control characters and lone surrogates as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def shortened(text: str, length: int = _SHOWN) -> str:
    """Return the beginning of a text that may be as long as a file."""
    return text if len(text) <= length else f"{text[:length]}…"


def is_quotable(text: str) -> bool:
    """Tell whether a text that is not what it should be may be shown: neither a login nor a query stands in it."""
    return "@" not in text and "?" not in text


def masked(text: str) -> str:
    """Return a value as it may be shown although it is no secret: all of a URL with a login or query is left out."""
    return SET if _WITH_LOGIN_OR_QUERY.search(text) else text


def first_sentence(text: str) -> str:
    """Return the first sentence, without its full stop."""
    return re.split(r"(?<=\.) (?=[A-Z0-9])", text, maxsplit=1)[0].removesuffix(".")
