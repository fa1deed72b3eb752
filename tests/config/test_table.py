from __future__ import annotations

import re
from pathlib import Path

import pytest

import oxpushctl
from oxpushctl.config import codes, explain, table
from oxpushctl.config.changes import CHANGES, DEFAULTS_OF_8, What
from oxpushctl.config.property import Property
from oxpushctl.config.table import TABLE

_ARTICLE = [
    "com.openexchange.push.allowPermanentPush",
    "com.openexchange.push.allowedClient",
    "com.openexchange.push.allowedClients",
    "com.openexchange.push.credstorage.enabled",
    "com.openexchange.push.credstorage.passcrypt",
    "com.openexchange.push.credstorage.rdb",
    "com.openexchange.mail.passwordSource",
    "com.openexchange.push.imapidle.supportsPermanentListeners",
    "com.openexchange.pns.mobile.api.facade.apn.badge.enabled",
    "com.openexchange.pns.mobile.api.facade.apn.sound.enabled",
    "com.openexchange.pns.mobile.api.facade.apn.sound.filename",
    "com.openexchange.pns.transport.apn.ios.enabled",
    "com.openexchange.pns.transport.gcm.enabled",
]


@pytest.mark.parametrize("key", _ARTICLE)
def test_every_property_of_the_article_has_a_page(key: str) -> None:
    """What the article names is known here, under both of its spellings."""
    page = explain.page(key)
    assert page is not None
    assert key in page


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.key)
def test_a_default_is_what_its_text_means(row: Property[object]) -> None:
    """The explained default, written into a file, changes nothing."""
    page = explain.page(row.key) or ""
    [text] = re.findall(r"^  default +(.*)$", page, re.MULTILINE)
    assert row.default_text or text == "not set" or row.kind.parse(text) == row.default


def test_keys_are_known_once() -> None:
    """No key or spelling stands for two rows."""
    keys = [key for row in TABLE for key in (row.key, *row.aliases)]
    assert sorted(set(keys)) == sorted(keys)


@pytest.mark.parametrize(
    ("key", "name", "client"),
    [
        ("com.openexchange.pns.transport.gcm.enabled.a.b", "com.openexchange.pns.transport.gcm.enabled.a.b", "a.b"),
        ("com.openexchange.pns.transport.gcm.enabled.a.ox:mail:new", None, "a"),
        ("oxpushctl.push.content.a.b", None, "a.b"),
        ("com.openexchange.push.allowedClient", "com.openexchange.push.allowedClients", ""),
        ("oxpushctl.database.url.file", "oxpushctl.database.url", ""),
    ],
)
def test_keys_are_found_as_they_are_written(key: str, name: str | None, client: str) -> None:
    """A client's id may hold dots, a topic holds colons, a secret may have a file."""
    match = table.find(key)
    assert match is not None
    assert (match.name, match.client) == (name or key, client)


@pytest.mark.parametrize(
    ("key", "is_mistaken"),
    [
        ("oxpushctl.unheard", True),
        ("com.openexchange.push.unheard", True),
        ("com.openexchange.push.udp.period", False),
        ("com.openexchange.mail.unheard", False),
        ("com.openexchange.pnsx", False),
    ],
)
def test_keys_of_other_modules_are_left_alone(key: str, is_mistaken: bool) -> None:
    """Only below prefixes whose keys are all known is an unknown key a mistake."""
    assert (table.find(key), table.is_mistaken(key)) == (None, is_mistaken)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("com.openexchange.pns.delayduration", "com.openexchange.pns.delayDuration"),
        ("com.openexchange.push.alowedClients", "com.openexchange.push.allowedClients"),
        ("com.open-xchange.push.allowedClients", "com.openexchange.push.allowedClients"),
        ("com.openexchange.pns.maxDelay", "com.openexchange.pns.maxDelayDuration"),
        ("com.openexchange.push.mailnotify.enabled", "com.openexchange.push.mail.notify.enabled"),
        ("com.openexchange.pns.transport.apn.enabled", "com.openexchange.pns.transport.apn.ios.enabled"),
        ("com.openexchange.pns.transport.gcm.enable.a.b", "com.openexchange.pns.transport.gcm.enabled.a.b"),
        ("oxpushctl.database.ulr.file", "oxpushctl.database.url.file"),
        ("masterPassword", "com.openexchange.mail.masterPassword"),
        ("oxpushctl.database", "oxpushctl.database.url"),
        ("oxpushctl.unheard", None),
        ("com.openexchange.push.some.unheardThing", None),
        ("com.openexchange.dovecot.doveadm.url", None),
        ("oxpushctl." + "x" * 1_000_000, None),
        ("", None),
    ],
)
def test_the_key_that_was_meant_is_suggested(key: str, meant: str | None) -> None:
    """One character, case, what may follow a key, and parts left out or moved: but nothing that only begins alike."""
    assert table.suggestion(key) == (f"did you mean {meant}?" if meant else "")


def test_every_change_is_of_a_key_that_has_a_row_or_had_one() -> None:
    """Renamed keys lead to a row, removed ones to none, and changed defaults have the kind of their row."""
    for change in CHANGES:
        match = table.find(change.now if change.what is What.RENAMED else change.key)
        assert (match is None) == (change.what is What.REMOVED), change.key


def test_defaults_that_8_changed_are_values() -> None:
    """They are compared with ours, so their texts must read."""
    for change in DEFAULTS_OF_8.values():
        match = table.find(change.key)
        assert match is not None
        assert match.row.kind.parse(change.now) != match.row.kind.parse(change.before)


def test_every_code_that_is_used_is_explained() -> None:
    """`config explain CODE` has a page for each finding, and none for findings that nobody makes."""
    sources = Path(oxpushctl.__file__).parent.rglob("*.py")
    used = {
        code for path in sources if path.name != "codes.py" for code in re.findall(r'"(OXP\d{3})"', path.read_text())
    }
    assert used == set(codes.CATALOGUE)
