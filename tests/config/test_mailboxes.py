"""Whether the passwords of users who subscribe are kept, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from oxpushctl.config.listening import (
    DOVEADM_ENABLED,
    DOVEADM_ENDPOINTS,
    DOVEADM_SECRET,
    DOVECOT_ENABLED,
    PREFER_DOVEADM,
)
from oxpushctl.config.mailboxes import keeps_passwords, why_not_kept
from oxpushctl.config.properties import AUTH_TYPE, CREDSTORAGE_ENABLED, PASSWORD_SOURCE
from oxpushctl.config.property import Property
from oxpushctl.config.settings import Settings

KEPT: Mapping[Property[Any], object] = {CREDSTORAGE_ENABLED: True}
DOVEADM: Mapping[Property[Any], object] = {
    PREFER_DOVEADM: True,
    DOVEADM_ENABLED: True,
    DOVEADM_SECRET: "key",
    DOVEADM_ENDPOINTS: ("http://127.0.0.1:8080/doveadm/v1",),
}


def settings(values: Mapping[Property[Any], object]) -> Settings:
    return Settings({row.key: value for row, value in values.items()})


@pytest.mark.parametrize(
    "values",
    [
        KEPT,
        {**KEPT, DOVECOT_ENABLED: False},
        {**KEPT, **DOVEADM, DOVECOT_ENABLED: False},
        {**KEPT, **DOVEADM, PREFER_DOVEADM: False},
        {**KEPT, **DOVEADM, DOVEADM_SECRET: None},
    ],
)
def test_passwords_that_are_needed(values: Mapping[Property[Any], object]) -> None:
    """Storing is on, and nothing else opens a mailbox or registers it: a doveadm that is not fully set up does not."""
    assert (keeps_passwords(settings(values)), why_not_kept(settings(values))) == (True, "")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "com.openexchange.push.credstorage.enabled is false"),
        ({**KEPT, PASSWORD_SOURCE: "global"}, "the master password opens all mailboxes"),
        ({**KEPT, AUTH_TYPE: "xoauth2"}, "the mail server takes tokens"),
        ({**KEPT, AUTH_TYPE: "oauthbearer"}, "the mail server takes tokens"),
        ({**KEPT, **DOVEADM}, "doveadm registers all users without a password"),
    ],
)
def test_passwords_that_nobody_needs(values: Mapping[Property[Any], object], reason: str) -> None:
    """No password lies about that nobody reads, and the command that refuses to keep one says why."""
    assert (keeps_passwords(settings(values)), reason in why_not_kept(settings(values))) == (False, True)
