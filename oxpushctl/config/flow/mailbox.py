"""The flow's question of what opens a mailbox for a listener that has no session: a log-in, or doveadm without one."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from oxpushctl.config.configuration import Configuration
from oxpushctl.config.flow import world
from oxpushctl.config.flow.facts import fact, line
from oxpushctl.config.flow.registration import Target, is_registered
from oxpushctl.config.flow.step import Answer, Fact, Remedy, Step, answered
from oxpushctl.config.flow.stored import Lack, Stored, lacks_address, lacks_entry
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
from oxpushctl.config.properties import AUTH_TYPE, MAIL_SERVER_URL, MASTER_PASSWORD, PASSWORD_SOURCE
from oxpushctl.config.property import Property
from oxpushctl.model import PushUser

_CASCADED: tuple[Property[object], ...] = (MAIL_SERVER_URL, PASSWORD_SOURCE, MASTER_PASSWORD, AUTH_TYPE)
_NOT_KEPT = "no password of the user is kept"
_ANOTHERS = "the user's password is kept with a login that the directory has for another user"
_REFUSED = "the mail server refused the user's kept password"
_NOT_KNOWN = "whether the user's password is kept is not known: what keeps passwords does not answer"
_MEND_DOVECOT = "Dovecot's own configuration has to be mended"
_ALREADY = "the user's is registered already"
_LOG_IN = "dovecot.login"
_WITH_TOKENS = "Where log-ins take tokens, only dovecot can serve without a session, with doveadm."


def registering(configuration: Configuration, target: Target) -> Step:
    """Ask what registers mailboxes at Dovecot: a log-in or, where that fails or is not preferred, doveadm."""
    ways = [
        log_in(configuration, target, _LOG_IN, "With a log-in at the mail server?"),
        _doveadm(configuration, target),
    ]
    if is_doveadm_first(configuration.settings):
        ways.reverse()
    asked = ways if ways[0].is_no else ways[:1]
    is_over_imap = asked[-1].name == _LOG_IN or asked[-1].is_no
    obstacles = world.against_registering(configuration, is_over_imap=is_over_imap)
    # What one user lacks is for nobody to set.
    of_user = next((way.advice for way in asked if way.is_no and way.advice not in ("", _WITH_TOKENS)), "")
    is_able = not asked[-1].is_no and not obstacles
    is_standing, remembered = _remembered(configuration, target, is_able=is_able)
    notes = (world.about_registering(configuration, is_over_imap=is_over_imap), remembered)
    return Step(
        "dovecot.registration",
        "Can dovecot register mailboxes?",
        answered(is_able or is_standing),
        detail=f"see {obstacles}" if obstacles else "" if is_able or not is_standing else _ALREADY,
        note="; ".join(filter(None, notes)),
        advice=f"{_MEND_DOVECOT}: see {obstacles}." if obstacles else of_user,
        remedies=() if of_user else tuple(remedy for way in asked for remedy in way.remedies),
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
    if lack := lacking(configuration, target):
        return Step(name, question, Answer.NO, facts, lack.detail, advice=lack.advice)
    is_known = target.user is None or is_master or target.is_password_kept
    answers = world.about_log_in(configuration, is_for_idle=name != _LOG_IN)
    return Step(
        name,
        question,
        Answer.YES,
        facts,
        "with the master password" if is_master else "with the user's kept password",
        "; ".join(filter(None, ("" if is_known else _NOT_KNOWN, answers))),
    )


def lacking(configuration: Configuration, target: Target) -> Lack | None:
    """Return what a user lacks for a log-in, with the password that is to open mailboxes."""
    settings, user, stored = configuration.settings, target.user, target.stored
    if user is None or (stored is None and is_master_wanted(settings)):
        return None
    if stored is not None and is_master_wanted(settings):
        login = None if stored.entry is None else stored.entry.login
        return lacks_entry(user, stored) or lacks_address(user, stored, login, settings)
    by_hand = f"the app logs in and subscribes again, or {_set_password(user, stored)} takes it"
    if target.is_password_kept is False:
        return Lack(_NOT_KEPT, f"The user's password has to be kept: {by_hand}.")
    if stored is not None and stored.is_login_anothers:
        return Lack(_ANOTHERS, f"A password has to be kept with the user's own login: {by_hand}.")
    if stored is not None and stored.is_password_refused:
        return Lack(_REFUSED, f"Another password has to be kept: {by_hand}.")
    return None if stored is None else lacks_address(user, stored, stored.kept_login, settings)


def _set_password(user: PushUser, stored: Stored | None) -> str:
    login = (stored.own_login if stored is not None else None) or "LOGIN"
    return f"oxpushctl credentials set -c {user.context} -u {user.user} --login {shlex.quote(login)}"


def _remembered(configuration: Configuration, target: Target, *, is_able: bool) -> tuple[bool, str]:
    """Tell whether a user's mailbox is registered, as far as is remembered, and in words."""
    if target.user is None or target.stored is None:
        return False, ""
    is_wanted = is_registered(configuration, target)
    at_dovecot, words = target.stored.at_dovecot, target.stored.about_dovecot(is_wanted=is_wanted)
    is_standing = at_dovecot is not None and at_dovecot.is_standing
    if is_able or not is_wanted:
        return is_standing, words
    # The engine takes it over as it is, but looks at each once a day.
    return is_standing, f"{words}; it cannot be verified any more, and ends within a day of that" if is_standing else ""


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


def _doveadm(configuration: Configuration, target: Target) -> Step:
    settings = configuration.settings
    missing = lacking_for_doveadm(settings)
    lack = None if missing else _lacks_name(configuration, target)
    if not settings[DOVEADM_ENABLED]:
        deciding: list[Property[object]] = [DOVEADM_ENABLED]
    else:
        deciding = missing or [PREFER_DOVEADM if settings[PREFER_DOVEADM] else DOVEADM_ENABLED, DOVEADM_ENDPOINTS]
    remedy = tuple(line(configuration, row, "true" if row is DOVEADM_ENABLED else None) for row in missing)
    return Step(
        "dovecot.doveadm",
        "With doveadm, without a log-in?",
        answered(not missing and lack is None),
        tuple(fact(configuration, row) for row in deciding),
        lack.detail if lack else "",
        world.about_doveadm(configuration),
        advice=lack.advice if lack else "",
        remedies=(remedy,) if missing else (),
    )


def _lacks_name(configuration: Configuration, target: Target) -> Lack | None:
    """Return what a user lacks to be named to doveadm: a directory entry, or else the login of a kept password."""
    settings, user, stored = configuration.settings, target.user, target.stored
    if user is None or stored is None:
        return None
    if stored.entry is not None:
        return lacks_address(user, stored, stored.entry.login, settings)
    if stored.kept_login is not None:
        return lacks_address(user, stored, stored.kept_login, settings)
    is_unknown = wanted_password(settings) is KEPT and target.is_password_kept is None
    return None if is_unknown else lacks_entry(user, stored)
