"""Whether a session still speaks for its user: ids and logins may have changed hands since it was opened.

Whoever asks by HTTP is looked up then; for who has a web socket open, and asks nothing, everybody is looked up now and
then, since others write into the directory as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Protocol

from oxpushctl import log
from oxpushctl.errors import OxpushctlError
from oxpushctl.interfaces import UserDirectory
from oxpushctl.model import DirectoryEntry, PushUser
from oxpushctl.web.sessions import Session, Sessions

LOOK_S = 30.0
_PAGE = 500

_log = log.get(__name__)


class Entries(Protocol):
    """What is wanted of the directory to look up many."""

    async def entries(self, users: Iterable[PushUser]) -> Mapping[PushUser, DirectoryEntry]:
        """Return what is known of those of some users that are in it."""


async def standing_session(sessions: Sessions, directory: UserDirectory, session_id: str) -> Session | None:
    """Return a session whose user still has its login; end one whose user has another.

    It is the directory's own login of the id, since the login may well be another user's alias by now. Raise
    ``NotReachable`` or ``TryLater`` when the directory cannot be asked.
    """
    session = sessions.find(session_id)
    if session is None:
        return None
    return session if _is_standing(sessions, session, await directory.entry(session.user)) else None


class SessionCheck:
    """Looks every ``look_s`` at the sessions that have a web socket open, and ends those that stand no more."""

    def __init__(
        self,
        sessions: Sessions,
        opened: Callable[[], Sequence[Session]],
        directory: Entries,
        *,
        look_s: float = LOOK_S,
    ) -> None:
        self._sessions = sessions
        self._opened = opened
        self._directory = directory
        self._look_s = look_s

    async def run(self) -> None:
        """Look until it is cancelled; while nobody can be asked all sessions stay."""
        while True:
            await asyncio.sleep(self._look_s)
            try:
                await self._look()
            except OxpushctlError as error:
                _log.debug("sessions with a web socket not looked at", reason=str(error))

    async def _look(self) -> None:
        remaining = iter(self._opened())
        while page := list(islice(remaining, _PAGE)):
            entries = await self._directory.entries({session.user for session in page})
            for session in page:
                _is_standing(self._sessions, session, entries.get(session.user))


def _is_standing(sessions: Sessions, session: Session, entry: DirectoryEntry | None) -> bool:
    if entry is not None and entry.login.lower() == session.login.lower():
        return True
    if sessions.close(session.id):
        _log.warning("session closed: its login is not its user's any more", user=str(session.user))
    return False
