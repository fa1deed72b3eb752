"""Faults of Dovecot's configuration, one each, made from a good one: what is written, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from oxpushctl.listeners.dovecot_rules_delivery import NOTIFY_PATH

SAMPLES = Path(__file__).parents[1] / "data/dovecot_config"
_HERE = "127.0.0.1"
PASSWORD = "pa$s/w%rd"
SETTINGS = {
    "com.openexchange.rest.services.basic-auth.login": "dovecot",
    "com.openexchange.rest.services.basic-auth.password": PASSWORD,
    "com.openexchange.mail.mailServer": f"imap://{_HERE}",
    "oxpushctl.intake.listen": f"{_HERE}:8019",
}
SIGNED = {"com.openexchange.push.credstorage.passcrypt": "geheim", "oxpushctl.dovecot.registration": "signed"}
_DRIVER = "  push_notification_driver = ox:url="
_USER_FROM_METADATA = "  ox_user_from_metadata = yes\n"
_URL = "http://dovecot:pa%%24s%%2Fw%%25rd@127.0.0.1:8019/preliminary/http-notify/v1/notify"
_URL_24 = _URL.replace("%%", "%")
_METADATA = "remote 127.0.0.1 {\n  protocol imap {\n    imap_metadata = yes\n  }\n}\n"
_LMTP = "protocol lmtp {\n  mail_plugins = $mail_plugins notify push_notification\n}\n"
_LDA = _LMTP.replace("lmtp", "lda")
PLUGINS_24 = "  mail_plugins {\n    notify = yes\n    push_notification = yes\n  }\n"
_TRUSTED = "login_trusted_networks = 127.0.0.1\n"


def sample(version: str) -> str:
    """Return a sample as it is for a Dovecot on this machine."""
    return (SAMPLES / f"dovecot-{version}.conf").read_text().replace("192.0.2.10", _HERE)


@dataclass(frozen=True)
class Fault:
    """One fault of a good configuration: how it comes about, and what is said."""

    name: str
    old: Mapping[str, str]
    said: list[str]
    new: Mapping[str, str] | None = None
    said_new: list[str] | None = None
    settings: Mapping[str, str | None] = field(default_factory=dict)
    # The line, of the 2.3 file, that the first finding is at; empty: the whole file.
    line: str = ""


_ALL_TOLD = (
    "error OXP607 imap_metadata: is on outside of remote { }: the owner of any mailbox can register it as another "
    "user's"
)
_NOT_OVER_IMAP = "warning OXP606 imap_metadata: is not on: nobody can be registered over IMAP"
_TRUST = (
    "login_trusted_networks: lacks 127.0.0.1: one user's wrong password slows all of our log-ins, from 10 ms to seconds"
)
_OPEN = {_METADATA: "protocol imap {\n  imap_metadata = yes\n}\n"}
_ONLY_NOT_IMAP = "protocol !imap {\n  imap_metadata = yes\n}\n"
_LACKS = "lacks notify and push_notification: no mail that it delivers is told"
_NO_FLAG = "has no user_from_metadata: Dovecot sends its own user name instead of the registered one"
_ATTRIBUTES = "mail_attribute_dict = file:%h/dovecot-attributes\n"
_FEW = "sessions at a time, and up to 800 are ours: nobody else gets in, and log-ins hang rather than fail"
_ANOTHER_24 = "push_notification a {\n  driver = ox\n  ox_url = http://h/x\n}\n"
_NOT_OURS = "which is not one of ours: the intake listens at"
_AWAKE = "imap_hibernate_timeout = 30s\n"
_IDLE: Mapping[str, str | None] = {"com.openexchange.push.imapidle.enabled": "true"}
_DOVEADM: Mapping[str, str | None] = {
    "com.openexchange.dovecot.doveadm.enabled": "true",
    "com.openexchange.dovecot.doveadm.apiSecret": "key",
    "com.openexchange.dovecot.doveadm.endpoints": "http://127.0.0.1:8080/doveadm/v1",
    "com.openexchange.push.dovecot.preferDoveadmForMetadata": "true",
}
_SLEEP = (
    "info OXP619 imap_hibernate_timeout: is not set: each IDLE session keeps a process and its memory, where one could "
    "hold all that sleep"
)
REFUSED = "the intake refuses it"
LOGIN_KEY = "com.openexchange.rest.services.basic-auth.login"
PASSWORD_KEY = "com.openexchange.rest.services.basic-auth.password"
OX = "push_notification_driver"
OX_24 = "push_notification ox"


def _of(key: str, said: str) -> tuple[list[str], list[str]]:
    """Return what is said about a 2.3 driver, and about one of 2.4."""
    return [said.replace(key, OX)], [said.replace(key, OX_24)]


def _driver_fault(name: str, old: str, new: str, said: str, **more: Mapping[str, str | None]) -> Fault:
    """Make a fault of the URL, which differs between the versions in how a % is written."""
    said_old, said_new = _of("DRIVER", said)
    return Fault(
        name,
        {_URL: old},
        said_old,
        {_URL_24: new},
        said_new,
        line=_DRIVER + old,
        **{"settings": more.get("settings", {})},
    )


FAULTS = [
    Fault(
        "metadata-off",
        {_METADATA: ""},
        [_NOT_OVER_IMAP],
        {_METADATA: ""},
    ),
    Fault("metadata-open", _OPEN, [_ALL_TOLD], _OPEN, line="  imap_metadata = yes"),
    Fault(
        "metadata-open-and-both-believed",
        _OPEN,
        [_ALL_TOLD],
        _OPEN,
        settings={**SIGNED, "oxpushctl.dovecot.registration": "both"},
    ),
    Fault("metadata-open-and-no-passcrypt", _OPEN, [_ALL_TOLD], settings={"oxpushctl.dovecot.registration": "signed"}),
    Fault("metadata-open-but-signed", _OPEN, [], _OPEN, settings=SIGNED),
    Fault(
        "metadata-open-everywhere",
        {_METADATA: "imap_metadata = yes\n"},
        [_ALL_TOLD],
        {_METADATA: "imap_metadata = yes\n"},
    ),
    Fault(
        "metadata-for-everybody-by-address",
        {"remote 127.0.0.1 {": "remote 0.0.0.0/0 {"},
        [_ALL_TOLD],
        {"remote 127.0.0.1 {": "remote 0.0.0.0/0 {"},
    ),
    Fault(
        "metadata-for-a-name-of-ours",
        {_METADATA: "local_name imap.example.com {\n  protocol imap {\n    imap_metadata = yes\n  }\n}\n"},
        [_ALL_TOLD],
    ),
    Fault(
        "metadata-open-but-not-for-imap",
        {_METADATA: _ONLY_NOT_IMAP + _METADATA},
        [],
    ),
    Fault(
        "metadata-for-others",
        {"remote 127.0.0.1 {": "remote 10.0.0.0/8 {"},
        ["warning OXP608 imap_metadata: is on for others, but not for 127.0.0.1, where our log-ins come from"],
        {"remote 127.0.0.1 {": "remote 10.0.0.0/8 {"},
        line="    imap_metadata = yes",
    ),
    Fault(
        "metadata-off-and-registrations-by-doveadm",
        {_METADATA: ""},
        [],
        {_METADATA: ""},
        settings=_DOVEADM,
    ),
    Fault(
        "metadata-off-and-doveadm-without-secret",
        {_METADATA: ""},
        [_NOT_OVER_IMAP],
        {_METADATA: ""},
        settings={**_DOVEADM, "com.openexchange.dovecot.doveadm.apiSecret": None},
    ),
    Fault(
        "metadata-off-and-doveadm-nowhere",
        {_METADATA: ""},
        [_NOT_OVER_IMAP],
        settings={**_DOVEADM, "com.openexchange.dovecot.doveadm.endpoints": None},
    ),
    Fault(
        "no-attribute-dict",
        {_ATTRIBUTES: ""},
        ["error OXP609 mail_attribute_dict: is not set: there is no place for registrations"],
        {"mail_attribute {\n  dict file {\n    path = %{home}/dovecot-attributes\n  }\n}\n": ""},
        ["error OXP609 mail_attribute: is not set: there is no place for registrations"],
    ),
    Fault(
        "attribute-dict-for-imap-only",
        {_ATTRIBUTES: "protocol imap {\n  mail_attribute_dict = file:%h/x\n}\n"},
        ["error OXP609 mail_attribute_dict: is not set for lmtp and lda: there is no place for registrations"],
    ),
    Fault(
        "lda-without-plugins",
        {_LDA: ""},
        [f"warning OXP610 mail_plugins: of protocol lda {_LACKS}"],
        {f"protocol lda {{\n{PLUGINS_24}}}\n": ""},
    ),
    Fault(
        "lmtp-without-notify",
        {_LMTP: _LMTP.replace("notify push", "push")},
        ["warning OXP610 mail_plugins: of protocol lmtp lacks notify: no mail that it delivers is told"],
        {f"protocol lmtp {{\n{PLUGINS_24}": "protocol lmtp {\n  mail_plugins = push_notification\n"},
        line="  mail_plugins = $mail_plugins push_notification",
    ),
    Fault(
        "no-plugins",
        {_LMTP + _LDA: ""},
        [
            f"error OXP610 mail_plugins: of protocol lmtp {_LACKS}",
            f"error OXP610 mail_plugins: of protocol lda {_LACKS}",
        ],
        {PLUGINS_24: ""},
    ),
    Fault(
        "no-driver",
        {_DRIVER + _URL + " user_from_metadata": "  push_notification_driver = dlog"},
        [f"error OXP611 {OX}: has no driver ox: nobody tells the intake of new mail"],
        {f"{OX_24} {{\n  ox_url = {_URL_24}\n{_USER_FROM_METADATA}}}\n": ""},
        ["error OXP611 push_notification: has no driver ox: nobody tells the intake of new mail"],
    ),
    Fault(
        "another-driver-for-lda",
        {_LDA: _LDA.replace("}", "  plugin {\n    push_notification_driver = dlog\n  }\n}")},
        [f"warning OXP611 {OX}: has no driver ox for lda: nobody tells the intake of new mail"],
    ),
    Fault(
        "no-driver-for-lda",
        {_LDA: _LDA.replace("}", "  plugin {\n    push_notification_driver =\n  }\n}")},
        [f"warning OXP611 {OX}: has no driver ox for lda: nobody tells the intake of new mail"],
    ),
    Fault(
        "driver-behind-a-gap",
        {_DRIVER: "  push_notification_driver = dlog\n  push_notification_driver3 = ox:url="},
        ["error OXP612 push_notification_driver3: is ignored: Dovecot stops at the first number that is not there"],
        line=f"  push_notification_driver3 = ox:url={_URL} user_from_metadata",
    ),
    Fault(
        "another-driver-behind-a-gap",
        {"plugin {": "plugin {\n  push_notification_driver1 = dlog"},
        ["warning OXP612 push_notification_driver1: is ignored: Dovecot stops at the first number that is not there"],
    ),
    Fault("driver-of-the-older-name", {"push_notification_driver": "push_notification_backend"}, []),
    Fault(
        "two-drivers",
        {_DRIVER: f"{_DRIVER}http://ox.example.com:8009/x\n  push_notification_driver2 = ox:url="},
        [],
        {"push_notification ox {": _ANOTHER_24 + "push_notification ox {"},
    ),
    _driver_fault(
        "driver-with-another-scheme",
        "ftp://a:b@h/",
        "ftp://a:b@h/",
        "error OXP613 DRIVER: has a url that is not http://HOST:PORT/PATH",
    ),
    _driver_fault("driver-without-url", "", "", "error OXP613 DRIVER: has no url: it calls nobody"),
    _driver_fault(
        "driver-elsewhere",
        _URL.replace("127.0.0.1", "192.0.2.7"),
        _URL_24.replace("127.0.0.1", "192.0.2.7"),
        f"warning OXP613 DRIVER: calls http://192.0.2.7:8019{NOTIFY_PATH}, {_NOT_OURS} 127.0.0.1:8019",
    ),
    _driver_fault(
        "driver-to-the-middleware",
        _URL.replace("8019", "8009"),
        _URL_24.replace("8019", "8009"),
        f"warning OXP613 DRIVER: calls http://127.0.0.1:8009{NOTIFY_PATH}, {_NOT_OURS} 127.0.0.1:8019",
    ),
    _driver_fault(
        "driver-to-another-path",
        _URL.replace("/v1", "/v2"),
        _URL_24.replace("/v1", "/v2"),
        f"warning OXP613 DRIVER: has a url whose path is not that of the notify endpoint, {NOTIFY_PATH}",
    ),
    _driver_fault(
        "driver-with-https",
        _URL.replace("http:", "https:"),
        _URL_24.replace("http:", "https:"),
        f"warning OXP613 DRIVER: calls https://127.0.0.1:8019{NOTIFY_PATH}, but the intake serves http",
    ),
    _driver_fault(
        "driver-without-credentials",
        _URL.replace("dovecot:pa%%24s%%2Fw%%25rd@", ""),
        _URL_24.replace("dovecot:pa%24s%2Fw%25rd@", ""),
        f"error OXP614 DRIVER: carries no login and password in its URL: {REFUSED}",
    ),
    _driver_fault(
        "driver-with-another-login",
        _URL.replace("dovecot:", "cyrus:"),
        _URL_24.replace("dovecot:", "cyrus:"),
        f"error OXP614 DRIVER: carries another login than {LOGIN_KEY}: {REFUSED}",
    ),
    _driver_fault(
        "driver-with-another-password",
        _URL.replace("%%25rd", "ord"),
        _URL_24.replace("%25rd", "ord"),
        f"error OXP614 DRIVER: carries another password than {PASSWORD_KEY}: {REFUSED}",
    ),
    Fault(
        "percent-not-doubled",
        {_URL: _URL_24},
        [f"error OXP615 {OX}: has a single % in its URL, which begins a variable: every log-in and delivery fails"],
        {_URL_24: _URL},
        [f"error OXP614 {OX_24}: carries another password than {PASSWORD_KEY}: {REFUSED}"],
        line=f"{_DRIVER}{_URL_24} user_from_metadata",
    ),
    Fault(
        "names-of-dovecot",
        {" user_from_metadata": ""},
        [f"warning OXP616 {OX}: {_NO_FLAG}"],
        {_USER_FROM_METADATA: ""},
        [f"warning OXP616 {OX_24}: {_NO_FLAG}"],
    ),
    Fault(
        "names-of-dovecot-and-signed",
        {" user_from_metadata": ""},
        [f"error OXP616 {OX}: {_NO_FLAG}, which is never believed while registrations are signed"],
        settings=SIGNED,
    ),
    Fault("not-trusted", {_TRUSTED: ""}, [f"warning OXP617 {_TRUST}"], {_TRUSTED: ""}),
    Fault(
        "others-trusted",
        {_TRUSTED: "login_trusted_networks = 10.0.0.0/8, ::1\n"},
        [f"warning OXP617 {_TRUST}"],
        {_TRUSTED: "login_trusted_networks = 10.0.0.0/8 ::1\n"},
        line="login_trusted_networks = 10.0.0.0/8, ::1",
    ),
    Fault("trusted-with-others", {_TRUSTED: "login_trusted_networks = 10.0.0.0/8, 127.0.0.0/8\n"}, []),
    Fault("not-trusted-and-nobody-logs-in", {_TRUSTED: ""}, [], settings={"com.openexchange.mail.mailServer": None}),
    Fault(
        "no-penalty",
        {_TRUSTED: "service anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\n"},
        [],
        {_TRUSTED: "service anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\n"},
    ),
    Fault("sessions-that-do-not-sleep", {}, [_SLEEP], {}, settings=_IDLE),
    Fault(
        "too-few-sessions",
        {_TRUSTED: _TRUSTED + "service imap {\n  process_limit = 500\n}\n" + _AWAKE},
        [f"warning OXP618 service imap: allows 500 {_FEW}"],
        {_TRUSTED: _TRUSTED + "service imap {\n  process_limit = 500\n}\n" + _AWAKE},
        settings=_IDLE,
        line="  process_limit = 500",
    ),
    Fault(
        "many-sessions-in-few-processes",
        {_TRUSTED: _TRUSTED + "service imap {\n  process_limit = 40\n  client_limit = 250\n}\n" + _AWAKE},
        [],
        settings=_IDLE,
    ),
    Fault(
        "sessions-by-default",
        {
            _TRUSTED: _TRUSTED
            + "default_process_limit = 300\nservice imap {\n  process_limit = 0\n}\nimap_hibernate_timeout = 0s\n"
        },
        [
            f"warning OXP618 service imap: allows 300 {_FEW}",
            _SLEEP,
        ],
        settings=_IDLE,
    ),
]
