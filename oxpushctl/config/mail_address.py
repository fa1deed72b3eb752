"""Where the mail server is, as ``com.openexchange.mail.mailServer`` says it.

::

    mail.example.com                 IMAP at port 143, or as the settings want it
    mail.example.com:993             IMAP over TLS: port 993 implies it, whatever the scheme
    imaps://[2001:db8::1]:1993/      IMAP over TLS
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from oxpushctl.config.hosts import HOST, LAST_PORT

_IMAP_PORT, _IMAPS_PORT = 143, 993
_FORM = re.compile(rf"(?:(?P<scheme>imaps?)://)?(?P<host>{HOST})(?::(?P<port>[0-9]{{1,5}}))?/?")


@dataclass(frozen=True, slots=True)
class MailAddress:
    """A host, without brackets, and a port; ``is_imaps`` tells that TLS is spoken from the first byte on.

    As a text it is what was ``written``.
    """

    host: str
    port: int
    is_imaps: bool
    written: str = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> MailAddress:
        """Read an address; ``ValueError`` when it is none."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError
        is_secure = match["scheme"] == "imaps"
        port = int(match["port"] or (_IMAPS_PORT if is_secure else _IMAP_PORT))
        if not 0 < port <= LAST_PORT:
            raise ValueError
        return cls(match["host"].strip("[]"), port, is_secure or port == _IMAPS_PORT, text)

    def __str__(self) -> str:
        return self.written
