"""The flow's question of how new mail is heard of: dovecot, imapidle and mailnotify, in this order; one serves."""

from __future__ import annotations

from collections.abc import Sequence

from oxpushctl.config.flow_facts import change, fact
from oxpushctl.config.flow_mailbox import log_in, registering
from oxpushctl.config.flow_registration import About
from oxpushctl.config.flow_step import Answer, Step, answered, together
from oxpushctl.config.listening import DOVECOT_ENABLED, IDLE_ENABLED, IDLE_PERMANENT, NOTIFY_ENABLED
from oxpushctl.config.property import Property
from oxpushctl.config.reading import Configuration


def implementation(configuration: Configuration, about: About) -> Step:
    """Ask each implementation until one serves; those after it are not asked."""
    steps: list[Step] = []
    for name, questions in (("dovecot", _dovecot), ("imapidle", _imapidle), ("mailnotify", _mailnotify)):
        serving = serving_of(steps)
        if serving is None:
            steps.append(_asked(name, questions(configuration, about)))
        else:
            steps.append(Step(name, f"Does {name} serve?", Answer.NOT_EVALUATED, detail=f"{serving} does already"))
    serving = serving_of(steps)
    by_progress = sorted(steps, key=lambda step: step.progress, reverse=True)
    return Step(
        "implementation",
        "Does an implementation serve?",
        answered(serving is not None),
        detail=serving or "",
        advice=next((each.advice for each in by_progress[0].steps if each.advice), ""),
        remedies=next((step.remedies for step in by_progress if step.remedies), ()),
        steps=tuple(steps),
        is_choice=True,
    )


def serving_of(steps: Sequence[Step]) -> str | None:
    """Return the name of the implementation that serves, if one does."""
    return next((step.name for step in steps if step.answer is Answer.YES), None)


def _asked(name: str, steps: tuple[Step, ...]) -> Step:
    is_serving = not any(step.is_no for step in steps)
    # What else stops one that is off is told in the remedies only.
    shown = steps[:1] if steps[0].is_no else steps
    return Step(name, f"Does {name} serve?", answered(is_serving), remedies=together(steps), steps=shown)


def _dovecot(configuration: Configuration, about: About) -> tuple[Step, ...]:
    return (
        _switch(configuration, "dovecot.enabled", "Is dovecot enabled?", DOVECOT_ENABLED),
        Step(
            "dovecot.supportsPermanentListeners", "Does dovecot run permanent listeners?", Answer.YES, detail="always"
        ),
        registering(configuration, about),
    )


def _imapidle(configuration: Configuration, about: About) -> tuple[Step, ...]:
    return (
        _switch(configuration, "imapidle.enabled", "Is imapidle enabled?", IDLE_ENABLED),
        _switch(
            configuration,
            "imapidle.supportsPermanentListeners",
            "Does imapidle run permanent listeners?",
            IDLE_PERMANENT,
        ),
        log_in(configuration, about, "imapidle.login", "Can imapidle log in at the mail server?"),
    )


def _mailnotify(configuration: Configuration, _about: About) -> tuple[Step, ...]:
    return (
        _switch(configuration, "mailnotify.enabled", "Is mailnotify enabled?", NOTIFY_ENABLED),
        Step(
            "mailnotify.supportsPermanentListeners",
            "Does mailnotify run permanent listeners?",
            Answer.YES,
            detail="always, without a log-in",
        ),
    )


def _switch(configuration: Configuration, name: str, question: str, row: Property[bool]) -> Step:
    return Step(
        name,
        question,
        answered(configuration.settings[row]),
        (fact(configuration, row),),
        remedies=((change(configuration, row, "true"),),),
    )
