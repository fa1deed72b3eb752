"""The flow's question of what opens a mailbox for a listener that has no session: a log-in, or doveadm without one."""

from __future__ import annotations

from collections.abc import Sequence

from oxpushctl.config.flow_facts import change, fact
from oxpushctl.config.flow_registration import About
from oxpushctl.config.flow_step import Answer, Fact, Remedy, Step, answered
from oxpushctl.config.listening import DOVEADM_ENABLED, DOVEADM_ENDPOINTS, DOVEADM_SECRET, PREFER_DOVEADM
from oxpushctl.config.properties import (
    AUTH_TYPE,
    CREDSTORAGE_ENABLED,
    MAIL_SERVER_URL,
    MASTER_PASSWORD,
    PASSCRYPT,
    PASSWORD_SOURCE,
)
from oxpushctl.config.property import Property
from oxpushctl.config.reading import Configuration

_CASCADED: tuple[Property[object], ...] = (MAIL_SERVER_URL, PASSWORD_SOURCE, MASTER_PASSWORD, AUTH_TYPE)
_KEPT = "whether the user's password is kept is not evaluated in this version"
_WITH_TOKENS = "Where log-ins take tokens, only dovecot can serve without a session, with doveadm."


def registering(configuration: Configuration, about: About) -> Step:
    """Ask what registers mailboxes at Dovecot: a log-in or, where that fails or is not preferred, doveadm."""
    ways = [log_in(configuration, about, "dovecot.login", "With a log-in at the mail server?"), _doveadm(configuration)]
    if configuration.settings[PREFER_DOVEADM] and not ways[1].is_no:
        ways.reverse()
    asked = ways if ways[0].is_no else ways[:1]
    return Step(
        "dovecot.registration",
        "Can dovecot register mailboxes?",
        answered(not asked[-1].is_no),
        remedies=tuple(remedy for way in asked for remedy in way.remedies),
        steps=tuple(asked),
        is_choice=True,
    )


def log_in(configuration: Configuration, about: About, name: str, question: str) -> Step:
    """Ask whether a mailbox can be logged in to; with ``global`` the middleware never takes a kept password."""
    settings = configuration.settings
    if settings[AUTH_TYPE] != "login":
        detail = "only with a token of a live session"
        return Step(name, question, Answer.NO, (fact(configuration, AUTH_TYPE),), detail, advice=_WITH_TOKENS)
    is_opened, deciding = _password(configuration)
    if not settings[MAIL_SERVER_URL]:
        deciding = (MAIL_SERVER_URL,) if is_opened else (MAIL_SERVER_URL, *deciding)
    if not settings[MAIL_SERVER_URL] or not is_opened:
        return Step(name, question, Answer.NO, _facts(configuration, deciding), remedies=_remedies(configuration))
    is_global = settings[PASSWORD_SOURCE] == "global"
    return Step(
        name,
        question,
        Answer.YES,
        _facts(configuration, (MAIL_SERVER_URL, *deciding)),
        "with the master password" if is_global else "with the user's kept password",
        _KEPT if about.user and not is_global else "",
    )


def _facts(configuration: Configuration, deciding: Sequence[Property[object]]) -> tuple[Fact, ...]:
    """Return what decided a log-in, and those of its settings that other contexts may have otherwise."""
    facts = [fact(configuration, row) for row in deciding]
    others = [fact(configuration, row) for row in _CASCADED if row not in deciding]
    return (*facts, *(each for each in others if each.note))


def _password(configuration: Configuration) -> tuple[bool, tuple[Property[object], ...]]:
    """Tell whether there is a password, and the properties that decide it."""
    settings = configuration.settings
    if settings[PASSWORD_SOURCE] == "global":
        return bool(settings[MASTER_PASSWORD]), (PASSWORD_SOURCE, MASTER_PASSWORD)
    if settings[CREDSTORAGE_ENABLED]:
        return bool(settings[PASSCRYPT]), (CREDSTORAGE_ENABLED, PASSCRYPT)
    return False, (PASSWORD_SOURCE, CREDSTORAGE_ENABLED)


def _remedies(configuration: Configuration) -> tuple[Remedy, ...]:
    """Return what makes a log-in possible: the shortest way where half of it is there, else either way."""
    settings = configuration.settings
    server = () if settings[MAIL_SERVER_URL] else (change(configuration, MAIL_SERVER_URL),)
    is_opened, _ = _password(configuration)
    if is_opened:
        return (server,)
    master = () if settings[MASTER_PASSWORD] else (change(configuration, MASTER_PASSWORD),)
    if settings[PASSWORD_SOURCE] == "global":
        return ((*server, *master),)
    passcrypt = () if settings[PASSCRYPT] else (change(configuration, PASSCRYPT),)
    if settings[CREDSTORAGE_ENABLED]:
        return ((*server, *passcrypt),)
    return (
        (*server, change(configuration, PASSWORD_SOURCE, "global"), *master),
        (*server, change(configuration, CREDSTORAGE_ENABLED, "true"), *passcrypt),
    )


def _doveadm(configuration: Configuration) -> Step:
    settings = configuration.settings
    missing: list[Property[object]] = [
        row for row in (DOVEADM_ENABLED, DOVEADM_SECRET, DOVEADM_ENDPOINTS) if not settings[row]
    ]
    if not settings[DOVEADM_ENABLED]:
        deciding: list[Property[object]] = [DOVEADM_ENABLED]
    else:
        deciding = missing or [PREFER_DOVEADM if settings[PREFER_DOVEADM] else DOVEADM_ENABLED, DOVEADM_ENDPOINTS]
    changes = tuple(change(configuration, row, "true" if row is DOVEADM_ENABLED else None) for row in missing)
    return Step(
        "dovecot.doveadm",
        "With doveadm, without a log-in?",
        answered(not missing),
        tuple(fact(configuration, row) for row in deciding),
        remedies=(changes,) if missing else (),
    )
