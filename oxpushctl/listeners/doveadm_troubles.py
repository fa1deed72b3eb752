"""Why doveadm could not be asked: what requests, sockets and TLS mean, said once and for people.

::

    EndpointTrouble          69   NotReachable: refused, no route, no doveadm
    └── TooSlow              69   no answer in time
    SecretRefused            77   NotPermitted: it does not take our key
    NoAnswer                 75   TryLater: nothing came, or nothing of use; what was asked may be to blame
"""

from __future__ import annotations

import errno
import http.client
import os
import ssl
from collections.abc import Callable, Iterator
from http import HTTPStatus

from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ReadTimeoutError

from oxpushctl.config.listening import (
    DOVEADM_CONNECT_TIMEOUT,
    DOVEADM_ENDPOINTS,
    DOVEADM_READ_TIMEOUT,
    DOVEADM_SECRET,
)
from oxpushctl.config.own import TLS_CA
from oxpushctl.errors import NotPermitted, NotReachable, TryLater

_REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
# What a proxy in front says where a worker of Dovecot's died of one of the commands.
_SPOILT = (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_GATEWAY)
_LONGEST_WORDS = 200


class EndpointTrouble(NotReachable):
    """An end-point is of no use now, whatever it is asked."""


class TooSlow(EndpointTrouble):
    """An end-point did not answer in time."""


class SecretRefused(NotPermitted):
    """An end-point does not take our key."""


class NoAnswer(TryLater):
    """A connection ended without an answer, or with one that cannot be used: what was asked may be to blame."""


Trouble = EndpointTrouble | SecretRefused | NoAnswer


def of_status(url: str, status: int, content: bytes) -> Trouble:
    """Say what a status other than 200 means."""
    if status in _REFUSALS:
        hint = "it has to be the doveadm_api_key of the Dovecot servers"
        return SecretRefused(f"{url} refuses {DOVEADM_SECRET.key}: {hint}")
    if status == HTTPStatus.BAD_REQUEST:
        return NoAnswer(f"{url} cannot read what it is asked: {_words(content)}")
    if status in _SPOILT:
        return NoAnswer(f"{url}: the answer has the status {status} (its log may say why)")
    if status == HTTPStatus.NOT_FOUND:
        reason, hint = "there is no doveadm", f"its path in {DOVEADM_ENDPOINTS.key} is most often /doveadm/v1"
    elif HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        reason, hint = "we are sent elsewhere, and do not follow", f"write that address into {DOVEADM_ENDPOINTS.key}"
    else:
        reason, hint = f"the answer has the status {status}", "its log may say why"
    return EndpointTrouble(f"{url}: {reason} ({hint})")


def not_resolved(url: str) -> EndpointTrouble:
    """Say that there is no address to connect to."""
    hint = f"check {DOVEADM_ENDPOINTS.key} and this machine's name service"
    return EndpointTrouble(f"the host of {url} cannot be resolved ({hint})")


def not_doveadm(url: str) -> EndpointTrouble:
    """Say that something else answers."""
    return EndpointTrouble(f"what answers at {url} is not doveadm (correct {DOVEADM_ENDPOINTS.key})")


def too_slow(url: str) -> TooSlow:
    """Say that an answer did not come in time."""
    return TooSlow(f"{url} does not answer in time ({DOVEADM_READ_TIMEOUT.key})")


def of_exchange(url: str, error: Exception) -> EndpointTrouble | NoAnswer:
    """Say what an error of requests is about; its own words may quote what was sent."""
    causes = list(_causes(error))
    for judge in _JUDGES:
        for cause in causes:
            trouble = judge(url, cause)
            if trouble is not None:
                return trouble
    numbers = [cause.errno for cause in causes if isinstance(cause, OSError) and cause.errno]
    words = os.strerror(numbers[-1]).lower() if numbers else "the connection failed"
    return EndpointTrouble(f"{url}: {words}")


def _tls_trouble(url: str, cause: BaseException) -> EndpointTrouble | None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        reason = f"the certificate of {url} cannot be verified: {cause.verify_message}"
        return EndpointTrouble(f"{reason} (name the file of its authority in {TLS_CA.key})")
    if isinstance(cause, ssl.SSLError):
        return EndpointTrouble(f"{url} does not speak TLS as it should (is it http://?)")
    return None


def _time_trouble(url: str, cause: BaseException) -> EndpointTrouble | None:
    if isinstance(cause, ReadTimeoutError):
        return too_slow(url)
    if isinstance(cause, ConnectTimeoutError) and not isinstance(cause, NewConnectionError):
        return EndpointTrouble(f"{url} takes no connection in time ({DOVEADM_CONNECT_TIMEOUT.key})")
    return None


def _connection_trouble(url: str, cause: BaseException) -> EndpointTrouble | NoAnswer | None:
    match cause:
        case ConnectionRefusedError():
            hint = f"start Dovecot with a doveadm HTTP listener, or correct {DOVEADM_ENDPOINTS.key}"
            return EndpointTrouble(f"{url} refuses connections ({hint})")
        case OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH):
            return EndpointTrouble(f"there is no route to {url} (check this machine's network)")
        case http.client.IncompleteRead() | ConnectionError():  # RemoteDisconnected is one of them
            return NoAnswer(f"{url} ends the connection without an answer")
        case http.client.HTTPException():
            return not_doveadm(url)
        case _:
            return None


_JUDGES: tuple[Callable[[str, BaseException], EndpointTrouble | NoAnswer | None], ...] = (
    _tls_trouble,
    _time_trouble,
    _connection_trouble,
)


def _causes(error: Exception) -> Iterator[BaseException]:
    """Yield an error and those that it came from: requests and urllib3 put them into several places."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]


def _words(content: bytes) -> str:
    text = " ".join(content[:_LONGEST_WORDS].decode("utf-8", "replace").split())
    return "".join(char for char in text if char.isprintable())
