"""Rules between settings: where they are silent, which is as much of a promise as where they speak.

What each of them says stands in the folders of tests/data/config.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from oxpushctl.config.finding import Severity
from oxpushctl.config.hosts import host_of, is_imaps, is_this_machine
from tests.config import folders
from tests.config.folders import CLIENT

_MAIL = "com.openexchange.mail."
_PUSH = "com.openexchange.push."
_DOVEADM = "com.openexchange.dovecot.doveadm."
_PNS = "com.openexchange.pns.transport."

_SERVER = {_MAIL + "mailServer": "imaps://mail.example.com"}
_GLOBAL = {_MAIL + "passwordSource": "global", _MAIL + "masterPassword": "sesame"}
_KEPT = {_PUSH + "credstorage.enabled": "true", _PUSH + "credstorage.passcrypt": "sesame"}
_WITH_DOVEADM = {
    _DOVEADM + "enabled": "true",
    _DOVEADM + "apiSecret": "sesame",
    _DOVEADM + "endpoints": "https://mail.example.com/doveadm/v1",
}
_NO_DOVECOT = {_PUSH + "dovecot.enabled": "false"}
_IDLE = {_PUSH + "imapidle.enabled": "true", _PUSH + "imapidle.supportsPermanentListeners": "true"}
_NOTIFY = {_PUSH + "mail.notify.enabled": "true"}
_GCM = {_PNS + "gcm.enabled": "true"}
_FCM_CLIENT = {"account.json": "{}", "pns-gcm-options.yml": f"{CLIENT}:\n  keyPath: account.json\n"}


def _told(folder: Path, settings: dict[str, str], files: dict[str, str | bytes] | None = None) -> set[str]:
    """Return the codes of the rules, those left out that an empty folder has as well."""
    folders.write(folder / "empty", {"a.properties": ""})
    always = folders.codes(folders.read(folder / "empty"))
    lines = "".join(f"{key}={value}\n" for key, value in settings.items())
    found = folders.codes(folders.read(folder / "etc", {"all.properties": lines, **(files or {})}))
    return {code for code in found - always if code.startswith("OXP3")}


def test_an_empty_folder(tmp_path: Path) -> None:
    """What every operator has to say: a login for Dovecot, a mail server, an app; and that nothing is signed."""
    found = folders.read(tmp_path).findings
    assert [(finding.severity, finding.code) for finding in found] == [
        (Severity.WARNING, "OXP305"),
        (Severity.WARNING, "OXP315"),
        (Severity.INFO, "OXP311"),
        (Severity.WARNING, "OXP326"),
    ]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(_SERVER | _GLOBAL, id="master password"),
        pytest.param(_SERVER | _KEPT, id="kept passwords"),
        pytest.param(_SERVER | _WITH_DOVEADM, id="doveadm, as with the middleware"),
        pytest.param(_SERVER | _NO_DOVECOT | _NOTIFY, id="nobody logs in for Cyrus' notifyd"),
        pytest.param(_SERVER | {_PUSH + "allowPermanentPush": "false"}, id="no permanent listeners"),
        pytest.param(_WITH_DOVEADM | _IDLE, id="no mail server, which is told"),
        pytest.param({_PUSH + "allowPermanentPush": "false"} | _NO_DOVECOT, id="nobody is to listen"),
        pytest.param({_PUSH + "allowPermanentPush": "false", _PUSH + "imapidle.enabled": "true"}, id="idle off"),
        pytest.param(_GLOBAL | {"oxpushctl.imap.masterUser": "push", _MAIL + "authProxyDelimiter": "*"}, id="master"),
        pytest.param({_MAIL + "authType": "xoauth2"} | _WITH_DOVEADM, id="tokens and doveadm"),
        pytest.param(_WITH_DOVEADM | {_PUSH + "dovecot.preferDoveadmForMetadata": "true"}, id="doveadm preferred"),
        pytest.param(_KEPT | {_PUSH + "credstorage.rdb": "true"}, id="kept in the database"),
        pytest.param({"oxpushctl.dovecot.registration": "plain"}, id="plain by choice"),
        pytest.param({_PUSH + "imapidle.folder": "Archive", _PUSH + "imapidle.accountId": "2"}, id="idle not enabled"),
        pytest.param(_IDLE | {_PUSH + "imapidle.folder": "Inbox"}, id="INBOX in any case"),
        pytest.param({"oxpushctl.intake.listen": "unix:/run/x.sock, [::1]:8019, localhost:8019"}, id="this machine"),
        pytest.param({_DOVEADM + "endpoints": "http://mail.example.com/doveadm/v1"}, id="doveadm is off"),
        pytest.param(
            {"oxpushctl.apns.endpoint.sandbox": "https://api.development.push.apple.com:2197"}, id="Apple's other name"
        ),
    ],
)
def test_nothing_is_wrong(tmp_path: Path, settings: dict[str, str]) -> None:
    """A choice that works is not talked about."""
    assert _told(tmp_path, settings) == set()


@pytest.mark.parametrize("server", ["mail.example.com", "imap://mail.example.com:143", "[2001:db8::1]:143"])
def test_log_ins_without_tls(tmp_path: Path, server: str) -> None:
    """STARTTLS that is not required protects from nobody who can remove the offer."""
    settings = {_MAIL + "mailServer": server, "com.openexchange.imap.requireTls": "false"} | _KEPT
    assert _told(tmp_path, settings) == {"OXP325"}


@pytest.mark.parametrize(
    "server", ["imaps://mail.example.com", "mail.example.com:993", "127.0.0.1", "imap://[::1]:143"]
)
def test_log_ins_that_nobody_overhears(tmp_path: Path, server: str) -> None:
    """TLS from the first byte, and this machine, need no STARTTLS."""
    settings = {_MAIL + "mailServer": server, "com.openexchange.imap.requireTls": "false"} | _KEPT
    assert _told(tmp_path, settings) == set()


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        pytest.param(_SERVER | {_MAIL + "passwordSource": "global"}, {"OXP316"}, id="no master password"),
        pytest.param(_SERVER | {_PUSH + "credstorage.enabled": "true"}, {"OXP309"}, id="no passcrypt"),
        pytest.param(_SERVER | {_DOVEADM + "enabled": "true"}, {"OXP321"}, id="doveadm incomplete"),
        pytest.param(_SERVER | {_MAIL + "passwordSource": "globl"}, set(), id="unreadable source"),
        pytest.param({_MAIL + "passwordSource": "global", _MAIL + "masterPassword.file": "none"}, set(), id="no file"),
        pytest.param({_PUSH + "credstorage.enabled": "yes"}, set(), id="unreadable switch"),
        pytest.param(
            {_PUSH + "credstorage.enabled": "true", "oxpushctl.dovecot.registration": "signed"}, {"OXP309"}, id="signed"
        ),
        pytest.param(_NO_DOVECOT | {_PUSH + "imapidle.enabled": "on"}, set(), id="unreadable implementation"),
        pytest.param({"oxpushctl.intake.listen": "0.0.0.0:8019", "oxpushctl.tls.key": "none"}, {"OXP307", "OXP302"}),
    ],
)
def test_a_consequence_is_not_told_again(tmp_path: Path, settings: dict[str, str], codes: set[str]) -> None:
    """One mistake is one finding, at the line where it was made."""
    assert _told(tmp_path, settings) == codes


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        pytest.param(_SERVER | _KEPT | {_MAIL + "authType": "oauthbearer"}, {"OXP323"}, id="kept, for tokens"),
        pytest.param(_SERVER | _WITH_DOVEADM | _IDLE, {"OXP317"}, id="doveadm opens no mailbox for IDLE"),
        pytest.param(_NO_DOVECOT | {_PUSH + "imapidle.enabled": "true"}, {"OXP319"}, id="IDLE for sessions only"),
        pytest.param(_NO_DOVECOT | _NOTIFY, set(), id="notifyd alone"),
        pytest.param(_NO_DOVECOT, {"OXP318"}, id="none"),
    ],
)
def test_listeners_and_what_opens_mailboxes(tmp_path: Path, settings: dict[str, str], codes: set[str]) -> None:
    """Each implementation needs something else."""
    assert _told(tmp_path, settings) == codes


@pytest.mark.parametrize(
    ("patterns", "codes"),
    [
        ('"USM-EAS*", "OPEN-XCHANGE-mobile-api-*"', set()),
        (CLIENT, set()),
        ("open-xchange-mobile-api-facade?*", {"OXP320"}),
        ("", {"OXP306"}),
    ],
)
def test_allowed_clients(tmp_path: Path, patterns: str, codes: set[str]) -> None:
    """Patterns are compared with the whole id, case ignored; an empty list lets everybody in."""
    assert _told(tmp_path, _GCM | {_PUSH + "allowedClients": patterns}, {**_FCM_CLIENT}) == codes


@pytest.mark.parametrize(
    ("settings", "files"),
    [
        pytest.param(_GCM, {**_FCM_CLIENT}, id="one is there"),
        pytest.param(_GCM, {"pns-gcm-options.yml": f"{CLIENT}:\n  keyPath: none.json\n"}, id="lost to an error"),
        pytest.param(_GCM, {}, id="its transport waits for it"),
        pytest.param({_PNS + "gcm.enabled": "ture"}, {}, id="the switch is broken"),
        pytest.param({_PNS + f"gcm.enabled.{CLIENT}": "true"}, {}, id="its switch waits for it"),
    ],
)
def test_no_client_is_told_when_nothing_explains_it(
    tmp_path: Path, settings: dict[str, str], files: dict[str, str | bytes]
) -> None:
    """Whatever says why there is no client says it better."""
    lines = "".join(f"{key}={value}\n" for key, value in settings.items())
    assert "OXP326" not in folders.codes(folders.read(tmp_path, {"all.properties": lines, **files}))


@pytest.mark.parametrize(
    ("address", "host", "imaps"),
    [
        ("mail.example.com", "mail.example.com", False),
        ("mail.example.com:993", "mail.example.com", True),
        ("imap://mail.example.com:143/", "mail.example.com", False),
        ("imaps://mail.example.com", "mail.example.com", True),
        ("[::1]:993", "::1", True),
        ("[::993]", "::993", False),
        ("https://login:secret@mail.example.com:8080/doveadm/v1", "mail.example.com", False),
    ],
)
def test_addresses(address: str, host: str, imaps: bool) -> None:
    """The host is what is left of an address; port 993 is IMAP over TLS whatever the scheme."""
    assert (host_of(address), is_imaps(address)) == (host, imaps)


@pytest.mark.parametrize(
    ("host", "is_here"),
    [("localhost", True), ("127.0.0.2", True), ("::1", True), ("", True), ("0.0.0.0", False), ("mail", False)],
)
def test_this_machine(host: str, is_here: bool) -> None:
    """The loopback's addresses and its name, and nothing that others reach."""
    assert is_this_machine(host) == is_here
