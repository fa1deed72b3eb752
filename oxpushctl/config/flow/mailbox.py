"""The flow's question of what opens a mailbox for a listener that has no session: a log-in, or doveadm without one."""

from __future__ import annotations

from collections.abc import Sequence

from oxpushctl.config.check import has_error
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.flow import world
from oxpushctl.config.flow.facts import fact, line
from oxpushctl.config.flow.registration import Target
from oxpushctl.config.flow.step import Answer, Fact, Remedy, Step, answered
from oxpushctl.config.listening import DOVEADM_ENABLED, DOVEADM_ENDPOINTS, PREFER_DOVEADM
from oxpushctl.config.mailboxes import (
    KEPT,
    MASTER,
    Password,
    is_doveadm_first,
    is_master_wanted,
    lacking_for_doveadm,
    takes_passwords,
    wanted_password,
)
from oxpushctl.config.own import REGISTRATION
from oxpushctl.config.properties import AUTH_TYPE, MAIL_SERVER_URL, MASTER_PASSWORD, PASSCRYPT, PASSWORD_SOURCE
from oxpushctl.config.property import Property
from oxpushctl.model import PushUser
from oxpushctl.registration import BOTH, SIGNED

_CASCADED: tuple[Property[object], ...] = (MAIL_SERVER_URL, PASSWORD_SOURCE, MASTER_PASSWORD, AUTH_TYPE)
_NOT_KEPT = "no password of the user is kept"
_NOT_KNOWN = "whether the user's password is kept is not known: what keeps passwords does not answer"
_UNSIGNED = (
    "no push arrives: this version writes no signed registrations, and does not believe the plain ones that the "
    "middleware writes"
)
_MEND_DOVECOT = "Dovecot's own configuration has to be mended"
_LOG_IN = "dovecot.login"
_WITH_TOKENS = "Where log-ins take tokens, only dovecot can serve without a session, with doveadm."


def registering(configuration: Configuration, target: Target) -> Step:
    """Ask what registers mailboxes at Dovecot: a log-in or, where that fails or is not preferred, doveadm."""
    ways = [
        log_in(configuration, target, _LOG_IN, "With a log-in at the mail server?"),
        _doveadm(configuration),
    ]
    if is_doveadm_first(configuration.settings):
        ways.reverse()
    asked = ways if ways[0].is_no else ways[:1]
    is_over_imap = asked[-1].name == _LOG_IN or asked[-1].is_no
    obstacles = world.against_registering(configuration, is_over_imap=is_over_imap)
    # What one user lacks is for nobody to set.
    lacking = next((way.advice for way in asked if way.is_no and way.detail == _NOT_KEPT), "")
    return Step(
        "dovecot.registration",
        "Can dovecot register mailboxes?",
        answered(not asked[-1].is_no and not obstacles),
        detail=f"see {obstacles}" if obstacles else "",
        note=world.about_registering(configuration, is_over_imap=is_over_imap),
        caution=_not_believed(configuration),
        advice=f"{_MEND_DOVECOT}: see {obstacles}." if obstacles else lacking,
        remedies=() if lacking else tuple(remedy for way in asked for remedy in way.remedies),
        steps=tuple(asked),
        is_choice=True,
    )


