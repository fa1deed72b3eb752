"""Rules between settings: where they are silent, which is as much of a promise as where they speak.

What each of them says stands in the folders of tests/data/config.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from oxpushctl.config.finding import Severity
from oxpushctl.config.hosts import host_of, is_this_machine
from tests.config import folders
from tests.config.folders import CLIENT

_MAIL = "com.openexchange.mail."
_PUSH = "com.openexchange.push."
_DOVEADM = "com.openexchange.dovecot.doveadm."
_PNS = "com.openexchange.pns.transport."

_DATABASE = {"oxpushctl.database.url": "mysql://127.0.0.1/ox"}
_SERVER = {_MAIL + "mailServer": "imaps://mail.example.com"}
_GLOBAL = {_MAIL + "passwordSource": "global", _MAIL + "masterPassword": "sesame"}
_PASSCRYPT = {_PUSH + "credstorage.passcrypt": "sesame"}
_REGISTRATION = "oxpushctl.dovecot.registration"
_IN_MEMORY = {_PUSH + "credstorage.enabled": "true", _REGISTRATION: "both"} | _PASSCRYPT
_KEPT = _IN_MEMORY | {_PUSH + "credstorage.rdb": "true"}
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
    lines = "".join(f"{key}={value}\n" for key, value in (_DATABASE | settings).items())
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
        pytest.param(_SERVER | _WITH_DOVEADM | {_DOVEADM + "endpoints": "mail:8080"}, set(), id="unreadable endpoint"),
        pytest.param(_SERVER | _WITH_DOVEADM | {_DOVEADM + "enabled": "ture"}, set(), id="unreadable doveadm"),
        pytest.param(
            {_PUSH + "credstorage.enabled": "ture", _PUSH + "credstorage.rdb": "true"}, set(), id="unreadable storage"
        ),
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
        pytest.param(_SERVER | {_DOVEADM + "enabled": "true"}, {"OXP317", "OXP321"}, id="doveadm, but not where"),
        pytest.param(
            _SERVER | {_DOVEADM + "enabled": "true", _PUSH + "dovecot.preferDoveadmForMetadata": "true"},
            {"OXP317", "OXP321"},
            id="doveadm preferred, but not where",
        ),
        pytest.param(
            _SERVER | _WITH_DOVEADM | _IDLE | {_DOVEADM + "endpoints": "mail:8080"},
            {"OXP317"},
            id="IDLE beside a mistake about doveadm",
        ),
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
        ("*", {"OXP306"}),
        ('"USM-EAS*" "open-xchange-mailapp"', {"OXP332"}),
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
    ("address", "host"),
    [
        ("mail.example.com", "mail.example.com"),
        ("mail.example.com:993", "mail.example.com"),
        ("[::1]:8019", "::1"),
        ("unix:/run/x.sock", ""),
        ("https://login:secret@mail.example.com:8080/doveadm/v1", "mail.example.com"),
    ],
)
def test_addresses(address: str, host: str) -> None:
    """The host is what is left of an address."""
    assert host_of(address) == host


@pytest.mark.parametrize(
    ("host", "is_here"),
    [("localhost", True), ("127.0.0.2", True), ("::1", True), ("", True), ("0.0.0.0", False), ("mail", False)],
)
def test_this_machine(host: str, is_here: bool) -> None:
    """The loopback's addresses and its name, and nothing that others reach."""
    assert is_this_machine(host) == is_here


@pytest.mark.parametrize(
    ("listed", "codes"),
    [
        pytest.param("other:\n  enabled:\n", {"OXP312"}, id="another client without a value"),
        pytest.param("other:\n  enabled: 2\n", {"OXP312"}, id="another client with an error"),
        pytest.param("my-app: 2\n", set(), id="this client with an error"),
        pytest.param("- my-app\n", set(), id="no list at all"),
        pytest.param("my-app:\n  enabled: true\n", set(), id="this client"),
        pytest.param("my-app:\n  enabled: false\n", {"OXP312"}, id="this client switched off"),
    ],
)
def test_a_client_that_is_not_listed(tmp_path: Path, listed: str, codes: set[str]) -> None:
    """Only an error that may have taken this very client off the list is a reason not to say so."""
    files: dict[str, str | bytes] = {
        "account.json": "{}",
        "pns-gcm-options.yml": "my-app:\n  keyPath: account.json\n",
        "pns-mobile-api-facade-clients.yml": listed,
    }
    told = _told(tmp_path, _GCM | {_PUSH + "allowedClients": "my-app"}, files)
    assert told == codes


