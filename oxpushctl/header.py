"""Header texts as people read them: unfolded, RFC 2047 words decoded, nothing in them that could do harm.

Pure and total: whatever a sender wrote gives a text, never an exception, in time linear to its length. That is why
the standard library's ``email`` package is not used: its ``make_header`` raises on an unknown charset and has every
such name remembered for ever, and its address parser recurses on nested comments.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from encodings.aliases import aliases

from oxpushctl.model import Address

# More than any device shows: a payload holds 4096 bytes.
_LIMIT = 16_384

_FOLD = re.compile(r"\r?\n[ \t]+")
# C0, DEL and C1 controls, line and paragraph separators, and the bidi marks that turn the text behind them around.
_HARMFUL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")

# =?charset*language?encoding?text?=, RFC 2047 section 2 and RFC 2231 section 5; blanks and "?" in the text are common.
_WORD = re.compile(r"=\?([^?*\s]{1,64})(?:\*[^?\s]{0,64})?\?([BbQq])\?(.*?)\?=", re.DOTALL)

# The charsets that may be tried: text only, and none of those that take quadratic time, warn or invent surrogates.
_UNFIT = {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"}
_UNFIT |= {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"}
_CHARSETS = {
    **{name: codec for name, codec in aliases.items() if codec not in _UNFIT},
    **{codec: codec for codec in aliases.values() if codec not in _UNFIT},
    **{codec: codec for codec in ("cp720", "cp737", "cp856", "cp874", "cp1006", "koi8_t", "koi8_u")},
    "gb2312": "gb18030",  # what is called so is often its superset
    "iso_8859_6_i": "iso8859_6",
    "iso_8859_8_i": "iso8859_8",
    "windows_874": "cp874",
    "x_gbk": "gbk",
    "x_sjis": "cp932",
}

# Name <local@domain>, the name quoted or not, without anything that needs a closer look.
_USUAL_FROM = re.compile(r'(?:"([^"\\]*)"|([^"\\<>()\[\],:;@]*))[ \t]*<([^<>()\[\],:;\\"@\s]+@[^<>()\[\],:;\\"@\s]+)>')
# One piece of an address list, RFC 5322 section 3.4. What is opened and never closed reaches to the end.
_PIECE = re.compile(
    r"""=\?[^?\s]{1,130}\?[BbQq]\?[^?]*+\?=   # an encoded word, with whatever it holds
      | "(?:[^"\\]|\\.)*+"?                   # a quoted string
      | <[^<>]*+>?                            # an address
      | [(),:;]
      | [^"<(),:;=]++
      | .""",
    re.VERBOSE | re.DOTALL,
)


def clean(text: str) -> str:
    """Return a text on one line: every run of control characters one blank, lone surrogates U+FFFD, ends stripped."""
    if not text.isprintable():
        text = _SURROGATE.sub("\ufffd", _HARMFUL.sub(" ", _FOLD.sub(" ", text)))
    return text.strip()


def decode(raw: str) -> str:
    """Return a raw header value as text; a word of unknown charset or damaged content stays as received."""
    text = raw if len(raw) <= _LIMIT else _whole_words(raw[:_LIMIT])
    if "=?" in text:
        text = "".join(_decoded(_FOLD.sub(" ", text)))
    return clean(text)


def sender(raw: str) -> Address | None:
    """Return the first mailbox of a raw From value; what cannot be parsed is decoded and stands as the address.

    ``None`` when there is nothing to show.
    """
    text = _FOLD.sub(" ", raw[:_LIMIT]).strip()
    usual = _USUAL_FROM.fullmatch(text)
    if usual is not None:
        return Address(name=decode(usual[1] or usual[2] or ""), email=clean(usual[3]))
    address = _first_mailbox(_PIECE.findall(text))
    if address is None and text.strip("<> "):
        address = Address(name="", email=decode(text))
    return address if address and address.email else None


def _whole_words(text: str) -> str:
    """Drop an encoded word that was cut in two at the end of a text."""
    start = text.rfind("=?")
    return text if start < 0 or _WORD.match(text, start) else text[:start]


@dataclass(slots=True)
class _Run:
    """Encoded words of one charset with nothing but blanks between them: they decode as one.

    Mailers split characters between words although RFC 2047 section 5 forbids it.
    """

    codec: str
    octets: list[bytes]
    words: list[str]

    def text(self) -> str:
        """Return the decoded text; of damaged words what was received."""
        whole = _text(b"".join(self.octets), self.codec)
        if whole is not None:
            return whole
        pieces = [_text(octets, self.codec) for octets in self.octets]
        return " ".join(word if piece is None else piece for piece, word in zip(pieces, self.words, strict=True))


def _decoded(text: str) -> Iterator[str]:
    """Yield the pieces of a text: what stands between the words as it is, the words decoded."""
    run: _Run | None = None
    end = 0
    # Nothing behind the last "?=" can be a word: without that bound, unclosed words would take quadratic time.
    for match in _WORD.finditer(text, 0, text.rfind("?=") + 2):
        codec, octets = _CHARSETS.get(match[1].lower().replace("-", "_")), _octets(match[2], match[3])
        if codec is None or octets is None:
            continue
        gap = text[end : match.start()]
        if run is not None and run.codec == codec and not gap.strip(" \t"):
            run.octets.append(octets)
            run.words.append(match[0])
        else:
            if run is not None:
                yield run.text()
                gap = gap if gap.strip(" \t") else ""
            yield gap
            run = _Run(codec, [octets], [match[0]])
        end = match.end()
    if run is not None:
        yield run.text()
    yield text[end:]


def _text(octets: bytes, codec: str) -> str | None:
    try:
        return octets.decode(codec)
    except (UnicodeError, LookupError):  # damaged, or a codec that this Python was built without
        return None


def _octets(encoding: str, content: str) -> bytes | None:
    """Undo B or Q; ``None`` when the content is damaged."""
    data = content.encode("utf-8", "surrogatepass")
    if encoding in "Qq":
        return binascii.a2b_qp(data, header=True)
    try:
        return binascii.a2b_base64(data + b"===")  # the padding is often missing
    except binascii.Error:
        return None


def _first_mailbox(pieces: Iterable[str]) -> Address | None:
    """Put the pieces of an address list together up to the end of its first mailbox."""
    words: list[str] = []
    comment: list[str] = []
    depth = 0
    has_at = False
    for piece in pieces:
        if piece == "(":
            depth += 1
        elif piece == ")" and depth:
            depth -= 1
        elif depth:
            comment.append(piece)
        elif piece[0] == "<":
            return Address(name=_name(words) or _name(comment), email=clean(piece.strip("<> ")))
        elif piece == ":" and not has_at:
            words.clear()  # the name of a group, its members follow
        elif piece in ",;" and has_at:
            break
        else:
            words.append(piece)
            has_at = has_at or "@" in piece
    email = "".join(words).strip()
    return Address(name=_name(comment), email=clean(email)) if _is_address(email) else None


def _is_address(text: str) -> bool:
    """Tell whether a text without angle brackets can be an address rather than words that hold an @."""
    return "@" in text and "=?" not in text and (text[0] == '"' or not re.search(r"\s", text))


def _name(words: Iterable[str]) -> str:
    """Return the text of a display name or comment: quotes undone, encoded words decoded."""
    return decode("".join(re.sub(r"\\(.)", r"\1", word.strip('"')) if word[0] == '"' else word for word in words))
