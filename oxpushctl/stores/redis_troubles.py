"""What the Redis library says went wrong, in our words.

Sources: the error codes of Redis 7 (``src/server.c``, ``createSharedObjects``), which begin an error's text; the
library turns some of them into classes and takes them off the text.
"""

from __future__ import annotations

import os
import ssl

from redis import exceptions

from oxpushctl.errors import ConfigurationError, NotPermitted, NotReachable, OxpushctlError, TryLater
from oxpushctl.stores.redis_connecting import KEY

EXPECTED = (exceptions.RedisError, OSError)

_LOOK_AT_LOGIN = f": look at login and password in {KEY}, and at the rights of this login"
_BUSY_CLASSES = (
    exceptions.BusyLoadingError,
    exceptions.ReadOnlyError,  # a replica, or a master that has just become one
    exceptions.OutOfMemoryError,
    exceptions.MasterDownError,
    exceptions.ClusterDownError,
    exceptions.TryAgainError,
)
_BUSY_CODES = (
    *("BUSY ", "MISCONF ", "NOREPLICAS ", "UNKILLABLE ", "max number of clients reached"),
    *("MASTERDOWN ", "CLUSTERDOWN ", "TRYAGAIN "),  # classes in later releases of the library
)
_LOGIN_CLASSES = (exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError)
# The last two: what a script may not do, in the words of Redis 7.
_LOGIN_WORDS = ("wrong number of arguments for 'auth' command", "can't run this command", "can't access at least one")
_WRONG_WORDS = ("DB index", "WRONGTYPE ", "unknown command", "SELECT is not allowed")


def mapped(error: Exception, name: str) -> tuple[OxpushctlError, bool]:
    """Return an error of ours for one of the library's, and whether the latter may quote a secret."""
    if isinstance(error, exceptions.InvalidResponse):
        return NotReachable(f"{name}: what answers there is no Redis"), True
    text = " ".join(str(error).split())
    # "unknown command 'AUTH', with args beginning with: …" and "… script: NUMBER, on @user_script:3."
    reason, arguments, _ = text.partition(", with args")
    reason, _, _ = reason.partition(" script: ")
    kind, remedy = _kind(error, reason)
    return kind(f"{name}: {_told(error, reason)}{remedy}"), bool(arguments)


def _kind(error: Exception, reason: str) -> tuple[type[OxpushctlError], str]:
    if isinstance(error, _LOGIN_CLASSES) or any(words in reason for words in _LOGIN_WORDS):
        return NotPermitted, _LOOK_AT_LOGIN
    if isinstance(error, exceptions.MovedError) or reason.startswith("MOVED "):
        return ConfigurationError, f": name the node of the cluster in {KEY} that holds this slot"
    if isinstance(error, _BUSY_CLASSES) or any(words in reason for words in _BUSY_CODES):
        return TryLater, ""
    if any(words in reason for words in _WRONG_WORDS):
        return ConfigurationError, f": name another database or server in {KEY}"
    return NotReachable, ""


def _told(error: BaseException, reason: str) -> str:
    """Return the reason in the system's words where it had it from there, as the library adds its own to them."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message.rstrip('.')}"
        if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) and cause.errno:
            return os.strerror(cause.errno) if cause.errno > 0 else cause.strerror or reason  # below: of a look-up
        cause = cause.__cause__ or cause.__context__
    return reason.rstrip(".") or type(error).__name__
