"""The notify endpoint: Dovecot's ``ox`` driver puts one JSON object here for every mail that it delivered.

::

    {"user":"3@1","event":"messageNew","folder":"INBOX","imap-uidvalidity":1795434152,"imap-uid":1,
     "from":"Anna <anna@example.com>","subject":"Lunch?","snippet":"Hi Anton","unseen":1}

``from`` and ``subject`` are raw header values, absent when the mail has no such header; ``imap-uid`` is 0 when Dovecot
did not learn it (Maildir under parallel delivery). The mail server waits for the answer before it answers its own
client, so it is given as soon as the event is kept. It repeats nothing, whatever the status.
"""

from __future__ import annotations

from collections import Counter

import orjson
from aiohttp import web

from oxpushctl import header, log
from oxpushctl.config.own import REGISTRATION
from oxpushctl.config.properties import PASSCRYPT
from oxpushctl.config.settings import Settings
from oxpushctl.errors import BadData, NotKept, NotReachable, TryLater
from oxpushctl.interfaces import Clock, EventSink, UserDirectory
from oxpushctl.model import MailEvent, PushUser
from oxpushctl.registration import Trust, derive_key
from oxpushctl.web.answer import Canned, error, read_body
from oxpushctl.web.auth import Credentials
from oxpushctl.web.seldom import Seldom

PATH = "/preliminary/http-notify/v1/notify"
METHODS = ("PUT", "POST")

_log = log.get(__name__)

_SUCCESS = Canned(b'{"success":true}')
_LARGEST_NUMBER = 2**32 - 1  # uid and uidvalidity, RFC 9051 section 2.3.1.1
_SNIPPET_LIMIT = 1024  # Dovecot sends 200 characters
_NAME_LIMIT = 100
_BODY_DEADLINE_S = 30.0  # Dovecot itself gives up after two seconds


class NotifyEndpoint:
    """Takes mail events in; ``counts`` tells how many requests ended how."""

    def __init__(
        self,
        sink: EventSink,
        directory: UserDirectory,
        clock: Clock,
        credentials: Credentials,
        trust: Trust,
        *,
        body_deadline_s: float = _BODY_DEADLINE_S,
    ) -> None:
        self._sink = sink
        self._directory = directory
        self._clock = clock
        self._credentials = credentials
        self._trust = trust
        self._body_deadline_s = body_deadline_s
        self._refused = Seldom(clock.monotonic)
        self._unknown = Seldom(clock.monotonic)
        self.counts: Counter[str] = Counter()

    @classmethod
    def from_settings(
        cls, settings: Settings, sink: EventSink, directory: UserDirectory, clock: Clock
    ) -> NotifyEndpoint:
        """Make the endpoint that the configuration asks for; deriving the key takes some 50 ms."""
        passcrypt = (settings[PASSCRYPT] or "").strip()
        trust = Trust.of(settings[REGISTRATION], derive_key(passcrypt) if passcrypt else None)
        return cls(sink, directory, clock, Credentials.from_settings(settings), trust)

    def reload(self, settings: Settings) -> None:
        """Take over changed credentials and another mode of registration; the passphrase stays as it was."""
        self._credentials = Credentials.from_settings(settings)
        self._trust = Trust.of(settings[REGISTRATION], self._trust.key)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        refusal = self._credentials.refusal(request)
        if refusal is not None:
            return self._refuse(refusal, "unauthorized", request)
        body = await read_body(request, self._body_deadline_s)
        if isinstance(body, web.Response):
            return self._refuse(body, "bad_request", request)
        try:
            result = await self._take(body)
        except BadData as problem:
            return self._refuse(error(400, str(problem)), "bad_request", request, str(problem))
        except NotKept as problem:
            return self._refuse(error(503, str(problem)), "not_kept", request, str(problem))
        except (NotReachable, TryLater) as problem:
            text = "the user directory does not answer"
            return self._refuse(error(503, text), "not_kept", request, f"{text}: {problem}")
        self.counts[result] += 1
        return _SUCCESS if _SUCCESS.suits(request) else _SUCCESS.last

    async def _take(self, body: bytes) -> str:
        """Hand the event of a body on; return what became of it."""
        fields = _object(body)
        name = _text(fields, "user")
        if _text(fields, "event") != "messageNew":
            return "ignored"
        folder = _text(fields, "folder")
        if not folder:
            raise BadData("folder is empty")
        uid, uidvalidity = _number(fields, "imap-uid"), _number(fields, "imap-uidvalidity", 0)
        sender, subject, snippet = _text(fields, "from", ""), _text(fields, "subject", ""), _text(fields, "snippet", "")
        unseen = _count(fields, "unseen")
        user = await self._user(name)
        if user is None:
            self._tell_unknown(name)
            return "unknown_user"
        event = MailEvent(
            user=user,
            folder=folder,
            uidvalidity=uidvalidity,
            uid=uid,
            sender=header.sender(sender),
            subject=header.decode(subject),
            snippet=header.clean(snippet[:_SNIPPET_LIMIT]),
            unseen=unseen,
            heard_by="dovecot",
            at=self._clock.now(),
        )
        await self._sink.accept(event)
        return "accepted"

    async def _user(self, name: str) -> PushUser | None:
        """Return whom a mail server means: a believed registration, else a login or alias where names are admitted."""
        user = self._trust.believe(name)
        if user is None and name and self._trust.admits_names:
            user = await self._directory.resolve(name)
        return user

    def _refuse(
        self, response: web.Response, result: str, request: web.BaseRequest, reason: str | None = None
    ) -> web.Response:
        self.counts[result] += 1
        if count := self._refused.due():
            _log.warning(
                "notify request refused", status=response.status, reason=reason, peer=request.remote, count=count
            )
        return response

    def _tell_unknown(self, name: str) -> None:
        if count := self._unknown.due():
            # What follows the slash of a registration is a proof, wrong here, right somewhere else.
            shown = name.partition("/")[0][:_NAME_LIMIT]
            todo = (
                None if self._trust.admits_names else f"without signed values set {REGISTRATION.key} to plain or both"
            )
            _log.warning(
                "notify for nobody we know or believe", user=shown, mode=self._trust.mode, count=count, todo=todo
            )


def _object(body: bytes) -> dict[str, object]:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise BadData("the body is not JSON") from problem
    if not isinstance(fields, dict):
        raise BadData("the body is not a JSON object")
    return fields


def _text(fields: dict[str, object], key: str, default: str | None = None) -> str:
    value = fields.get(key, default)
    if not isinstance(value, str):
        raise BadData(f"{key} is not a text" if key in fields else f"{key} is missing")
    return value


def _number(fields: dict[str, object], key: str, default: int | None = None) -> int:
    value = fields.get(key, default)
    # JSON's true is an int for Python.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST_NUMBER:
        raise BadData(f"{key} is not a whole number of 32 bits" if key in fields else f"{key} is missing")
    return value


def _count(fields: dict[str, object], key: str) -> int | None:
    """Return a number that may be absent; below 0 it means as much."""
    if isinstance(value := fields.get(key), int) and not isinstance(value, bool) and value < 0:
        return None
    return _number(fields, key) if key in fields else None