@pytest.mark.parametrize("key", ["cluster.url", "push.burst"])
def test_a_key_of_a_later_version(tmp_path: Path, key: str) -> None:
    """It is not known here, and no other key is meant by it."""
    [found] = (
        one for one in folders.read(tmp_path, overrides=(f"oxpushctl.{key}=x",)).findings if one.key.endswith(key)
    )
    assert (found.severity, found.code, found.hint) == (Severity.WARNING, "OXP101", "")


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        pytest.param(_PASSCRYPT, set(), id="signed by default"),
        pytest.param(_PASSCRYPT | {_REGISTRATION: "signed"}, set(), id="signed"),
        pytest.param(_PASSCRYPT | {_REGISTRATION: "both"}, set(), id="both"),
        pytest.param(_PASSCRYPT | {_REGISTRATION: "plain"}, set(), id="plain"),
        pytest.param(_PASSCRYPT | {_PUSH + "dovecot.enabled": "false"} | _NOTIFY, set(), id="no Dovecot"),
        pytest.param(_PASSCRYPT | {_REGISTRATION: "sined"}, set(), id="unreadable"),
    ],
)
def test_signed_registrations_that_nothing_writes(tmp_path: Path, settings: dict[str, str], codes: set[str]) -> None:
    """A passphrase alone makes every registration of the middleware one that is not believed."""
    assert _told(tmp_path, settings) == codes


_UTF_16 = "com.openexchange.mail.mailServer=imaps://mail.example.com\n".encode("utf-16")


@pytest.mark.parametrize(
    ("file", "silent"),
    [
        pytest.param("mail.properties", {"OXP315"}, id="mail"),
        pytest.param("server.properties", {"OXP305"}, id="server"),
        pytest.param("oxpushctl.properties", {"OXP311"}, id="own"),
        pytest.param("site.properties", {"OXP315", "OXP305", "OXP311", "OXP326"}, id="any key may be in this one"),
    ],
)
@pytest.mark.parametrize("is_link", [True, False])
def test_what_a_lost_file_may_have_set(tmp_path: Path, file: str, silent: set[str], is_link: bool) -> None:
    """Nobody is told that a key is not set that may stand in a file that cannot be read."""
    always = folders.codes(folders.read(tmp_path))
    if is_link:
        (tmp_path / file).symlink_to(tmp_path / "nowhere")
    else:
        (tmp_path / file).write_bytes(_UTF_16)
    told = {code for code in folders.codes(folders.read(tmp_path)) if code.startswith("OXP3")}
    assert told == always - silent


def test_a_switch_of_one_client_decides(tmp_path: Path) -> None:
    """The key that is named is the one that has to be changed, and where it stands."""
    settings = f"{_PNS}gcm.enabled=true\n{_PNS}gcm.enabled.{CLIENT}=false\n"
    found = folders.read(tmp_path, {"pns.properties": settings, **_FCM_CLIENT}).findings
    message = f"is configured, but {_PNS}gcm.enabled.{CLIENT} (pns.properties:2) is not true"
    assert [one.message for one in found if one.code == "OXP303"] == [message]


_DRIVE = "drive-ios:\n  _type: apn\n  keystoreId: drive\n"


@pytest.mark.parametrize(
    ("files", "code"),
    [
        pytest.param({}, "OXP216", id="of another module"),
        pytest.param({"pns-mobile-api-facade-clients.yml": "drive:\n  enabled: true\n"}, "OXP208", id="listed"),
        pytest.param({"mail-push.properties": f"{_PUSH}allowedClients=drive\n"}, "OXP208", id="allowed"),
        pytest.param({"pns.properties": f"{_PNS}apn.ios.enabled.drive=true\n"}, "OXP208", id="switched on"),
        pytest.param({"pns-mobile-api-facade-clients.yml": "- drive\n"}, "OXP208", id="the list is broken"),
    ],
)
def test_a_push_client_of_another_module(tmp_path: Path, files: dict[str, str | bytes], code: str) -> None:
    """What is wrong with one is none of ours, unless anything says that it is a mail app."""
    found = folders.read(tmp_path, {"pushClientConfig/drive.yml": _DRIVE, **files}).findings
    told = [(one.code, one.severity) for one in found if one.file == "pushClientConfig/drive.yml"]
    assert (code, Severity.INFO if code == "OXP216" else Severity.ERROR) in told
    assert (len(told) == 1) == (code == "OXP216")


@pytest.mark.parametrize(
    ("url", "codes"),
    [
        ("sqlite:////nonexistent/folder/x.db", {"OXP335"}),
        ("sqlite:////tmp/x.db", set()),
        ("sqlite+pysqlite:////nonexistent/x.db?timeout=3", {"OXP335"}),
        ("sqlite://", set()),
        ("sqlite:///:memory:", set()),
    ],
)
def test_the_folder_of_the_database(tmp_path: Path, url: str, codes: set[str]) -> None:
    """A command that runs as root would make it for root."""
    assert _told(tmp_path, {"oxpushctl.database.url": url}) == codes


def test_patterns_without_comma_are_told_as_they_were_meant(tmp_path: Path) -> None:
    """With the app that is missing, too: one line to set, and no second finding that keeps what is broken."""
    settings = f'{_PUSH}allowedClients="USM-EAS*" "open-xchange-mailapp"\n'
    found = folders.read(tmp_path, {"mail-push.properties": settings, **_FCM_CLIENT}).findings
    [hint] = (one.hint for one in found if one.code in ("OXP332", "OXP320"))
    assert hint == f'set it to "USM-EAS*", "open-xchange-mailapp", "{CLIENT}*"'
