"""What the decision flow is made of: steps, each a question with its answer, and the settings that decided it."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, product

from oxpushctl.config.settings import Origin


class Answer(enum.Enum):
    """What a step says; one that is not evaluated stops nothing."""

    YES = "yes"
    NO = "no"
    NOT_EVALUATED = "not evaluated"


@dataclass(frozen=True, slots=True)
class Fact:
    """A setting that decided a step: ``value`` as it is written, ``(set)`` for a secret, ``None`` where there is none.

    ``origin`` ``None`` is the default; ``note`` says what may be otherwise.
    """

    key: str
    value: str | None
    origin: Origin | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line to write: ``place`` is where the key is set now, else its customary file."""

    key: str
    value: str
    place: str


Remedy = tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One question of the flow.

    ``detail`` follows the answer (``yes: always``) and ``note`` what else is to be known; ``caution`` is why no push
    arrives all the same. Where the answer is no, each of ``remedies`` turns it into yes, and ``advice`` says what no
    setting does. Of ``steps`` all must pass, or one where ``is_choice``.
    """

    name: str
    question: str
    answer: Answer
    decided_by: tuple[Fact, ...] = ()
    detail: str = ""
    note: str = ""
    caution: str = ""
    advice: str = ""
    remedies: tuple[Remedy, ...] = ()
    steps: tuple[Step, ...] = ()
    is_choice: bool = False

    @property
    def is_no(self) -> bool:
        """Tell whether the flow stops here."""
        return self.answer is Answer.NO

    @property
    def progress(self) -> int:
        """How many of the steps below pass before one stops."""
        return next((at for at, step in enumerate(self.steps) if step.is_no), len(self.steps))

    @property
    def stop(self) -> Step:
        """The innermost step that stops this one; of a choice, that of the alternative that came furthest."""
        if self.is_choice:
            furthest = max(self.steps, key=lambda step: step.progress)
            return furthest.stop if furthest.progress else self
        return next((step.stop for step in self.steps if step.is_no), self)


def answered(is_yes: bool) -> Answer:
    """Return yes or no."""
    return Answer.YES if is_yes else Answer.NO


def together(steps: Sequence[Step]) -> tuple[Remedy, ...]:
    """Return what makes all steps pass: one remedy of each that stops, in all combinations; none where one has none."""
    combinations = product(*(step.remedies for step in steps if step.is_no))
    return tuple(remedy for remedy in (tuple(chain.from_iterable(each)) for each in combinations) if remedy)