def log_in(configuration: Configuration, target: Target, name: str, question: str) -> Step:
    """Ask whether a mailbox can be logged in to; with ``global`` the middleware never takes a kept password."""
    settings = configuration.settings
    if not takes_passwords(settings):
        detail = "only with a token of a live session"
        return Step(name, question, Answer.NO, (fact(configuration, AUTH_TYPE),), detail, advice=_WITH_TOKENS)
    is_opened, deciding = _password(configuration)
    if not settings[MAIL_SERVER_URL]:
        deciding = (MAIL_SERVER_URL,) if is_opened else (MAIL_SERVER_URL, *deciding)
    if not settings[MAIL_SERVER_URL] or not is_opened:
        return Step(name, question, Answer.NO, _facts(configuration, deciding), remedies=_remedies(configuration))
    facts = _facts(configuration, (MAIL_SERVER_URL, *deciding))
    is_master = is_master_wanted(settings)
    kept = ""
    if target.user is not None and not is_master:
        if target.is_password_kept is False:
            return Step(name, question, Answer.NO, facts, _NOT_KEPT, advice=_keep(target.user))
        kept = "" if target.is_password_kept else _NOT_KNOWN
    answers = world.about_log_in(configuration, is_for_idle=name != _LOG_IN)
    return Step(
        name,
        question,
        Answer.YES,
        facts,
        "with the master password" if is_master else "with the user's kept password",
        "; ".join(filter(None, (kept, answers))),
    )


def _keep(user: PushUser) -> str:
    """Say how a user's password comes to be kept."""
    by_hand = f"oxpushctl credentials set -c {user.context} -u {user.user} --login LOGIN"
    return f"The user's password has to be kept: the app logs in and subscribes again, or {by_hand} takes it."


def is_signature_wanted(configuration: Configuration) -> bool:
    """Tell whether only signed registrations are believed, which nobody writes in this version."""
    settings = configuration.settings
    is_signed = settings[REGISTRATION] == SIGNED and bool(settings[PASSCRYPT])
    return is_signed and not has_error(configuration, REGISTRATION, PASSCRYPT)


def _not_believed(configuration: Configuration) -> str:
    """Say that registrations as the middleware writes them are of no use, and what to set, where that is so."""
    if not is_signature_wanted(configuration):
        return ""
    mended = line(configuration, REGISTRATION, BOTH)
    return f"{_UNSIGNED}; set {mended.key}={mended.value} in {mended.place}"


def _facts(configuration: Configuration, deciding: Sequence[Property[object]]) -> tuple[Fact, ...]:
    """Return what decided a log-in, and those of its settings that other contexts may have otherwise."""
    facts = [fact(configuration, row) for row in deciding]
    others = [fact(configuration, row) for row in _CASCADED if row not in deciding]
    return (*facts, *(each for each in others if each.note))


def _password(configuration: Configuration) -> tuple[bool, tuple[Property[object], ...]]:
    """Tell whether there is a password, and the properties that decide it."""
    wanted = wanted_password(configuration.settings)
    if wanted is None:
        return False, (MASTER.switch, KEPT.switch)
    return bool(configuration.settings[wanted.needed]), (wanted.switch, wanted.needed)


def _remedies(configuration: Configuration) -> tuple[Remedy, ...]:
    """Return what makes a log-in possible: the shortest way where half of it is there, else either way."""
    settings = configuration.settings
    wanted = wanted_password(settings)
    server = () if settings[MAIL_SERVER_URL] else (line(configuration, MAIL_SERVER_URL),)

    def what_it_needs(password: Password) -> Remedy:
        return () if settings[password.needed] else (line(configuration, password.needed),)

    if wanted is not None:
        return ((*server, *what_it_needs(wanted)),)
    return tuple(
        (*server, line(configuration, password.switch, password.on), *what_it_needs(password))
        for password in (MASTER, KEPT)
    )


def _doveadm(configuration: Configuration) -> Step:
    settings = configuration.settings
    missing = lacking_for_doveadm(settings)
    if not settings[DOVEADM_ENABLED]:
        deciding: list[Property[object]] = [DOVEADM_ENABLED]
    else:
        deciding = missing or [PREFER_DOVEADM if settings[PREFER_DOVEADM] else DOVEADM_ENABLED, DOVEADM_ENDPOINTS]
    remedy = tuple(line(configuration, row, "true" if row is DOVEADM_ENABLED else None) for row in missing)
    return Step(
        "dovecot.doveadm",
        "With doveadm, without a log-in?",
        answered(not missing),
        tuple(fact(configuration, row) for row in deciding),
        remedies=(remedy,) if missing else (),
    )
