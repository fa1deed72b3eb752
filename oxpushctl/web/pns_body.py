"""The bodies of ``pns`` requests: read and judged, each mistake with the middleware's code for it."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson
from aiohttp import web

from oxpushctl import topics
from oxpushctl.web import ox_error
from oxpushctl.web.login_request import shown
from oxpushctl.web.ox_error import Category

_MOST_TOPICS = 100
_LATEST_MS = 253_402_300_799_999  # the end of the year 9999


class Refusal(Exception):
    """What is answered in place of a success; the code's words, and what they are about."""

    def __init__(
        self,
        code: str,
        text: str,
        *about: str,
        category: Category = Category.USER_INPUT,
        desc: str | None = None,
    ) -> None:
        super().__init__(code)
        self._code = code
        self._text = text
        self._about = about
        self._category = category
        self._desc = desc

    @classmethod
    def missing(cls, name: str) -> Refusal:
        """Return what is answered where a parameter is missing or empty."""
        return cls("SVL-0002", f"Missing parameter: {name}", name)

    @classmethod
    def wrong(cls, name: str, wanted: str) -> Refusal:
        """Return what is answered to a member of the wrong kind."""
        return cls("SVL-0009", f"JSON error: {name} is not {wanted}", name)

    @classmethod
    def topics(cls, desc: str, *topics: str) -> Refusal:
        """Return what is answered to topics that cannot be subscribed to."""
        return cls("PNS-0007", "One or more specified topics are invalid.", *topics, desc=desc)

    def answer(self) -> web.Response:
        """Return the error object."""
        about = [shown(each) for each in self._about]
        return ox_error.answer(self._code, self._text, self._category, params=about, desc=self._desc)


@dataclass(frozen=True, slots=True)
class Device:
    """Which device a request is about."""

    client: str
    transport: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a device wants to hear of; ``expires_ms`` ``None`` is for ever."""

    device: Device
    topics: tuple[str, ...]
    expires_ms: int | None


def read_device(body: bytes, client: str) -> Device:
    """Read an ``unsubscribe`` body, with the session's client; raise ``Refusal``."""
    return _device(_object(body), client)


def read_wish(body: bytes, client: str, now_ms: int) -> Wish:
    """Read a ``subscribe`` body, with the session's client; raise ``Refusal``."""
    members = _object(body)
    device = _device(members, client)
    wanted = _topics(members)
    expires_ms = _expires(members)
    meta = members.get("meta")
    if meta is not None and not isinstance(meta, dict):
        raise Refusal.wrong("meta", "an object")
    if expires_ms is not None and expires_ms <= now_ms:
        desc = "expires is in the past (it is in milliseconds since 1970, 0 is never)"
        raise Refusal("PNS-0012", "The subscription is denied.", category=Category.PERMISSION_DENIED, desc=desc)
    return Wish(device, wanted, expires_ms)


def _object(body: bytes) -> dict[str, object]:
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise Refusal("SVL-0009", "JSON error: the body is not JSON") from problem
    if not isinstance(members, dict):
        raise Refusal("SVL-0009", "JSON error: the body is not an object")
    return members


def _device(members: dict[str, object], client: str) -> Device:
    return Device(_text(members, "client", client), _text(members, "transport"), _text(members, "token"))


def _text(members: dict[str, object], name: str, default: str = "") -> str:
    value = members.get(name)
    if value is None:
        value = default
    if not isinstance(value, str):
        raise Refusal.wrong(name, "a text")
    if not value:
        raise Refusal.missing(name)
    return value


def _topics(members: dict[str, object]) -> tuple[str, ...]:
    wanted = members.get("topics")
    if wanted is None:
        raise Refusal.missing("topics")
    if not isinstance(wanted, list) or not all(isinstance(topic, str) for topic in wanted):
        raise Refusal.wrong("topics", "an array of texts")
    if not wanted:
        raise Refusal.topics("topics is empty")
    if len(wanted) > _MOST_TOPICS:
        raise Refusal.topics(f"more than {_MOST_TOPICS} topics")
    invalid = [topic for topic in wanted if not topics.is_valid(topic)]
    if invalid:
        raise Refusal.topics("not a topic (as ox:mail:new, ox:mail:* or *)", *invalid)
    return tuple(wanted)


def _expires(members: dict[str, object]) -> int | None:
    value = members.get("expires")
    if value is None:
        return None
    # JSON's true is an int for Python.
    if not isinstance(value, int) or isinstance(value, bool) or value > _LATEST_MS:
        raise Refusal.wrong("expires", "a time in milliseconds since 1970")
    return value or None
