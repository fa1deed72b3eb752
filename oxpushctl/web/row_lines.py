"""Reading an array of JSON objects as ``admin_reports`` writes it, a row a line, while it comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

import orjson

from oxpushctl.errors import BadData, NotReachable
from oxpushctl.web.kept_json import Object, decode, to_object

_LONGEST_LINE = 1024 * 1024


class BrokenOff(NotReachable):
    """The array ended before its end."""


async def rows_of(chunks: AsyncIterator[bytes]) -> AsyncGenerator[Object, None]:
    """Yield the rows; raise ``BadData`` for what is no such array, ``BrokenOff`` for one without its end."""
    rest, has_begun, has_ended = b"", False, False
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise BadData("a line without end")
        for line in lines:
            if has_ended:
                raise BadData("more behind the end")
            if not has_begun:
                if line != b"[":
                    raise BadData("not an array of rows")
                has_begun = True
            elif line == b"]":
                has_ended = True
            else:
                yield _row(line.removesuffix(b","))
    if not has_begun and rest not in (b"", b"["):
        raise BadData("not an array of rows")
    if not has_ended or rest:
        raise BrokenOff("the array has no end")


def _row(line: bytes) -> Object:
    try:
        return to_object(orjson.loads(line))
    except orjson.JSONDecodeError:
        return decode(line)  # which takes half characters, too
