"""What a provider's answer means to us: the ruling behind a row of its table, waiting times, ends without an answer."""

from __future__ import annotations

import datetime
import email.utils
from dataclasses import dataclass

from oxpushctl.errors import NotReachable
from oxpushctl.model import Outcome, Scope, Verdict

LONGEST_WAIT_S = 24 * 3600.0
_LONGEST_REASON = 120


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one of a provider's reasons means and what an operator should do about it.

    ``least_wait_s`` is the shortest time that the provider wants us to wait, whatever its Retry-After says.
    """

    verdict: Verdict
    scope: Scope = Scope.MESSAGE
    advice: str = ""
    is_doubtful: bool = False
    are_credentials_refused: bool = False
    least_wait_s: float | None = None

    def outcome(
        self, reason: str, *, status: int, retry_after_s: float | None = None, gone_since_ms: int | None = None
    ) -> Outcome:
        """Return the outcome of one answer; a waiting time is dropped where nothing is sent again."""
        is_repeatable = self.verdict in (Verdict.THROTTLED, Verdict.UNREACHABLE)
        waits = [wait for wait in (retry_after_s, self.least_wait_s) if wait is not None]
        return Outcome(
            self.verdict,
            self.scope,
            reason=clip(reason),
            advice=self.advice,
            status=status,
            retry_after_s=max(waits) if is_repeatable and waits else None,
            gone_since_ms=gone_since_ms,
            is_doubtful=self.is_doubtful,
            are_credentials_refused=self.are_credentials_refused,
        )


def unreachable(error: NotReachable, *, advice: str = "", are_credentials_refused: bool = False) -> Outcome:
    """Return the outcome of an attempt that ended without an answer."""
    return Outcome(
        Verdict.UNREACHABLE,
        Scope.CLIENT,
        reason=str(error),
        advice=advice or "Nothing is lost: pushes are kept and tried again. Check network, proxy and firewall.",
        are_credentials_refused=are_credentials_refused,
    )


def not_configured(client: str) -> Outcome:
    """Return the outcome for a client without usable credentials."""
    return Outcome(
        Verdict.UNREACHABLE,
        Scope.CLIENT,
        reason=f"no usable credentials for {client}",
        advice="Run oxpushctl config check: it says what is wrong with the client's options.",
        are_credentials_refused=True,
    )


def malformed_token() -> Outcome:
    """Return the outcome for a text that no provider hands out as a token; it is not sent to anybody."""
    return Outcome(
        Verdict.TOKEN_GONE,
        Scope.DEVICE,
        reason="malformed token",
        advice="The app registered something that is not a device token; it was not sent.",
        is_doubtful=True,
    )


def clip(word: str) -> str:
    """Shorten a provider's word to what fits a log line, one line and printable."""
    return "".join(c if c.isprintable() else " " for c in word[:_LONGEST_REASON])


def retry_after_s(value: str | None, now: float) -> float | None:
    """Read a Retry-After header (RFC 9110, 10.2.3): seconds or an HTTP date; anything else counts as none.

    ``now`` is in epoch seconds; the result lies between 0 and a day.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        # int() itself refuses some thousand digits
        return min(float(int(value[:20])), LONGEST_WAIT_S)
    try:
        at = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=datetime.UTC)
    return min(max(at.timestamp() - now, 0.0), LONGEST_WAIT_S)
