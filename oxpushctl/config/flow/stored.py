"""What is stored of one user, besides registrations and devices, and what of it keeps a listener from hearing.

No setting mends that: each lack comes with what to do about this one user.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from oxpushctl.config.listening import NOTIFY_OX_LOGIN
from oxpushctl.config.properties import LOGIN_SOURCE
from oxpushctl.config.settings import Settings
from oxpushctl.model import DirectoryEntry, PushUser

_SYNC = "oxpushctl dovecot sync"
_NOT_WANTED = (
    "though no allowed client of the user is registered: the running engine takes that back as soon as no web socket "
    "needs it"
)


@dataclass(frozen=True, slots=True)
class AtDovecot:
    """What is remembered of a user's mailbox at Dovecot: ``name`` opens it, ``verified_ms`` 0 is never.

    ``is_of_today``: its name and the value in it are those that would be written now.
    """

    name: str
    verified_ms: int
    is_of_today: bool

    @property
    def is_standing(self) -> bool:
        """Whether the engine takes it over without asking the mail server."""
        return self.is_of_today and self.verified_ms > 0

    def __str__(self) -> str:
        if not self.verified_ms:
            return f"registering {self.name} was begun, and is not known to have worked"
        at = datetime.fromtimestamp(self.verified_ms / 1000, UTC)
        return f"registered as {self.name}, last verified {at:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Stored:
    """``entry`` is that of the directory, ``at_dovecot`` what is remembered; ``kept_login`` goes with a kept password.

    ``is_password_refused``: the mail server refused that password when it was last tried. ``is_login_anothers``: by now
    the directory has another user with ``kept_login``, whose mailbox nobody opens for this one.
    """

    entry: DirectoryEntry | None = None
    at_dovecot: AtDovecot | None = None
    kept_login: str | None = None
    is_password_refused: bool = False
    is_login_anothers: bool = False

    @property
    def own_login(self) -> str | None:
        """What a password would be kept with; ``None`` where that is not known."""
        if self.kept_login is not None and not self.is_login_anothers:
            return self.kept_login
        return None if self.entry is None else self.entry.login

    def about_dovecot(self, *, is_wanted: bool) -> str:
        """Say how the mailbox stands at Dovecot, and what brings it up to date at once.

        ``is_wanted``: the user is to be registered there; of one that neither is nor is to be nothing is said.
        """
        if not is_wanted:
            return f"{self.at_dovecot}, {_NOT_WANTED}" if self.at_dovecot else ""
        if self.at_dovecot is None:
            return f"not registered at Dovecot yet: the running engine sees to it, or {_SYNC}"
        if self.at_dovecot.is_standing:
            return str(self.at_dovecot)
        if not self.at_dovecot.is_of_today:
            return f"{self.at_dovecot}, under another name or with another value than today's: {_SYNC} writes it anew"
        return f"{self.at_dovecot}: {_SYNC} tries it now"


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that one user lacks, and how to come by it."""

    detail: str
    advice: str


def lacks_entry(user: PushUser, stored: Stored) -> Lack | None:
    """Say that the directory does not have the user, and so nobody knows the mailbox."""
    if stored.entry is not None:
        return None
    advice = f"The user has to be in the directory: oxpushctl users add {_options(user)} --login LOGIN."
    return Lack("the directory does not have the user", advice)


def lacks_address(user: PushUser, stored: Stored, login: str | None, settings: Settings) -> Lack | None:
    """Say that log-ins are made of mail addresses, and the user has none; a login with an @ serves as one."""
    entry = stored.entry
    source = settings[LOGIN_SOURCE]
    if source == "login" or login is None or "@" in login or (entry is not None and entry.mail):
        return None
    advice = f"The user needs a mail address, since {LOGIN_SOURCE.key} is {source}: {_add_mail(user, entry)}."
    return Lack("the directory has no mail address of the user", advice)


def lacks_datagram_name(user: PushUser, stored: Stored, settings: Settings) -> Lack | None:
    """Say that no name in a datagram could stand for the user."""
    entry = stored.entry
    if entry is None:
        return lacks_entry(user, stored)
    if entry.mail or entry.aliases or "@" in entry.login or settings[NOTIFY_OX_LOGIN]:
        return None
    advice = f"Datagrams name addresses: {_add_mail(user, entry)}. With {NOTIFY_OX_LOGIN.key}=true logins do as well."
    return Lack("the directory has no address of the user", advice)


def _add_mail(user: PushUser, entry: DirectoryEntry | None) -> str:
    login = "LOGIN" if entry is None else entry.login
    return f"oxpushctl users add {_options(user)} --login {login} --mail ADDRESS"


def _options(user: PushUser) -> str:
    return f"-c {user.context} -u {user.user}"
