"""What went wrong, as the middleware says it: an error object with a code, under HTTP status 200.

::

    {"error":"One or more specified topics are invalid.","error_params":["ox mail"],"error_id":"-1804289383-7",
     "code":"PNS-0007","categories":"USER_INPUT","category":1,"error_desc":"not a topic …"}

The id stands in our log as well.
"""

from __future__ import annotations

import enum
import itertools
import random
from collections.abc import Sequence

import orjson
from aiohttp import web

from oxpushctl import log
from oxpushctl.web.answer import json_answer

_log = log.get(__name__)

_node = random.SystemRandom().getrandbits(31)  # tells the ids of two runs apart
_numbers = itertools.count(1)


class Category(enum.Enum):
    """What kind of failure it is, with the middleware's number."""

    USER_INPUT = 1
    CONFIGURATION = 2
    PERMISSION_DENIED = 3
    TRY_AGAIN = 4
    ERROR = 8


def answer(
    code: str,
    text: str,
    category: Category,
    *,
    params: Sequence[object] = (),
    desc: str | None = None,
    reason: str | None = None,
) -> web.Response:
    """Return the error object of a code, and record it.

    ``text`` is for people, ``desc`` for developers of apps (``text`` if there is none), ``params`` are texts and
    numbers that the text is about; ``reason`` is for our log only.
    """
    error_id = f"-{_node}-{next(_numbers)}"
    _log.info("request refused", code=code, id=error_id, reason=reason)
    return json_answer(
        orjson.dumps(
            {
                "error": _sayable(text),
                "error_params": [_sayable(each) if isinstance(each, str) else each for each in params],
                "error_id": error_id,
                "code": code,
                "categories": category.name,
                "category": category.value,
                "error_desc": _sayable(text if desc is None else desc),
            }
        )
    )


def _sayable(text: str) -> str:
    """Return a text that UTF-8 can say: a query may hold half a character."""
    return text.encode(errors="replace").decode()
