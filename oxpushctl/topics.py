"""Topics that devices subscribe to: validation and wildcard match, as the middleware's push notification service.

A topic is colon-separated words (``ox:mail:new``); a subscription may end in ``:*`` or be ``*`` for everything.
"""

from __future__ import annotations

import re

EVERYTHING = "*"
_WORDS = re.compile(r"[A-Za-z0-9_-]+(:[A-Za-z0-9_-]+)*")


def is_valid(topic: str) -> bool:
    """Tell whether a topic may be subscribed to: ``*``, words, or words followed by ``:*``."""
    return topic == EVERYTHING or _WORDS.fullmatch(topic.removesuffix(":*")) is not None


def prefixes(topic: str) -> tuple[str, ...]:
    """Return the wildcard prefixes that match a topic: ``ox:mail:new`` gives ``ox:`` and ``ox:mail:``."""
    return tuple(topic[: match.end()] for match in re.finditer(":", topic))


def matches(wanted: str, topic: str) -> bool:
    """Tell whether a subscription to ``wanted`` hears of ``topic``; the prefix is literal, its colon included."""
    return wanted in (EVERYTHING, topic) or (wanted.endswith(":*") and topic.startswith(wanted[:-1]))
