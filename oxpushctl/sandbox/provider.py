"""What Apple's and Google's stand-ins have in common: a request is read, judged, and answered in their words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from oxpushctl.sandbox.exchange import Answer, Json, Request

NO_DEVICE = "0" * 64
"""A token that neither of them ever hands out: who shows good credentials is told so."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a push is not delivered: the provider's status and word, and Google's sentence and field."""

    status: int
    reason: str
    message: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Received:
    """What a request turned out to be; fields are empty as far as it did not come.

    ``is_rehearsal``: it asks to be checked and not delivered.
    """

    id: str
    token: str = field(default="", repr=False)
    topic: str = ""
    project: str = ""
    authentication: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    payload: Mapping[str, Json] = field(default_factory=dict, repr=False)
    refusal: Refusal | None = None
    is_rehearsal: bool = False


class Provider(Protocol):
    """Apple or Google."""

    @property
    def name(self) -> str:
        """``apns`` or ``fcm``."""

    def receive(self, request: Request) -> Received:
        """Read a push and check everything that the provider checks."""

    def refusal(self, status: int) -> Refusal:
        """Return the refusal that a scripted status stands for."""

    def answer(self, received: Received, refusal: Refusal | None, *, at: float, number: int | None) -> Answer:
        """Write the answer; ``number`` is the script's time stamp or ``Retry-After``."""
