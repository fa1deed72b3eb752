"""A kind of finding and what to know about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of finding: ``text`` explains it in sentences for the operator."""

    code: str
    title: str
    text: str
