"""The mail server's address as operators write it, and the names that users log in with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from oxpushctl.config.own import MASTER_USER, TLS_CA
from oxpushctl.config.properties import (
    AUTH_PROXY_DELIMITER,
    LOGIN_SOURCE,
    MAIL_SERVER_URL,
    MASTER_PASSWORD,
    PASSWORD_SOURCE,
    REQUIRE_TLS,
)
from oxpushctl.config.property import MAIL_SERVER, Property
from oxpushctl.config.settings import Settings
from oxpushctl.errors import BadData
from oxpushctl.listeners.mail_server import Encryption, LogIn, MailServer, mail_login, master_log_in
from oxpushctl.model import DirectoryEntry, PushUser

ANTON = DirectoryEntry(PushUser(1, 3), "anton", "anton@example.com")


def settings(values: Mapping[Property[Any], object]) -> Settings:
    return Settings({row.key: value for row, value in values.items()})


@pytest.mark.parametrize(
    ("written", "host", "port", "encryption"),
    [
        ("mail.example.com", "mail.example.com", 143, Encryption.STARTTLS),
        ("mail.example.com:1143", "mail.example.com", 1143, Encryption.STARTTLS),
        ("mail.example.com:993", "mail.example.com", 993, Encryption.TLS),
        ("imap://mail.example.com", "mail.example.com", 143, Encryption.STARTTLS),
        ("imap://mail.example.com/", "mail.example.com", 143, Encryption.STARTTLS),
        ("imap://mail.example.com:1143/", "mail.example.com", 1143, Encryption.STARTTLS),
        ("imaps://mail.example.com", "mail.example.com", 993, Encryption.TLS),
        ("imaps://mail.example.com:1993", "mail.example.com", 1993, Encryption.TLS),
        ("imaps://127.0.0.1", "127.0.0.1", 993, Encryption.TLS),
        ("localhost", "localhost", 143, Encryption.IF_DEMANDED),
        ("127.0.0.2:1143", "127.0.0.2", 1143, Encryption.IF_DEMANDED),
        ("[::1]", "::1", 143, Encryption.IF_DEMANDED),
        ("imap://[::1]:1143", "::1", 1143, Encryption.IF_DEMANDED),
        ("[2001:db8::1]:993", "2001:db8::1", 993, Encryption.TLS),
        ("[2001:db8::993]", "2001:db8::993", 143, Encryption.STARTTLS),
        ("imap://mail.example.com:00993", "mail.example.com", 993, Encryption.TLS),
    ],
)
def test_addresses_as_they_are_written(written: str, host: str, port: int, encryption: Encryption) -> None:
    """Ports have IMAP's defaults; TLS is a must beyond this machine."""
    server = MailServer.from_settings(settings({MAIL_SERVER_URL: MAIL_SERVER.parse(written)}), Path("/etc"))
    assert server == MailServer(host, port, encryption)


def test_no_mail_server() -> None:
    """Unset is no server."""
    assert MailServer.from_settings(settings({}), Path("/etc")) is None


def test_tls_is_not_required() -> None:
    """Where an operator allows it, STARTTLS is used as far as it is offered."""
    server = MailServer.from_settings(
        settings({MAIL_SERVER_URL: MAIL_SERVER.parse("mail.example.com"), REQUIRE_TLS: False, TLS_CA: "ca.pem"}),
        Path("/etc/ox"),
    )
    assert server == MailServer("mail.example.com", 143, Encryption.IF_OFFERED, Path("/etc/ox/ca.pem"))


@pytest.mark.parametrize(
    ("server", "text"),
    [
        (MailServer("mail.example.com", 143, Encryption.STARTTLS), "imap://mail.example.com:143"),
        (MailServer("::1", 993, Encryption.TLS), "imaps://[::1]:993"),
    ],
)
def test_servers_are_named_as_urls(server: MailServer, text: str) -> None:
    """In messages a server looks as it may be written."""
    assert str(server) == text


@pytest.mark.parametrize(
    ("source", "entry", "login"),
    [
        ("login", ANTON, "anton"),
        ("mail", ANTON, "anton@example.com"),
        ("name", DirectoryEntry(PushUser(1, 3), "a3", "anton@example.com"), "anton"),
        ("mail", DirectoryEntry(PushUser(1, 3), "anton@nr.test"), "anton@nr.test"),
        ("name", DirectoryEntry(PushUser(1, 3), "anton@nr.test"), "anton"),
    ],
)
def test_login_comes_from_its_source(source: str, entry: DirectoryEntry, login: str) -> None:
    """A login that is a mail address is one where the directory has no other."""
    assert mail_login(entry, settings({LOGIN_SOURCE: source})) == login


def test_login_without_a_mail_address() -> None:
    """Nothing is made up for a user without one."""
    with pytest.raises(BadData, match="3@1 has no mail address"):
        mail_login(DirectoryEntry(PushUser(1, 3), "anton"), settings({LOGIN_SOURCE: "mail"}))


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({}, "anton"),
        ({MASTER_USER: "push"}, "anton*push"),
        ({MASTER_USER: "push", AUTH_PROXY_DELIMITER: "%"}, "anton%push"),
        ({AUTH_PROXY_DELIMITER: "%"}, "anton"),
    ],
)
def test_master_password_opens_a_mailbox(more: Mapping[Property[Any], object], name: str) -> None:
    """By the user's own login, or with the master user's behind a delimiter."""
    values = settings({PASSWORD_SOURCE: "global", MASTER_PASSWORD: "sesame", **more})
    assert master_log_in("anton", values) == LogIn(name, "sesame")


@pytest.mark.parametrize(
    "values", [{PASSWORD_SOURCE: "global"}, {MASTER_PASSWORD: "sesame"}, {PASSWORD_SOURCE: "session"}]
)
def test_users_with_passwords_of_their_own(values: Mapping[Property[Any], object]) -> None:
    """A master password counts only when it is set and asked for."""
    assert master_log_in("anton", settings(values)) is None


def test_password_is_not_shown() -> None:
    """A log-in can be written anywhere."""
    assert "sesame" not in repr(LogIn("anton", "sesame"))
