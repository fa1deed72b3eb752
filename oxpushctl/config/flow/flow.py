"""The decision flow: would a permanent listener be spawned, and if not, where does it stop.

The questions are those that the middleware really asks, in its order. One is left out: whether update tasks block the
schema, which does not happen here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypedDict

from oxpushctl.config.configuration import Configuration
from oxpushctl.config.flow.facts import fact, line
from oxpushctl.config.flow.implementations import by_hand, cautions, implementation, serving_of
from oxpushctl.config.flow.registration import Target, registration
from oxpushctl.config.flow.sessions import while_connected
from oxpushctl.config.flow.step import Fact, Line, Step, answered
from oxpushctl.config.listening import ALLOW_PERMANENT_PUSH


@dataclass(frozen=True, slots=True)
class Flow:
    """The steps in order: ``implementation`` serves where none stops.

    ``cautions`` say why no push arrives although it serves, ``all_the_same`` which do although none serves.
    ``engine_errors`` is the number of errors with which nothing starts, whatever the flow says.
    """

    target: Target
    steps: tuple[Step, ...]
    implementation: str | None
    cautions: tuple[str, ...] = ()
    all_the_same: str = ""
    engine_errors: int = 0

    @property
    def is_spawned(self) -> bool:
        """Tell whether a permanent listener would be spawned."""
        return self.stop is None

    @property
    def stop(self) -> Step | None:
        """The innermost step at which it stops first."""
        return next((step.stop for step in self.steps if step.is_no), None)


class FactObject(TypedDict):
    """A deciding setting as JSON; ``source`` is ``FILE:LINE``, ``environment``, ``-o`` or ``default``."""

    key: str
    value: str | None
    source: str
    file: str | None
    line: int | None
    note: str


class LineObject(TypedDict):
    """A line to write as JSON; ``place`` is ``FILE:LINE`` where the key is set now, else its customary file."""

    key: str
    value: str
    place: str


class StepObject(TypedDict):
    """A step as JSON; ``answer`` is ``yes``, ``no`` or ``not evaluated``, and each of ``remedies`` a set of lines."""

    step: str
    question: str
    answer: str
    detail: str
    decided_by: list[FactObject]
    note: str
    advice: str
    remedies: list[list[LineObject]]
    steps: list[StepObject]


class FlowObject(TypedDict):
    """A flow as JSON; ``stops_at`` is the name of the innermost step that stops it first.

    With ``engine_errors`` nothing starts, whatever ``spawned`` says.
    """

    spawned: bool
    implementation: str | None
    stops_at: str | None
    user: int | None
    context: int | None
    client: str | None
    engine_errors: int
    steps: list[StepObject]


def evaluate(configuration: Configuration, target: Target | None = None) -> Flow:
    """Go through the flow for this node, or for one user or client."""
    target = target or Target()
    allowed = Step(
        "allowPermanentPush",
        "May this node run permanent listeners?",
        answered(configuration.settings[ALLOW_PERMANENT_PUSH]),
        (fact(configuration, ALLOW_PERMANENT_PUSH),),
        remedies=((line(configuration, ALLOW_PERMANENT_PUSH, "true"),),),
    )
    steps = (allowed, registration(configuration, target), implementation(configuration, target))
    errors = len(configuration.engine_errors)
    if any(step.is_no for step in steps):
        all_the_same = "; ".join(filter(None, (while_connected(configuration), by_hand(configuration))))
        return Flow(target, steps, None, all_the_same=all_the_same, engine_errors=errors)
    serving = next(step for step in steps[-1].steps if step.name == serving_of(steps[-1].steps))
    against = tuple(step.caution for step in steps if step.caution)
    return Flow(target, steps, serving.name, (*against, *cautions(serving)), engine_errors=errors)


def as_object(flow: Flow) -> FlowObject:
    """Write a flow for a program."""
    user = flow.target.user
    *steps, last = flow.steps
    told = replace(last, note=flow.all_the_same or last.note)
    return {
        "spawned": flow.is_spawned,
        "implementation": flow.implementation,
        "stops_at": flow.stop.name if flow.stop else None,
        "user": user.user if user else None,
        "context": user.context if user else None,
        "client": flow.target.client,
        "engine_errors": flow.engine_errors,
        "steps": [_step(step) for step in (*steps, told)],
    }


def _step(step: Step) -> StepObject:
    return {
        "step": step.name,
        "question": step.question,
        "answer": step.answer.value,
        "detail": step.detail,
        "decided_by": [_fact(each) for each in step.decided_by],
        "note": "; ".join(filter(None, (step.note, step.caution))),
        "advice": step.advice,
        "remedies": [[_line(each) for each in remedy] for remedy in step.remedies] if step.is_no else [],
        "steps": [_step(each) for each in step.steps],
    }


def _fact(found: Fact) -> FactObject:
    origin = found.origin
    return {
        "key": found.key,
        "value": found.value,
        "source": "default" if origin is None else str(origin),
        "file": None if origin is None else origin.file,
        "line": None if origin is None else origin.line,
        "note": found.note,
    }


def _line(written: Line) -> LineObject:
    return {"key": written.key, "value": written.value, "place": written.place}
