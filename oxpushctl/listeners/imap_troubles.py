"""Why a mailbox could not be opened: what sockets, TLS and the server's answers mean, said once and for people.

::

    ServerUnreachable        69   NotReachable: refused, no route, no answer
    ├── ServerUntrusted      69   no TLS, or a certificate that cannot be verified
    ├── NotAnImapServer      69   something else talks there
    └── TakesNoPasswords     69   it judges none: no PLAIN, or not without TLS
    ServerBusy               75   TryLater: [UNAVAILABLE], [LIMIT], turned away
    LogInRefused             77   NotPermitted: [AUTHENTICATIONFAILED], [CONTACTADMIN] and the like
"""

from __future__ import annotations

import errno
import imaplib
import os
import re
import ssl

from oxpushctl.config.own import TLS_CA
from oxpushctl.config.properties import MAIL_SERVER_URL, REQUIRE_TLS
from oxpushctl.errors import NotPermitted, NotReachable, OxpushctlError, TryLater
from oxpushctl.listeners.imap_echo import quotes
from oxpushctl.listeners.imap_wire import TooMuch
from oxpushctl.listeners.mail_server import Encryption, LogIn, MailServer

_LONGEST_ANSWER = 200
_RESPONSE_CODE = re.compile(r"\[([A-Z-]+)[^\]]*\]")  # RFC 5530
_BUSY = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG"})

# OpenSSL's numbers of what is wrong with a certificate (x509_vfy.h) → what it is and what to do about it.
_OWN_AUTHORITY = f"name the file of the authority's certificate in {TLS_CA.key}"
_OTHER_NAME = f"write a name into {MAIL_SERVER_URL.key} that the certificate has"
_FAULTS = {
    9: ("is not valid yet", "set this machine's clock right, or the server's certificate"),
    10: ("has expired", "renew it at the mail server"),
    18: ("is self-signed", f"name its file in {TLS_CA.key}"),
    19: ("is of an authority that is not trusted here", _OWN_AUTHORITY),
    20: ("is of an authority that is not trusted here", _OWN_AUTHORITY),
    21: ("is of an authority that is not trusted here, or lacks one in between", _OWN_AUTHORITY),
    62: ("is for another name", _OTHER_NAME),
    64: ("is for another address", _OTHER_NAME),
}
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")

# How imaplib begins what it says about lines that are not IMAP.
_NOT_IMAP = (
    "unexpected response",
    "unexpected tagged response",
    "unterminated line",
    "no CAPABILITY response",
    "not IMAP4 compliant",
    "command error",
)
# What it raises besides, over lines that it does not expect.
UNREADABLE = ValueError | AttributeError | TypeError | LookupError
# How it shows what bytes it means.
_SHOWN_BYTES = re.compile(r"""\[?\bb(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\]?""")
_BLANKS = {"n": " ", "r": " ", "t": " "}
_ESCAPED = re.compile(r"\\(?:x([0-9a-f]{2})|(.))")

_REFUSALS = {
    "CONTACTADMIN": "the account is blocked at the mail server, whose log says why",
    "EXPIRED": "the password has to be changed at the mail server",
    "AUTHORIZATIONFAILED": "the mail server does not let this log-in open that mailbox",
}
_WAITS = {
    "LIMIT": "it counts connections by user and address: Dovecot's mail_max_userip_connections must suit this gateway",
    "UNAVAILABLE": "its user database or a server behind it does not answer: its log says more",
}


class _Explained(OxpushctlError):
    """A failure with what to do about it; its text has both."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(f"{reason} ({hint})" if hint else reason)
        self.reason = reason
        self.hint = hint


class ServerUnreachable(_Explained, NotReachable):
    """The mail server does not answer as one does."""


class ServerUntrusted(ServerUnreachable):
    """The way to the mail server is not encrypted as it has to be, or nobody vouches for who is at its end."""


class NotAnImapServer(ServerUnreachable):
    """What answers is no IMAP server."""


class TakesNoPasswords(ServerUnreachable):
    """The mail server takes no log-in of this kind here, whoever's it is: nothing was said of the password."""


class ServerBusy(_Explained, TryLater):
    """The mail server cannot let anybody, or this user, in now."""


class LogInRefused(_Explained, NotPermitted):
    """The mail server does not let this user in with these credentials.

    ``hint`` is empty where the server says no more than that; who knows where the credentials came from fills it in.
    """


def not_resolved(server: MailServer) -> ServerUnreachable:
    """Say that there is no address to connect to, whether the name service knows of none or does not answer."""
    hint = f"check {MAIL_SERVER_URL.key} and this machine's name service"
    return ServerUnreachable(f"the name {server.host} cannot be resolved", hint)


def not_connected(server: MailServer, error: OSError) -> ServerUnreachable:
    """Say why there is no connection."""
    match error:
        case ConnectionRefusedError():
            hint = f"start the mail server, or correct the port in {MAIL_SERVER_URL.key}"
            return ServerUnreachable(f"{server} refuses connections", hint)
        case TimeoutError():
            return ServerUnreachable(f"{server} does not answer", "a firewall on the way may drop what is sent")
        case OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH):
            return ServerUnreachable(f"there is no route to {server}", "check this machine's network")
        case _:
            return ServerUnreachable(f"{server}: {_words(error)}")


