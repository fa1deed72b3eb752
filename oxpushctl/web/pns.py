"""How a device subscribes to pushes and leaves them: the middleware's module ``pns``.

::

    PUT /ajax/pns?action=subscribe&session=S
    {"client":"open-xchange-mobile-api-facade","token":"ab12cd","transport":"apn","topics":["ox:mail:new"],
     "expires":1700000000000,"meta":{}}
    {"data":{"success":true}}

``client`` is the session's where it is absent, ``expires`` is in epoch milliseconds, 0 or absent is never, ``meta`` is
read by nobody here. ``unsubscribe`` takes the same body without topics, and succeeds also where nothing was there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from oxpushctl import log
from oxpushctl.errors import BadData, ConfigurationError, NotReachable, OxpushctlError, TryLater
from oxpushctl.interfaces import Clock, CredentialStore, SubscriptionStore, UserDirectory
from oxpushctl.model import Credential, Origin, Subscription
from oxpushctl.web import ox_error
from oxpushctl.web.answer import json_answer, read_body
from oxpushctl.web.login_request import shown
from oxpushctl.web.ox_error import Category
from oxpushctl.web.pns_body import Refusal, read_device, read_wish
from oxpushctl.web.session_check import standing_session
from oxpushctl.web.sessions import Session, Sessions

PATHS = ("/ajax/pns", "/appsuite/api/pns")
METHODS = ("PUT",)

_log = log.get(__name__)

_SUCCESS = b'{"data":{"success":true}}'
_BODY_LIMIT = 64 * 1024
_BODY_DEADLINE_S = 10.0

_Action = Callable[[Session, bytes], Awaitable[None]]


class PnsEndpoint:
    """Stores what the devices of a session want.

    ``credentials`` is ``None`` where no passwords are kept, and may be swapped at any time.
    """

    def __init__(
        self,
        sessions: Sessions,
        subscriptions: SubscriptionStore,
        credentials: CredentialStore | None,
        directory: UserDirectory,
        clock: Clock,
    ) -> None:
        self._sessions = sessions
        self._subscriptions = subscriptions
        self.credentials = credentials
        self._directory = directory
        self._clock = clock
        self._actions: dict[str, _Action] = {"subscribe": self._subscribe, "unsubscribe": self._unsubscribe}

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        try:
            action = self._action(request.query.get("action", ""))
            session_id = request.query.get("session", "")
            if not session_id:
                raise Refusal.missing("session")
            body = await read_body(request, _BODY_DEADLINE_S, _BODY_LIMIT)
            if isinstance(body, web.Response):
                return body
            # Looked at last: nobody knows how long the body took to arrive.
            await action(await self._session(session_id), body)
        except Refusal as refusal:
            return refusal.answer()
        except BadData as problem:
            return _refused(problem)
        except (NotReachable, TryLater) as problem:
            return _later(str(problem))
        except ConfigurationError as problem:
            text = "This server cannot store it as it is configured."
            return ox_error.answer("PNS-0001", text, Category.CONFIGURATION, reason=str(problem))
        return json_answer(_SUCCESS)

    def _action(self, name: str) -> _Action:
        if not name:
            raise Refusal.missing("action")
        if name not in self._actions:
            raise Refusal("SVL-0021", f"Unknown AJAX action {shown(name)} in module pns.", name, "pns")
        return self._actions[name]

    async def _session(self, session_id: str) -> Session:
        session = await standing_session(self._sessions, self._directory, session_id)
        if session is None:
            raise _expired()
        return session

    async def _subscribe(self, session: Session, body: bytes) -> None:
        wish = read_wish(body, session.client, int(self._clock.now() * 1000))
        subscription = Subscription(
            session.user, wish.device.client, wish.device.transport, wish.device.token, wish.topics, wish.expires_ms
        )
        is_listened_for = await self._subscriptions.subscribe(subscription)
        _tell("device subscribed", subscription)
        if is_listened_for and self.credentials is not None:
            await _keep(self.credentials, Credential(session.user, session.login, session.secret))

    async def _unsubscribe(self, session: Session, body: bytes) -> None:
        device = read_device(body, session.client)
        try:
            removed = await self._subscriptions.unsubscribe(session.user, device.client, device.token)
        except BadData:  # what cannot be stored is not there
            removed = ()
        for subscription in removed:
            _tell("device unsubscribed", subscription)


async def _keep(credentials: CredentialStore, credential: Credential) -> None:
    """Keep the password that the user's mailbox is listened to with.

    Whatever prevents it, what the app wants is stored, but nobody could hear its mail: it is to come again, unless that
    would be in vain with this password.
    """
    try:
        await credentials.put(credential, Origin.SUBSCRIBING)
    except BadData as problem:
        _log.warning("mail password cannot be kept", user=str(credential.user), reason=str(problem))
        text = "The mail password cannot be kept on this server."
        raise Refusal("PNS-0001", text, category=Category.CONFIGURATION) from problem
    except OxpushctlError as problem:
        _log.warning("mail password not kept", user=str(credential.user), reason=str(problem))
        raise TryLater("the mail password could not be kept") from problem


def _expired() -> Refusal:
    return Refusal("SES-0203", "Your session expired. Please login again.", category=Category.TRY_AGAIN)


def _later(reason: str) -> web.Response:
    text = "The subscriptions cannot be reached at the moment. Please try again later."
    return ox_error.answer("PNS-0003", text, Category.TRY_AGAIN, reason=reason)


def _refused(problem: BadData) -> web.Response:
    """Return the answer to what cannot be stored; the words of some problems begin with their code."""
    code, separator, words = str(problem).partition(": ")
    if separator and code == "PNS-0007":
        return Refusal.topics(words).answer()
    if separator and code == "PNS-0005":
        return Refusal("PNS-0005", "There is no such transport.", desc=words).answer()
    if separator and code == "PNS-0013":
        text = "There are too many subscriptions."
        return Refusal("PNS-0013", text, category=Category.PERMISSION_DENIED, desc=words).answer()
    return Refusal("PNS-0001", f"This cannot be stored: {problem}").answer()


def _tell(event: str, subscription: Subscription) -> None:
    _log.info(
        event,
        user=str(subscription.user),
        client=subscription.client,
        transport=subscription.transport,
        token=subscription.token,
        topics=",".join(subscription.topics),
    )
