"""What may be stored: checks that every store makes before it writes, with words for whoever gave the value."""

from __future__ import annotations

from oxpushctl.errors import BadData
from oxpushctl.model import KeptCredential, PushUser

_LARGEST_ID = 2**32 - 1
_LONGEST_LOGIN, _LONGEST_VALUE = 64, 512


def is_possible(user: PushUser) -> bool:
    """Tell whether a context and user id fit their columns."""
    return 1 <= user.context <= _LARGEST_ID and 1 <= user.user <= _LARGEST_ID


def check_user(user: PushUser) -> None:
    """Refuse a context or user id that no installation has."""
    for name, number in (("context", user.context), ("user", user.user)):
        if not 1 <= number <= _LARGEST_ID:
            raise BadData(f"{name} {number} is not a number from 1 to {_LARGEST_ID}")


def is_latin1(text: str) -> bool:
    """Tell whether a text consists of the characters that the middleware's older columns hold."""
    return max(text, default="") <= "\xff"


def check_text(name: str, text: str, longest: int, charset: str = "utf-8") -> None:
    """Refuse a text that is empty, longer than its column, not of its character set, or not printable.

    One that ends with a space too: MySQL compares texts as if spaces at their ends were not there.
    """
    if not text:
        raise BadData(f"{name} is empty")
    if len(text) > longest:
        raise BadData(f"{name} has {len(text)} characters, {longest} are possible")
    try:
        text.encode(charset)
    except UnicodeEncodeError as error:
        raise BadData(f"{name} has a character that cannot be stored (the {error.start + 1}th)") from None
    if not text.isprintable():
        raise BadData(f"{name} has a control character")
    if text.endswith(" "):
        raise BadData(f"{name} ends with a space")


def check_kept(kept: KeptCredential) -> None:
    """Refuse an encrypted password, or its user or login, that a database could not keep; others take no more."""
    check_user(kept.user)
    check_text("login", kept.login, _LONGEST_LOGIN)
    check_value(kept.value)


def check_value(value: str) -> None:
    """Refuse an encrypted password that its column could not keep."""
    check_text("encrypted password", value, _LONGEST_VALUE, "ascii")
