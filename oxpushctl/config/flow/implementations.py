"""The flow's question of how new mail is heard of: dovecot, imapidle and mailnotify, in this order; one serves."""

from __future__ import annotations

from collections.abc import Sequence

from oxpushctl.config.clients import selection
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.flow import world
from oxpushctl.config.flow.facts import fact, line
from oxpushctl.config.flow.mailbox import lacking, log_in, registering
from oxpushctl.config.flow.registration import Target
from oxpushctl.config.flow.step import Answer, Step, answered, together
from oxpushctl.config.flow.stored import Lack, lacks_datagram_name
from oxpushctl.config.listening import DOVECOT_ENABLED, IDLE_ENABLED, IDLE_PERMANENT, NOTIFY_ENABLED
from oxpushctl.config.own import IDLE_SESSIONS, REGISTRATION
from oxpushctl.config.properties import PASSCRYPT, REST_LOGIN, REST_PASSWORD
from oxpushctl.config.property import Property
from oxpushctl.registration import SIGNED


def implementation(configuration: Configuration, target: Target) -> Step:
    """Ask each implementation until one serves; those after it are not asked."""
    steps: list[Step] = []
    cautions_of = {"dovecot": world.against_deliveries(configuration)}
    for name, questions in (("dovecot", _dovecot), ("imapidle", _imapidle), ("mailnotify", _mailnotify)):
        serving = serving_of(steps)
        if serving is None:
            steps.append(_asked(name, questions(configuration, target), cautions_of.get(name, "")))
        else:
            steps.append(Step(name, f"Does {name} serve?", Answer.NOT_EVALUATED, detail=f"{serving} does already"))
    serving = serving_of(steps)
    by_progress = sorted(steps, key=lambda step: step.progress, reverse=True)
    furthest = by_progress[0]
    # Where no setting of ours helps dovecot, or one user, another implementation is not what was meant.
    lack = _lacks_name(configuration, target) if furthest.name == "mailnotify" else lacking(configuration, target)
    cures = [furthest] if furthest.name == "dovecot" or lack is not None else by_progress
    return Step(
        "implementation",
        "Does an implementation serve?",
        answered(serving is not None),
        detail=serving or "",
        advice=next((each.advice for each in furthest.steps if each.advice), ""),
        remedies=next((step.remedies for step in cures if step.remedies), ()),
        steps=tuple(steps),
        is_choice=True,
    )


def serving_of(steps: Sequence[Step]) -> str | None:
    """Return the name of the implementation that serves, if one does."""
    return next((step.name for step in steps if step.answer is Answer.YES), None)


def _asked(name: str, steps: tuple[Step, ...], caution: str) -> Step:
    is_serving = not any(step.is_no for step in steps)
    # What else stops one that is off is told in the remedies only.
    is_off = steps[0].is_no
    return Step(
        name,
        f"Does {name} serve?",
        answered(is_serving),
        caution="" if is_off else caution,
        remedies=together(steps),
        steps=steps[:1] if is_off else steps,
    )


def cautions(serving: Step) -> tuple[str, ...]:
    """Return why no push arrives although an implementation serves."""
    return tuple(step.caution for step in (serving, *serving.steps) if step.caution)


def by_hand(configuration: Configuration) -> str:
    """Say that notify requests become pushes without any permanent listener, where nothing is known against it."""
    settings = configuration.settings
    is_usable = any(selection.is_switched_on(client, settings) for client in configuration.usable_clients)
    is_lost = (
        # By hand it is plain ones that are written.
        (settings[REGISTRATION] == SIGNED and bool(settings[PASSCRYPT]))
        or bool(world.against_registering(configuration, is_over_imap=True))
        or bool(world.against_deliveries(configuration))
    )
    if not (settings[REST_LOGIN] and settings[REST_PASSWORD] and is_usable) or configuration.engine_errors or is_lost:
        return ""
    return "mailboxes that are registered at Dovecot by hand get their pushes without a permanent listener"


def _dovecot(configuration: Configuration, target: Target) -> tuple[Step, ...]:
    return (
        _switch(configuration, "dovecot.enabled", "Is dovecot enabled?", DOVECOT_ENABLED),
        Step(
            "dovecot.supportsPermanentListeners", "Does dovecot run permanent listeners?", Answer.YES, detail="always"
        ),
        registering(configuration, target),
    )


def _imapidle(configuration: Configuration, target: Target) -> tuple[Step, ...]:
    most = configuration.settings[IDLE_SESSIONS]
    sessions = Step(
        "imapidle.maxSessions",
        "May imapidle open sessions?",
        answered(most > 0),
        (fact(configuration, IDLE_SESSIONS),),
        remedies=((line(configuration, IDLE_SESSIONS, str(IDLE_SESSIONS.default)),),),
    )
    return (
        _switch(configuration, "imapidle.enabled", "Is imapidle enabled?", IDLE_ENABLED),
        _switch(
            configuration,
            "imapidle.supportsPermanentListeners",
            "Does imapidle run permanent listeners?",
            IDLE_PERMANENT,
        ),
        *(() if most else (sessions,)),
        log_in(configuration, target, "imapidle.login", "Can imapidle log in at the mail server?"),
    )


def _mailnotify(configuration: Configuration, target: Target) -> tuple[Step, ...]:
    steps = (
        _switch(configuration, "mailnotify.enabled", "Is mailnotify enabled?", NOTIFY_ENABLED),
        Step(
            "mailnotify.supportsPermanentListeners",
            "Does mailnotify run permanent listeners?",
            Answer.YES,
            detail="always, without a log-in",
        ),
    )
    if target.user is None or target.stored is None:
        return steps
    lack = _lacks_name(configuration, target)
    question = "Does the directory know by which names datagrams mean the user?"
    detail, advice = (lack.detail, lack.advice) if lack else ("", "")
    return (*steps, Step("mailnotify.names", question, answered(lack is None), detail=detail, advice=advice))


def _lacks_name(configuration: Configuration, target: Target) -> Lack | None:
    if target.user is None or target.stored is None:
        return None
    return lacks_datagram_name(target.user, target.stored, configuration.settings)


def _switch(configuration: Configuration, name: str, question: str, row: Property[bool]) -> Step:
    return Step(
        name,
        question,
        answered(configuration.settings[row]),
        (fact(configuration, row),),
        remedies=((line(configuration, row, "true"),),),
    )
