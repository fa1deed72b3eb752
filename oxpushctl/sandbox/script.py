"""Answers on order: what goes wrong with which token, how many pushes fail, how long an answer takes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from oxpushctl.errors import BadData
from oxpushctl.sandbox.exchange import Ending

STATUSES = (400, 403, 404, 410, 413, 429, 500, 503)
_ENDINGS = {"goaway": Ending.LAST, "hang": Ending.HELD, "reset": Ending.CUT}
_STATUS_TOKEN = re.compile(rf"({'|'.join(map(str, STATUSES))})(?:@([0-9]{{1,15}}))?")


@dataclass(frozen=True, slots=True)
class Trick:
    """What happens to one push: ``status`` 200 is a delivery, 0 no answer.

    ``number`` is what followed the ``@``: for 410 since when the token is dead (epoch milliseconds), else the
    seconds of ``Retry-After``.
    """

    status: int = 200
    ending: Ending = Ending.KEPT
    number: int | None = None


DELIVERED = Trick()


def of_token(token: str) -> Trick:
    """Read what a token's first characters order; any other token is a phone that works."""
    for word, ending in _ENDINGS.items():
        if token.startswith(word):
            return Trick(200 if ending is Ending.LAST else 0, ending)
    match = _STATUS_TOKEN.match(token)
    if match is None:
        return DELIVERED
    return Trick(int(match[1]), number=None if match[2] is None else int(match[2]))


@dataclass(slots=True)
class Script:
    """What all pushes suffer: every so many fail (0.1: each tenth, exactly), all answers wait ``delay_ms``."""

    fail_rate: float = 0.0
    fail_status: int = 503
    delay_ms: int = 0
    _due: float = 0.0

    @classmethod
    def read(cls, fail: str | None, delay_ms: int = 0) -> Script:
        """Read ``RATE:STATUS`` such as ``0.1:503``; raise ``BadData`` for what is not."""
        if fail is None:
            return cls(delay_ms=delay_ms)
        rate, _, status = fail.partition(":")
        try:
            script = cls(float(rate), int(status), delay_ms)
        except ValueError as error:
            raise BadData(f"{fail!r} is not RATE:STATUS, such as 0.1:503") from error
        if not 0 <= script.fail_rate <= 1 or math.isnan(script.fail_rate):
            raise BadData(f"{rate} is not a rate between 0 and 1")
        if script.fail_status not in STATUSES:
            raise BadData(f"{status} is not one of the statuses {', '.join(map(str, STATUSES))}")
        return script

    def next(self, token: str) -> Trick:
        """Decide what happens to the next push, which is for that token."""
        trick = of_token(token)
        if trick is not DELIVERED:
            return trick
        self._due += self.fail_rate
        if self._due < 1:
            return DELIVERED
        self._due -= 1
        return Trick(self.fail_status)
