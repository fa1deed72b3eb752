"""What ends an IDLE session, in words: said by the server, noticed on its connection, or found out by asking."""

from __future__ import annotations

import re
import ssl

from oxpushctl.config.own import IDLE_RENEW
from oxpushctl.errors import OxpushctlError, Unsupported
from oxpushctl.listeners.imap_troubles import ServerBusy, ServerUnreachable, clean, not_answered
from oxpushctl.listeners.mail_server import MailServer

# RFC 5530: what may be otherwise in a while.
_BUSY = re.compile(rb"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG)\b", re.IGNORECASE)


def broken(server: MailServer, error: Exception) -> OxpushctlError:
    """Say what broke: the connection, or what came on it."""
    if isinstance(error, BlockingIOError | ssl.SSLWantReadError | ssl.SSLWantWriteError):
        return ServerUnreachable(f"{server} takes nothing more on a session", "it hangs, or a firewall forgot us")
    if isinstance(error, ValueError):
        return ServerUnreachable(f"{server} says something else than IMAP on a session: {clean(str(error))}")
    return not_answered(server, error)


def cut_off(server: MailServer) -> ServerUnreachable:
    """Say that the connection was ended without a word, which is what Dovecot does to sessions that sleep."""
    return ServerUnreachable(f"{server} ended the session without a word", "it was restarted, or its log says why")


def silent(server: MailServer, *, is_ending: bool) -> ServerUnreachable:
    """Say that a question stayed without an answer: to go on, or to begin."""
    if not is_ending:
        return ServerUnreachable(f"{server} does not answer to IDLE in time", "its log may say why")
    hint = f"if this comes often, something on the way forgets silent connections: shorten {IDLE_RENEW.key}"
    return ServerUnreachable(f"{server} does not answer any more on a session that was open", hint)


def farewell(server: MailServer, name: str, text: bytes) -> ServerBusy:
    """Say how the server took its leave: it stops, or will have this user no longer."""
    return ServerBusy(f"{server} ended the session of {name!r}: {_words(text)}", "its log may say more")


def not_offered(server: MailServer, name: str) -> Unsupported:
    """Say that there is no IDLE for a user."""
    return Unsupported(f"{server} offers {name!r} no IDLE: nothing would tell of new mail")


def refused(server: MailServer, name: str, text: bytes) -> OxpushctlError:
    """Say that the server does not do what it offers, for now or at all."""
    reason = f"{server} refuses IDLE to {name!r}: {_words(text)}"
    return ServerBusy(reason, "its log may say why") if _BUSY.match(text) else Unsupported(reason)


def _words(text: bytes) -> str:
    return clean(text.decode("utf-8", "replace"))
