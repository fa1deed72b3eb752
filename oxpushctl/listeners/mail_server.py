"""The mail server as it is configured: where it is, how the way there is encrypted, and what log-ins look like."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path

from oxpushctl.config.hosts import is_this_machine
from oxpushctl.config.mailboxes import is_master_wanted
from oxpushctl.config.own import MASTER_USER, TLS_CA
from oxpushctl.config.properties import (
    AUTH_PROXY_DELIMITER,
    LOGIN_SOURCE,
    MAIL_SERVER_URL,
    MASTER_PASSWORD,
    REQUIRE_TLS,
)
from oxpushctl.config.settings import Settings
from oxpushctl.errors import BadData
from oxpushctl.model import DirectoryEntry, PushUser

_DELIMITER = "*"


class Encryption(enum.Enum):
    """When a connection is encrypted.

    On this machine nobody listens in: there STARTTLS is used only where the server takes no password without it, so
    that its certificate, most often one for another name, need not be trusted.
    """

    TLS = "from the first byte on"
    STARTTLS = "by STARTTLS, or there is no log-in"
    IF_OFFERED = "by STARTTLS where it is offered"
    IF_DEMANDED = "by STARTTLS where there is no log-in without"


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mailboxes are opened; ``ca`` is a file of authorities that is trusted besides the system's."""

    host: str
    port: int
    encryption: Encryption
    ca: Path | None = None

    @classmethod
    def from_settings(cls, settings: Settings, etc: Path) -> MailServer | None:
        """Return the configured server, ``None`` if there is none; a relative path is relative to ``etc``."""
        address = settings[MAIL_SERVER_URL]
        if address is None:
            return None
        if address.is_imaps:
            encryption = Encryption.TLS
        elif is_this_machine(address.host):
            encryption = Encryption.IF_DEMANDED
        else:
            encryption = Encryption.STARTTLS if settings[REQUIRE_TLS] else Encryption.IF_OFFERED
        ca = settings[TLS_CA]
        return cls(address.host, address.port, encryption, None if ca is None else etc / ca)

    def __str__(self) -> str:
        scheme = "imaps" if self.encryption is Encryption.TLS else "imap"
        return f"{scheme}://[{self.host}]:{self.port}" if ":" in self.host else f"{scheme}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class LogIn:
    """What opens a mailbox: the name that is sent, and the password."""

    name: str
    password: str = field(repr=False)


def mail_login(entry: DirectoryEntry, settings: Settings) -> str:
    """Return what a user of the directory logs in with, as com.openexchange.mail.loginSource wants it.

    Raise ``BadData`` for a user without a mail address where that is wanted.
    """
    return login_from_source(entry.user, entry.login, entry.mail, settings)


def login_from_source(user: PushUser, login: str, mail: str, settings: Settings) -> str:
    """Return the same of a login and a mail address; a login with an @ serves as address where there is none."""
    source = settings[LOGIN_SOURCE]
    if source == "login":
        return login
    mail = mail or (login if "@" in login else "")
    if not mail:
        raise BadData(f"{user} has no mail address in the directory, and {LOGIN_SOURCE.key} is {source}")
    return mail if source == "mail" else mail.rpartition("@")[0]


def master_log_in(login: str, settings: Settings) -> LogIn | None:
    """Return how the master password opens a user's mailbox; ``None`` where users have passwords of their own."""
    password, master_user = settings[MASTER_PASSWORD], settings[MASTER_USER]
    if not is_master_wanted(settings) or not password:
        return None
    if not master_user:
        return LogIn(login, password)
    return LogIn(f"{login}{master_delimiter(settings)}{master_user}", password)


def master_delimiter(settings: Settings) -> str:
    """Return what stands between a user's login and the master user's."""
    return settings[AUTH_PROXY_DELIMITER] or _DELIMITER
