"""Passwords of sessions that have ended, for what is left to be done in their mailboxes."""

from __future__ import annotations

from collections.abc import Sequence

from oxpushctl.interfaces import LiveSessions
from oxpushctl.model import Credential, PushUser

# A user beyond them has its registration taken back at the next session.
_MOST = 100_000


class LingeringSessions:
    """``LiveSessions``, and behind them the passwords of those that ended but were asked to be kept.

    Where a user has no kept password, only that of its session opens the mailbox; what was written there has to be
    removed when the session has ended. They are in memory only.
    """

    def __init__(self, live: LiveSessions) -> None:
        self._live = live
        self._kept: dict[PushUser, tuple[Credential, ...]] = {}

    def credentials(self, user: PushUser) -> Sequence[Credential]:
        """Return the passwords of a user's sessions, the newest first, each once."""
        live = self._live.credentials(user)
        return [*live, *(each for each in self._kept.get(user, ()) if each not in live)]

    def keep(self, user: PushUser) -> None:
        """Keep what opens a user's mailbox now beyond the end of its sessions."""
        if live := tuple(self._live.credentials(user)):
            self._kept[user] = live
        while len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]

    def renew(self, user: PushUser) -> None:
        """Keep what opens a user's mailbox now, where something was kept: a later session may have another password."""
        if user in self._kept:
            self.keep(user)

    def release(self, user: PushUser) -> None:
        """Forget what was kept."""
        self._kept.pop(user, None)
