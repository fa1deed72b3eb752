"""Log-in and log-out of mail apps, as the middleware has them.

::

    POST /ajax/login?action=login&client=open-xchange-mobile-api-facade
    name=anna%40example.com&password=…            ─► {"session":"90cf…","user":"anna@example.com",
                                                       "user_id":3,"context_id":1}
    GET  /ajax/login?action=logout&session=90cf…  ─► nothing

The mail server judges the password, under the name that the user has there. It is not asked about a master user's
names: they are for this gateway's own log-ins, not for whoever reaches it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import orjson
from aiohttp import web

from oxpushctl import log
from oxpushctl.config.own import USERS_AUTO_CREATE, USERS_CONTEXT
from oxpushctl.config.properties import KNOWN_PROXIES
from oxpushctl.config.property import Network
from oxpushctl.config.settings import Settings
from oxpushctl.errors import BadData, ConfigurationError, NotPermitted, OxpushctlError
from oxpushctl.interfaces import Clock, CredentialStore, UserDirectory
from oxpushctl.model import Credential, DirectoryEntry
from oxpushctl.web import ox_error
from oxpushctl.web.answer import error, json_answer
from oxpushctl.web.login_name import LoginNames, MailAccounts, Person
from oxpushctl.web.login_request import LoginRequest, missing, shown
from oxpushctl.web.ox_error import Category
from oxpushctl.web.seldom import Seldom
from oxpushctl.web.sessions import Sessions
from oxpushctl.web.throttle import Attempt, Throttle

PATHS = ("/ajax/login", "/appsuite/api/login")
METHODS = ("GET", "POST")

_log = log.get(__name__)

_BODY_DEADLINE_S = 10.0
_NO_STORE = {"Cache-Control": "no-store"}


class LoginEndpoint:
    """Opens and ends sessions; ``counts`` tells how many requests ended how.

    ``auto_create_context`` is where users are made whom only the mail server knows; ``None`` makes none.
    """

    def __init__(
        self,
        sessions: Sessions,
        accounts: MailAccounts,
        directory: UserDirectory,
        credentials: CredentialStore | None,
        throttle: Throttle,
        auto_create_context: int | None,
        proxies: Sequence[Network],
        clock: Clock,
        *,
        body_deadline_s: float = _BODY_DEADLINE_S,
    ) -> None:
        self._sessions = sessions
        self.names = LoginNames(directory, accounts, clock)
        self._directory = directory
        self.credentials = credentials
        self._throttle = throttle
        self._auto_create_context = auto_create_context
        self._proxies = proxies
        self._body_deadline_s = body_deadline_s
        self._throttled = Seldom(clock.monotonic)
        self.counts: Counter[str] = Counter()

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        sessions: Sessions,
        accounts: MailAccounts,
        directory: UserDirectory,
        credentials: CredentialStore | None,
        clock: Clock,
    ) -> LoginEndpoint:
        """Make the endpoint that the configuration asks for."""
        return cls(
            sessions,
            accounts,
            directory,
            credentials,
            Throttle(clock.monotonic),
            settings[USERS_CONTEXT] if settings[USERS_AUTO_CREATE] else None,
            settings[KNOWN_PROXIES],
            clock,
        )

    def reload(self, settings: Settings) -> None:
        """Take over changed proxies."""
        self._proxies = settings[KNOWN_PROXIES]

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        match request.query.get("action"):
            case None:
                return missing("action")
            case "login" if request.method != "POST":
                return error(405, "a log-in is a POST request", {"Allow": "POST"})
            case "login":
                return await self._log_in(request)
            case "logout":
                return self._log_out(request)
            case action:
                name = shown(action)
                text = f"Unknown AJAX action {name} in module login."
                return ox_error.answer("SVL-0021", text, Category.USER_INPUT, params=(name, "login"))

    def _log_out(self, request: web.BaseRequest) -> web.Response:
        session_id = request.query.get("session")
        if session_id is None:
            return missing("session")
        session = self._sessions.find(session_id)
        if session is None:
            return ox_error.answer("SES-0203", "Your session expired. Please login again.", Category.TRY_AGAIN)
        self._sessions.close(session_id)
        _log.info("log-out", user=str(session.user), client=session.client, session=session.shown)
        return web.Response(headers={"Server": "oxpushctl"})

    async def _log_in(self, request: web.BaseRequest) -> web.Response:
        wish = await LoginRequest.read(request, self._proxies, self._body_deadline_s)
        return wish if isinstance(wish, web.Response) else await self._answer(wish)

    async def _answer(self, wish: LoginRequest) -> web.Response:
        """Let the mail server judge a log-in that may be tried."""
        if not wish.is_possible:
            self.counts["impossible"] += 1
            return _refusal()
        # Before the directory is asked, which a flood of log-ins would keep busy.
        if not self._throttle.admits_address(wish.place):
            return self._too_many(wish)
        try:
            person = await self.names.person(wish.name)
        except OxpushctlError as problem:
            return self._directory_down(wish, problem)
        if self.names.is_master(wish.name, person):
            self._throttle.address_failed(wish.place)
            self._tell("master", wish)
            return _refusal()
        # Whichever of their names people use, it is the same password that is guessed.
        attempt = self._throttle.begin(person.mail_name.lower(), wish.place)
        if attempt is None:
            return self._too_many(wish)
        with attempt:
            return await self._judged(wish, person, attempt)

    async def _judged(self, wish: LoginRequest, person: Person, attempt: Attempt) -> web.Response:
        """Ask the mail server."""
        try:
            await self.names.opener(person).try_log_in(person.mail_name, wish.password, wish.address)
            is_let_in = person.has_account
        except NotPermitted:
            is_let_in = False
        except OxpushctlError as problem:
            self._tell("unreachable", wish, person)
            text = "Login not possible at the moment. Please try again later."
            return ox_error.answer("LGI-0005", text, Category.TRY_AGAIN, reason=str(problem))
        if not is_let_in:
            attempt.failed()
            self._tell("refused", wish, person)
            return _refusal()
        attempt.succeeded()
        return await self._let_in(wish, person)

    async def _let_in(self, wish: LoginRequest, person: Person) -> web.Response:
        """Open a session for somebody whom the mail server let in."""
        try:
            entry = person.entry if person.is_known else await self._created(person)
        except OxpushctlError as problem:
            return self._directory_down(wish, problem)
        if entry is None:
            self._tell("not_known_here", wish)
            return ox_error.answer("LGI-0016", "The user is not known here.", Category.PERMISSION_DENIED)
        if self.credentials is not None:
            try:
                await self.credentials.renew(Credential(entry.user, entry.login, wish.password))
            except OxpushctlError as problem:
                _log.warning("a kept password could not be renewed", user=str(entry.user), reason=str(problem))
        session = self._sessions.open(
            entry.user,
            entry.login,
            client=wish.client,
            secret=wish.password,
            address=wish.address,
        )
        self._tell("opened", wish, Person(entry, person.mail_name), session.shown)
        answer = {
            "session": session.id,
            "user": entry.login,
            "user_id": entry.user.user,
            "context_id": entry.user.context,
        }
        return json_answer(orjson.dumps(answer), headers=_NO_STORE)

    async def _created(self, person: Person) -> DirectoryEntry | None:
        """Make a user of somebody whom only the mail server knew, if that is wanted and possible."""
        if self._auto_create_context is None:
            return None
        unknown = person.entry
        try:
            entry = await self._directory.create(unknown.login, unknown.mail, self._auto_create_context)
            _log.info("user made at the first log-in", user=str(entry.user), login=shown(entry.login))
            # Somebody may have made another user of this name meanwhile: it is another mailbox that was opened.
            return entry if self.names.is_same(entry, person) else None
        except (BadData, ConfigurationError) as problem:
            _log.warning("a user could not be made", login=shown(unknown.login), reason=str(problem))
            return None

    def _too_many(self, wish: LoginRequest) -> web.Response:
        self.counts["throttled"] += 1
        if count := self._throttled.due():
            _log.warning("too many log-ins that fail", login=wish.shown, address=wish.address, count=count)
        text = f'Too many login attempts for login "{wish.name}".'
        return ox_error.answer("LGI-0028", text, Category.PERMISSION_DENIED, params=(wish.name,))

    def _directory_down(self, wish: LoginRequest, problem: OxpushctlError) -> web.Response:
        self._tell("database_down", wish)
        return ox_error.answer("LGI-0010", "Database down.", Category.TRY_AGAIN, reason=str(problem))

    def _tell(self, result: str, wish: LoginRequest, person: Person | None = None, session: str | None = None) -> None:
        self.counts[result] += 1
        _log.info(
            "log-in",
            result=result,
            user=str(person.entry.user) if person is not None and person.is_known else None,
            login=wish.shown,
            client=wish.client,
            address=wish.address,
            session=session,
        )


def _refusal() -> web.Response:
    """Return the one answer to a wrong password, an unknown name, and what nobody is called."""
    return ox_error.answer("LGI-0006", "Invalid credentials.", Category.USER_INPUT)
