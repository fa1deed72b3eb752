"""Draw the decision flow as a tree of plain text, on a terminal and in a file alike.

::

    Would a permanent listener be spawned on this node?
    │
    ├─ ✔ May this node run permanent listeners? yes
    │     com.openexchange.push.allowPermanentPush = true  (default)
    …
    └─ ✘ No: it stops at “Can dovecot register mailboxes?”
         Set
             com.openexchange.mail.mailServer=imaps://mail.example.com  (mail.properties)
"""

from __future__ import annotations

from collections.abc import Iterator

from oxpushctl.config.flow import Flow
from oxpushctl.config.flow_step import Answer, Fact, Remedy, Step

_MARKS = {Answer.YES: "✔", Answer.NO: "✘", Answer.NOT_EVALUATED: "–"}
_ASCII = str.maketrans(dict(zip("│├└─✔✘–“”", '||`-+x-""', strict=True)) | {"…": "..."})
_LONGEST_VALUE = 80
_VERSION = "This version of oxpushctl runs no listeners yet; it takes the notify requests that Dovecot sends."


def drawn(flow: Flow, encoding: str = "utf-8") -> str:
    """Return the flow as lines of text, without a line end after the last one; in ASCII where the encoding is poor."""
    lines = [f"Would a permanent listener be spawned {flow.about}?", "│"]
    for step in flow.steps:
        lines += _branch(step, "", is_last=False)
    lines += [*_outcome(flow), "", _VERSION]
    text = "\n".join(_printable(line) for line in lines)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    return text


def _branch(step: Step, indent: str, *, is_last: bool) -> Iterator[str]:
    answer = f"{step.answer.value}: {step.detail}" if step.detail else step.answer.value
    yield f"{indent}{'└─' if is_last else '├─'} {_MARKS[step.answer]} {step.question} {answer}"
    below = indent + ("   " if is_last else "│  ")
    text = below + ("│" if step.steps else " ") + "   "
    for fact in step.decided_by:
        yield f"{text}{_fact(fact)}"
        if fact.note:
            yield f"{text}({fact.note})"
    if step.note:
        yield f"{text}({step.note})"
    for at, each in enumerate(step.steps, start=1):
        yield from _branch(each, below, is_last=at == len(step.steps))


def _fact(fact: Fact) -> str:
    if fact.value is None:
        said = "is not set"
    elif not fact.value:
        said = "is empty"
    else:
        said = f"= {fact.value if len(fact.value) <= _LONGEST_VALUE else fact.value[:_LONGEST_VALUE] + '…'}"
    place = str(fact.origin or ("" if fact.value is None else "default"))
    return f"{fact.key} {said}  ({place})" if place else f"{fact.key} {said}"


def _outcome(flow: Flow) -> Iterator[str]:
    if flow.is_spawned:
        yield f"└─ ✔ Yes: {flow.implementation} serves."
    else:
        stopping = [step for step in flow.steps if step.is_no]
        yield f"└─ ✘ No: it stops at “{stopping[0].stop.question}”"
        yield from _cure(stopping[0])
        for step in stopping[1:]:
            yield f"     and it would stop at “{step.stop.question}”"
            yield from _cure(step)
    if flow.errors:
        number = f"{flow.errors} error{'' if flow.errors == 1 else 's'}"
        yield f"     {number} in this configuration, with which nothing starts: oxpushctl config check names all."


def _cure(step: Step) -> Iterator[str]:
    """Say what to do about a step that stops the flow."""
    if step.advice:
        yield f"     {step.advice}"
    for at, remedy in enumerate(step.remedies):
        yield "     or" if at else "     Set"
        yield from _written(remedy)


def _written(remedy: Remedy) -> Iterator[str]:
    texts = [f"{line.key}={line.value}" for line in remedy]
    width = max(map(len, texts))
    for text, line in zip(texts, remedy, strict=True):
        yield f"         {text:<{width}}  ({line.place})"


def _printable(text: str) -> str:
    """Write control characters and lone surrogates as escapes: files hold anything, a terminal obeys it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
