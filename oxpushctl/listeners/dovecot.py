"""Listening by Dovecot: mailboxes are registered there, and it tells of new mail over HTTP.

::

    adopt   remembered, with the value and the mailbox of today: no mail server is asked
    start   registered, and remembered as that
    run     each once a day: is the value still there? soon: is it that of today, and the mailbox too?
    stop    unset, and forgotten

What is remembered outlives the engine, and so does what Dovecot was told: after a restart nobody has to log in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from oxpushctl import log
from oxpushctl.config.listening import DOVECOT_ENABLED
from oxpushctl.config.mailboxes import is_doveadm_first
from oxpushctl.config.settings import Settings
from oxpushctl.errors import BadData, NotPermitted, OxpushctlError, UnknownEntry, Unsupported
from oxpushctl.interfaces import Clock, Watch
from oxpushctl.listeners.claims import Claims
from oxpushctl.listeners.dovecot_registrar import Cleared, Registered, Standing, is_of_all
from oxpushctl.listeners.dovecot_registry import Registry
from oxpushctl.listeners.dovecot_verifying import DAY_S, Rounds, Verified
from oxpushctl.listeners.lingering import LingeringSessions
from oxpushctl.listeners.mailbox_names import MailboxNames
from oxpushctl.model import PushUser, RegisteredMailbox

# After so many in a row for whom no mail server was there, the rest waits for the next round.
_MOST_AWAY = 5
# What is said of the mailbox itself: it is not registered any more, or nobody can tell.
_LOST = (NotPermitted, UnknownEntry, BadData, Unsupported)

_log = log.get(__name__)


class DovecotListeners:
    """The ``Implementation`` that has Dovecot listen.

    ``names`` tell the mailboxes of today. ``on_gap`` is called for users of whom mail may have been missed: nobody took
    what Dovecot told while the engine was down, or there was no registration. ``sessions`` keep what opens a mailbox
    beyond the end of a session. ``day_s`` is the time in which every registration is verified.
    """

    name = "dovecot"

    def __init__(
        self,
        registry: Registry,
        names: MailboxNames,
        settings: Settings,
        clock: Clock,
        *,
        on_gap: Callable[[PushUser], None],
        sessions: LingeringSessions | None = None,
        day_s: float = DAY_S,
    ) -> None:
        self._registry = registry
        self._names = names
        self._settings = settings
        self._on_gap = on_gap
        self._sessions = sessions
        self._running: set[PushUser] = set()
        self._claims = Claims()
        # Names of today that others have than the rows: those to be looked at, and those that were, and stay so.
        self._differing: dict[PushUser, str] = {}
        self._odd: dict[PushUser, str] = {}
        self._away_in_a_row = 0
        self._rounds = Rounds(registry, clock, self._running, self._unchanged, day_s=day_s)

    def is_on(self, *, is_permanent: bool) -> bool:
        """Tell whether it is enabled, which is one switch for both kinds."""
        return self._settings[DOVECOT_ENABLED]

    def reload(self, settings: Settings) -> None:
        """Take over changed settings; values and mailboxes that they change are written soon, a few at a time."""
        self._settings = settings
        self._names.reload(settings)
        self._registry.reload(settings)
        self._rounds.begin_anew()

    def look(self) -> None:
        """See soon whether users have other mailboxes: the directory or the kept passwords were changed."""
        self._rounds.begin_anew()

    async def adopt(self, users: Sequence[PushUser]) -> frozenset[PushUser]:
        """Return those of some users whose mailboxes of today have the values of today; no mail server is asked."""
        rows = await self._registry.mailboxes.read(users)
        standing = [row for row in rows.values() if row.verified_ms]
        changed = await self._changed(standing)
        adopted = frozenset(row.user for row in standing if row.user not in changed)
        self._running |= adopted
        for user in sorted(adopted):
            self._keep_sessions(user)
            self._on_gap(user)
        return adopted

    async def start(self, user: PushUser, *, is_permanent: bool) -> None:
        """Register a mailbox; return when Dovecot has kept that."""
        if not is_permanent:
            self._keep_sessions(user)
        async with self._claims.alone(user):
            if user in self._running:
                return
            row = (await self._registry.mailboxes.read([user])).get(user)
            [answer] = await self._registry.register([user], is_permanent=is_permanent)
            if isinstance(answer, Unsupported) and row is None:  # nobody stops what another implementation serves
                await self._registry.forget([user])
                self._release_sessions(user)
            if isinstance(answer, OxpushctlError):
                raise answer
            self._running.add(user)
            if answer.standing is Standing.REPLACED and (row is None or row.about == self._registry.about(user)):
                _log.warning("another registration was in a mailbox, and is replaced", user=str(user))
            self._on_gap(user)

    async def stop(self, user: PushUser) -> None:
        """Take a registration back, and forget it; raise when it may still be there."""
        self._running.discard(user)
        async with self._claims.alone(user):  # a start may be under way
            self._running.discard(user)
        await self._take_back(user)

    def leave(self, user: PushUser) -> None:
        """Leave a registration to another node."""
        self._running.discard(user)
        self._differing.pop(user, None)
        self._odd.pop(user, None)
        self._release_sessions(user)

    async def run(self, watch: Watch) -> None:
        """Verify what is registered, each once a day, until cancelled."""

        async def verify(rows: Sequence[RegisteredMailbox]) -> Verified:
            return await self._verify(rows, watch)

        await self._rounds.run(verify)

    async def _verify(self, rows: Sequence[RegisteredMailbox], watch: Watch) -> Verified:
        """See that the values are there, but for users whom somebody else works for just now."""
        unknown: list[PushUser] = []
        reason = ""
        with self._claims.free([row.user for row in rows]) as free:
            ours = [row for row in rows if row.user in free and row.user in self._running]
            answers = await self._registry.register([row.user for row in ours]) if ours else []
            for row, answer in zip(ours, answers, strict=True):
                is_unknown = isinstance(answer, OxpushctlError) and not isinstance(answer, _LOST)
                self._away_in_a_row = self._away_in_a_row + 1 if is_unknown and is_of_all(answer) else 0
                if is_unknown:
                    unknown.append(row.user)
                    reason = str(answer)
                elif row.user in self._running:  # a stop may wait for us to end
                    self._tell(row, answer, watch)
        return Verified(unknown, reason, is_worth_going_on=self._away_in_a_row < _MOST_AWAY)

    def _tell(self, row: RegisteredMailbox, answer: Registered | OxpushctlError, watch: Watch) -> None:
        user = row.user
        if isinstance(answer, OxpushctlError):
            self._running.discard(user)
            watch.lost(user, answer)
            return
        if answer.standing is not Standing.ALREADY:
            if row.about in ("", self._registry.about(user)) and row.name.lower() in ("", answer.name.lower()):
                _log.warning("registration was lost and is restored", user=str(user), found=answer.standing.value)
            self._on_gap(user)
        differing = self._differing.pop(user, None)
        if differing is not None and differing != answer.name.lower():
            self._odd[user] = differing
        watch.proven(user)

    async def _take_back(self, user: PushUser) -> None:
        """Unset a registration and forget it, unless the user runs by now."""
        async with self._claims.alone(user):
            if user in self._running:
                return
            if await self._registry.mailboxes.read([user]):
                await self._clear(user)
            self._differing.pop(user, None)
            self._odd.pop(user, None)
            self._release_sessions(user)

    async def _clear(self, user: PushUser) -> None:
        [cleared] = await self._registry.clear([user])
        if isinstance(cleared, Unsupported):
            _log.warning("a registration cannot be taken back any more", user=str(user), reason=str(cleared))
            await self._registry.forget([user])
        elif isinstance(cleared, OxpushctlError):
            raise cleared
        elif cleared is Cleared.ANOTHERS:
            _log.warning("another registration is in a mailbox, and stays", user=str(user))

    async def _unchanged(self, rows: Sequence[RegisteredMailbox]) -> frozenset[PushUser]:
        """Return the users of rows with the value and the mailbox of today.

        A session may open a mailbox by an alias: a name that was looked at is not looked at again.
        """
        changed = await self._changed(rows)
        for user, name in list(changed.items()):
            if name and self._odd.get(user) == name:
                del changed[user]
            elif name:
                self._differing[user] = name
        return frozenset(row.user for row in rows) - changed.keys()

    async def _changed(self, rows: Sequence[RegisteredMailbox]) -> dict[PushUser, str]:
        """Return the users whose values are not those of today, with an empty text, or whose mailboxes are not."""
        about = self._registry.about
        changed = {row.user: "" for row in rows if row.about != about(row.user)}
        rest = [row for row in rows if row.user not in changed]
        if rest:
            is_kept_first = not is_doveadm_first(self._settings)
            today = await self._names.of([row.user for row in rest], is_kept_first=is_kept_first)
            names = {row.user: str(today[row.user]).lower() for row in rest}
            changed |= {row.user: names[row.user] for row in rest if row.name.lower() != names[row.user]}
        return changed

    def _keep_sessions(self, user: PushUser) -> None:
        if self._sessions is not None:
            self._sessions.keep(user)

    def _release_sessions(self, user: PushUser) -> None:
        if self._sessions is not None:
            self._sessions.release(user)
