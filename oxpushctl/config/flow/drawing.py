"""Draw the decision flow as plain text, on a terminal and in a file alike: the outcome, what to set, and the tree.

::

    Would a permanent listener be spawned on this node?
    ✘ No: it stops at “Can dovecot register mailboxes?”
      Set
          # mail.properties
          com.openexchange.mail.mailServer=imaps://mail.example.com
    │
    ├─ ✔ May this node run permanent listeners? yes
    │      com.openexchange.push.allowPermanentPush = true  (default)
    …
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import groupby

from oxpushctl.config.flow.flow import Flow
from oxpushctl.config.flow.layout import Line, folded, text
from oxpushctl.config.flow.step import Answer, Fact, Remedy, Step
from oxpushctl.config.text import shortened

WIDTH = 120  # where there is no terminal
_NARROWEST = 40  # below it the tree alone would fill the lines

_MARKS = {Answer.YES: "✔", Answer.NO: "✘", Answer.NOT_EVALUATED: "–"}
_ASCII = str.maketrans(dict(zip("│├└─✔✘–“”", '||`-+x-""', strict=True)) | {"…": "..."})
_LONGEST_VALUE = 80


def drawn(flow: Flow, encoding: str = "utf-8", width: int = WIDTH) -> str:
    """Return the flow as lines of text, without a line end after the last one; in ASCII where the encoding is poor."""
    width = max(width, _NARROWEST)
    tree = "\n".join(folded(_lines(flow), width))
    try:
        tree.encode(encoding)
    except UnicodeEncodeError:
        return "\n".join(folded((line.rewritten(partial(_in_ascii, encoding)) for line in _lines(flow)), width))
    return tree


def _in_ascii(encoding: str, text: str) -> str:
    return text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)


def _lines(flow: Flow) -> Iterator[Line]:
    yield text("", "", f"Would a permanent listener be spawned {flow.target}?")
    yield from _outcome(flow)
    yield Line("│")
    for at, step in enumerate(flow.steps, start=1):
        is_last = at == len(flow.steps)
        # Where no listener may run at all, why else none would is a line each.
        if at > 1 and flow.steps[0].is_no:
            yield _question(step, "", is_last=is_last)
        else:
            yield from _branch(step, "", is_last=is_last)
    if flow.all_the_same:
        yield Line("")
        yield text("", "", f"All the same, {flow.all_the_same}.")


def _branch(step: Step, indent: str, *, is_last: bool) -> Iterator[Line]:
    yield _question(step, indent, is_last=is_last)
    # One that is merely not enabled is told by the setting alone.
    is_off = len(step.steps) == 1 and step.steps[0].is_no and not step.decided_by
    shown = step.steps[0] if is_off else step
    below, beside = _edges(shown, indent, is_last=is_last)
    for fact in shown.decided_by:
        yield Line(beside, f"{beside}    ", _fact(fact))
        if fact.note:
            yield text(f"{beside}(", f"{beside} ", f"{fact.note})")
    for note in filter(None, (step.note, step.caution)):
        yield text(f"{beside}(", f"{beside} ", f"{note})")
    for at, each in enumerate(shown.steps, start=1):
        yield from _branch(each, below, is_last=at == len(shown.steps))


def _question(step: Step, indent: str, *, is_last: bool) -> Line:
    answer = f"{step.answer.value}: {step.detail}" if step.detail else step.answer.value
    _, beside = _edges(step, indent, is_last=is_last)
    return text(f"{indent}{'└─' if is_last else '├─'} {_MARKS[step.answer]} ", beside, f"{step.question} {answer}")


def _edges(step: Step, indent: str, *, is_last: bool) -> tuple[str, str]:
    """Return what stands before the steps below a step, and before what is said of the step itself."""
    below = indent + ("   " if is_last else "│  ")
    return below, f"{below}{'│' if step.steps else ' '}   "


def _fact(fact: Fact) -> tuple[str, ...]:
    if fact.value is None:
        said = "is not set"
    elif not fact.value:
        said = "is empty"
    else:
        said = f"= {shortened(fact.value, _LONGEST_VALUE)}"
    place = str(fact.origin or ("" if fact.value is None else "default"))
    return (fact.key, said, f" ({place})") if place else (fact.key, said)


def _outcome(flow: Flow) -> Iterator[Line]:
    if flow.is_spawned:
        yield text("✔ ", "  ", f"Yes: {flow.implementation} serves.")
        for caution in flow.cautions:
            yield text("  ", "  ", f"But {caution}.")
    else:
        first, *others = (step for step in flow.steps if step.is_no)
        yield text("✘ ", "  ", f"No: it stops at “{first.stop.question}”")
        yield from _cure(first)
        for step in others:
            yield text("  ", "  ", f"and it would stop at “{step.stop.question}”")
            if not flow.steps[0].is_no:
                yield from _cure(step)
    if flow.engine_errors:
        number = f"{flow.engine_errors} error{'' if flow.engine_errors == 1 else 's'}"
        words = f"{number} in this configuration, with which nothing starts: oxpushctl config check names all."
        yield text("  ", "  ", words)


def _cure(step: Step) -> Iterator[Line]:
    """Say what to do about a step that stops the flow."""
    if step.advice:
        yield text("  ", "  ", step.advice)
    for at, remedy in enumerate(step.remedies):
        yield Line("  or" if at else "  Set")
        yield from _written(remedy)


def _written(remedy: Remedy) -> Iterator[Line]:
    """Write settings as a file takes them: where each belongs is a comment of its own, and no line is broken."""
    for place, lines in groupby(remedy, key=lambda line: line.place):
        yield Line("      ", words=(f"# {place}",))
        for line in lines:
            yield Line("      ", words=(f"{line.key}={line.value}",))
