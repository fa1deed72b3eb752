"""What is known of one user's listener: half a million of these are held at once."""

from __future__ import annotations

from oxpushctl.model import Health, PushListener, PushUser

NOBODY = -1


class ListenerRecord:
    """The reasons for which a user is listened for, how its listener fares, and what is to be done about it.

    Implementations have numbers, ``touched`` and ``unsupported`` are sets of them, a bit each. Times are in epoch
    seconds for people, the others (``due``, ``up_at``, ``offer_at``) in seconds that never jump.
    """

    __slots__ = (
        "due",
        "failures",
        "has_session",
        "health",
        "implementation",
        "is_busy",
        "is_changed",
        "is_elsewhere",
        "is_fresh",
        "is_lost",
        "is_queued",
        "is_registered",
        "is_urgent",
        "last_event",
        "offer_at",
        "owes_forgetting",
        "proven_at",
        "reason",
        "seen",
        "since",
        "started_permanent",
        "touched",
        "unsupported",
        "up_at",
        "user",
    )

    def __init__(self, user: PushUser, since: float) -> None:
        self.user = user
        # Why: an allowed client is registered, an allowed client has a socket open.
        self.is_registered = False
        self.has_session = False
        # Another node listens for it from here on: what is registered for it at mail servers stays.
        self.is_elsewhere = False
        # In which look at all registrations it was seen last, and whether somebody may hear for it from before.
        self.seen = 0
        self.is_fresh = True
        # How it fares.
        self.health = Health.STARTING
        self.implementation = NOBODY
        self.started_permanent = False
        self.since = since
        self.up_at = 0.0
        self.last_event: float | None = None
        self.proven_at: float | None = None
        self.reason = ""
        # Failures of one kind in a row; who may hear for it and would have to be stopped; who cannot, and until when.
        self.failures = 0
        self.touched = 0
        self.unsupported = 0
        self.offer_at = 0.0
        # What subscribing stored is to be forgotten, once nobody hears for it any more.
        self.owes_forgetting = False
        # On the agenda: at once, or when it is due; and what happened while somebody was at it.
        self.is_queued = False
        self.is_urgent = False
        self.due: float | None = None
        self.is_busy = False
        self.is_changed = False
        self.is_lost = False

    @property
    def is_wanted(self) -> bool:
        """Whether there is a reason to listen."""
        return self.is_registered or self.has_session

    @property
    def is_up(self) -> bool:
        """Whether an implementation hears for it, as far as is known."""
        return self.health is Health.OK

    def shown(self, node: str, implementation: str) -> PushListener:
        """Return what is seen of it from outside."""
        return PushListener(
            user=self.user,
            is_permanent=self.is_registered,
            node=node,
            implementation=implementation,
            health=self.health,
            since=self.since,
            last_event=self.last_event,
            proven_at=self.proven_at,
            reason=self.reason,
        )


def numbers(bits: int) -> list[int]:
    """Return the implementations of a set, in their order."""
    return [number for number in range(bits.bit_length()) if bits >> number & 1]