def not_encrypted(server: MailServer, error: OSError) -> ServerUnreachable:
    """Say why there is no TLS."""
    match error:
        case ssl.SSLCertVerificationError():
            unknown = f"cannot be verified: {error.verify_message}"
            fault, hint = _FAULTS.get(error.verify_code, (unknown, _OWN_AUTHORITY))
            return ServerUntrusted(f"the certificate of {server} {fault}", hint)
        case ssl.SSLError() if any(word in (error.reason or "") for word in _NOT_TLS):
            hint = "write imap:// for a port that begins without TLS, or the port of IMAP over TLS, most often 993"
            return ServerUntrusted(f"{server} does not speak TLS", hint)
        case ssl.SSLError():
            return ServerUntrusted(f"TLS with {server} failed: {_words(error)}")
        case TimeoutError():
            return ServerUntrusted(f"{server} does not answer to TLS", "is this its port for IMAP over TLS?")
        case _:
            return ServerUntrusted(f"{server} ended the connection when TLS began: {_words(error)}")


def no_starttls(server: MailServer, answer: str = "") -> ServerUntrusted:
    """Say that the server does not encrypt where it has to; ``answer`` is what it said when it was asked to."""
    hint = f"switch TLS on there and write imaps://, or set {REQUIRE_TLS.key} to false where nobody can listen in"
    reason = f"{server} refuses STARTTLS: {clean(answer)}" if answer else f"{server} offers no STARTTLS"
    return ServerUntrusted(reason, hint)


def no_greeting(server: MailServer, error: Exception, *, is_silent: bool = False) -> ServerUnreachable | ServerBusy:
    """Say why no IMAP came of a connection; ``is_silent``: not a byte came."""
    text = clean(answer_of(error))
    if isinstance(error, TimeoutError) and is_silent:
        is_tls = server.encryption is Encryption.TLS
        hint = "" if is_tls else "a port that speaks TLS from the first byte on is written imaps://"
        return NotAnImapServer(f"{server} takes the connection and says nothing", hint)
    if isinstance(error, TimeoutError):
        return NotAnImapServer(f"{server} begins to answer, but does not end in time", "its log may say why")
    if text.startswith("* BYE"):
        return ServerBusy(f"{server} turns us away: {text.removeprefix('* ')}", "its log says why")
    if isinstance(error, UNREADABLE) or any(words in text for words in _NOT_IMAP):
        return NotAnImapServer(f"{server} does not speak IMAP: {text}", f"correct the port in {MAIL_SERVER_URL.key}")
    reason = f"{server} ends the connection before a log-in: {text}"
    return ServerUnreachable(reason, "its log says why: a limit, an access list, or it wants imaps://")


def not_logged_in(server: MailServer, log_in: LogIn, error: Exception) -> LogInRefused | ServerBusy | TakesNoPasswords:
    """Say what an answer to a log-in means."""
    who = f"{log_in.name!r}"
    if isinstance(error, TimeoutError):
        hint = "all its processes may be taken: Dovecot's service imap { process_limit }"
        return ServerBusy(f"{server} does not answer to the log-in of {who}", hint)
    said = answer_of(error)[: 10 * _LONGEST_ANSWER]
    match = _RESPONSE_CODE.match(said)
    code = match[1] if match else ""
    text = clean(said)
    if quotes(said, log_in):
        shown = "" if not code or quotes(code, log_in) else f"[{code}] "
        text = f"{shown}its words quote the log-in, and are not repeated here"
    if isinstance(error, OSError | imaplib.IMAP4.abort | UNREADABLE) or code in _BUSY:
        return ServerBusy(f"{server} cannot let {who} in now: {text}", _WAITS.get(code, ""))
    if code == "PRIVACYREQUIRED":
        return TakesNoPasswords(f"{server} takes no password without TLS: {text}", "write imaps:// if it has it")
    return LogInRefused(f"{server} does not let {who} in: {text}", _REFUSALS.get(code, ""))


def not_answered(server: MailServer, error: Exception) -> ServerUnreachable | ServerBusy:
    """Say what ended a connection of a user that was logged in."""
    if isinstance(error, TimeoutError):
        return ServerUnreachable(f"{server} does not answer in time", "its log may say why")
    text = clean(answer_of(error)[: 10 * _LONGEST_ANSWER])
    if isinstance(error, imaplib.IMAP4.error) and not isinstance(error, imaplib.IMAP4.abort):
        return ServerBusy(f"{server} refuses a command: {text}", "its log says why")
    return ServerUnreachable(f"{server} ended the connection: {text}", "its log may say why")


def answer_of(error: Exception) -> str:
    """Return the server's words from an exception of imaplib, or what else ended an exchange."""
    if isinstance(error, OSError | UNREADABLE):
        return _words(error)
    said = error.args[0] if error.args else ""
    if said is None:  # a line that begins with a +, which imaplib takes for a request to go on
        return "unexpected response: +"
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    text = re.sub(r"^command: \w+ => ", "", text).replace("socket error: EOF", "it ended the connection")
    text = text.removeprefix("socket error: ")
    return _SHOWN_BYTES.sub(lambda shown: _unescaped(shown[1] or shown[2] or ""), text)


def clean(text: str) -> str:
    """Shorten a server's words to what fits a line, one line and printable."""
    return "".join(c if c.isprintable() else " " for c in text[:_LONGEST_ANSWER]).strip() or "no reason given"


def _unescaped(shown: str) -> str:
    """Return the text behind Python's way to show bytes."""
    text = _ESCAPED.sub(
        lambda escape: chr(int(escape[1], 16)) if escape[1] else _BLANKS.get(escape[2], escape[2]), shown
    )
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def _words(error: Exception) -> str:
    """Return what is wrong in words: the system's, OpenSSL's or ours; Python's own are nobody's business."""
    match error:
        case ssl.SSLError():
            return (error.reason or "it ended early").lower().replace("_", " ")
        case OSError():
            return os.strerror(error.errno).lower() if error.errno else str(error)
        case TooMuch():
            return str(error)
        case _:
            return "its answer cannot be read"
