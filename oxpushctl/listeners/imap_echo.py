"""Whether a mail server's words quote the password that it was sent; then they are not repeated.

A server's complaint goes into findings and logs. It may hold the line that it complains about, whole or cut off:
``LOGIN "name" "password"``, or what AUTHENTICATE PLAIN takes, base64 of ``authorization identity NUL name NUL
password`` (RFC 4616); and it may write that as its own language shows bytes, or as a URL or HTML does.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote

from oxpushctl.listeners.mail_server import LogIn

# So many letters and digits in a row are taken for a part of the password; fewer are in too many words.
_TELLING = 4
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{2,}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}[\s:]?)+")
_ESCAPED = re.compile(r"\\+(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|([0-7]{3}))")


def quotes(text: str, log_in: LogIn) -> bool:
    """Tell whether a text holds the password or a part of it, in any form; rather too often than too seldom."""
    password = log_in.password
    if not password:
        return False
    letters = _letters(password)
    parts = {letters[at : at + _TELLING] for at in range(len(letters) - _TELLING + 1)} or {letters}
    begin = f"\0{log_in.name}\0"  # and then, perhaps, less of the password than is told by itself
    line = re.compile(rf"LOGIN\W+{re.escape(log_in.name)}[\"'\\]", re.IGNORECASE)
    return any(
        password in form or begin in form or line.search(form) or any(part and part in squeezed for part in parts)
        for form in _forms(text)
        for squeezed in [_letters(form)]
    )


def quoted(text: str) -> str:
    """Write a string as IMAP quotes it (RFC 3501, 4.3)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _letters(text: str) -> str:
    """Leave letters and digits only: whatever quotes and escapes the others puts something between them."""
    return "".join(character for character in text.casefold() if character.isalnum())


def _forms(text: str) -> Iterator[str]:
    """Yield a text as it is, and as it is read by who knows how it was written."""
    yield text
    yield unquote(text)
    yield html.unescape(text)
    yield _unescaped(text)
    for run in _BASE64.findall(text):
        for start in range(4):  # a run that was cut off may begin anywhere
            part = run[start:].translate(str.maketrans("-_", "+/"))
            yield _text(base64.b64decode(part[: len(part) // 4 * 4]))
            yield _text(base64.b64decode(part + "=" * (-len(part) % 4))) if len(part) % 4 != 1 else ""
    for run in _HEX.findall(text):
        digits = re.sub(r"[\s:]", "", run)
        yield _text(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _unescaped(text: str) -> str:
    """Read the escapes of C, Python and JSON for bytes and characters."""
    characters = _ESCAPED.sub(lambda found: chr(int(found[1] or found[2] or "0", 16) or int(found[3] or "0", 8)), text)
    try:
        return characters.encode("latin-1").decode()  # the bytes of UTF-8, each shown for itself
    except UnicodeError:
        return characters


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
