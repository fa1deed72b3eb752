"""Configurations full of planted secrets: a good one, one where everything fails, one with which nothing starts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from oxpushctl.config.own import INTAKE_LISTEN
from oxpushctl.sandbox import identity
from oxpushctl.sandbox.identity import Identity
from oxpushctl.sandbox.write_etc import CERTIFICATE_CLIENT, KEYS, SERVICE_ACCOUNT_FILE, write_etc
from tests.config import folders
from tests.house.planted import Planted

_REST = "com.openexchange.rest.services.basic-auth."
_STORAGE = "com.openexchange.push.credstorage"
_PASSCRYPT = f"{_STORAGE}.passcrypt"
_MASTER_PASSWORD = "com.openexchange.mail.masterPassword"
_API_SECRET = "com.openexchange.dovecot.doveadm.apiSecret"
_DELAY = "com.openexchange.pns.delayDuration"

_EC_PRIVATE = slice(48, 90)  # of the Base64 of PKCS#8; the public key follows
_RSA_PRIVATE = slice(500, 1500)


@dataclass(frozen=True)
class PlantedEtc:
    """A configuration folder; ``environ`` is what comes with it, ``rest_password`` what Dovecot was told."""

    folder: Path
    environ: dict[str, str]
    rest_password: str


def good(folder: Path, planted: Planted, keys: Identity, endpoint: str) -> PlantedEtc:
    """Every secret in a place where it belongs: files, a file of its own, systemd's credentials, the environment."""
    write_etc(folder, keys, endpoint=endpoint, settings={INTAKE_LISTEN.key: "127.0.0.1:0"})
    planted.key("signing key", keys.provider_key_pem, _EC_PRIVATE)
    planted.key("service account", keys.service_key_pem, _RSA_PRIVATE)
    password = planted.secret("keystore")
    rest_password = planted.secret("REST")
    (folder / "planted.p12").write_bytes(_keystore(keys, password))
    jwt_client = f"{CERTIFICATE_CLIENT}-jwt"
    folders.write(
        folder,
        {
            "server.properties": f"{_REST}login=dovecot\n{_REST}password={rest_password}\n",
            "mail-push.properties": f"{_STORAGE}.enabled=true\n{_STORAGE}.rdb=true\n"
            f"{_PASSCRYPT}.file=secrets/passcrypt\n",
            "secrets/passcrypt": planted.secret("passcrypt"),
            "secrets/old-passcrypt": planted.secret("old passcrypt"),
            "secrets/password": planted.secret("password in a file"),
            "secrets/admin": planted.secret("admin"),
            "admin.properties": "oxpushctl.admin.login=admin\noxpushctl.admin.password.file=secrets/admin\n",
            f"credentials/{_MASTER_PASSWORD}": planted.secret("master password"),
            "mail.properties": "com.openexchange.mail.mailServer=127.0.0.1:1\n"
            "com.openexchange.mail.passwordSource=global\n",
            "pns-apns-options.yml": f"{CERTIFICATE_CLIENT}:\n  keystore: planted.p12\n  password: '{password}'\n"
            f"{jwt_client}:\n  privatekey: {KEYS}/{identity.PROVIDER_KEY_FILE}\n  keyid: {identity.KEY_ID}\n"
            f"  teamid: {identity.TEAM_ID}\n  topic: {identity.BEARER_TOPIC}\n",
            "pns-gcm-options.yml": f"{CERTIFICATE_CLIENT}:\n  keyPath: {KEYS}/{SERVICE_ACCOUNT_FILE}\n",
            "pushClientConfig/clients.yml": f"{CERTIFICATE_CLIENT}-eight-ios:\n  _type: apn\n  keystore: planted.p12\n"
            f"  password: '{password}'\n",
            f"packaged/{CERTIFICATE_CLIENT}-packaged.properties": "apnKeystoreFile=../planted.p12\n"
            f"apnPassword={password}\n",
            "more.properties": "oxpushctl.pns.packaged=packaged\noxpushctl.dovecot.registration=plain\n",
            "dovecot.conf": _dovecot(planted),
        },
    )
    _make_private(folder)
    environ = {
        "CREDENTIALS_DIRECTORY": str(folder / "credentials"),
        f"OXPUSHCTL_{_API_SECRET.replace('.', '_')}": planted.secret("doveadm"),
    }
    return PlantedEtc(folder, environ, rest_password)


def ailing(folder: Path, planted: Planted, keys: Identity, endpoint: str) -> PlantedEtc:
    """The engine starts, but no client can be served, the proxy is dead, and options are damaged beside secrets."""
    etc = good(folder, planted, keys, endpoint)
    wrong = planted.word("wrong keystore password")
    eight = CERTIFICATE_CLIENT
    account = json.loads((folder / KEYS / SERVICE_ACCOUNT_FILE).read_text())
    folders.write(
        folder,
        {
            "proxy.properties": f"oxpushctl.proxy=http://user:{planted.in_url('proxy')}@127.0.0.1:1\n",
            "pns-apns-options.yml": f"{CERTIFICATE_CLIENT}:\n  keystore: planted.p12\n  password: '{wrong}'\n"
            f"{CERTIFICATE_CLIENT}-a:\n  keystore: none.p12\n  pasword: {wrong}\n"
            f"{CERTIFICATE_CLIENT}-b:\n  privatekey: damaged.p8\n  keyid: ABCDE12345\n"
            "  teamid: FGHIJ67890\n  topic: c\n",
            "pns-apns_http2-options.yml": f"{CERTIFICATE_CLIENT}:\n  password: *{wrong}\n",
            "pns-gcm-options.yml": f"{CERTIFICATE_CLIENT}:\n  keyPath: damaged.json\n"
            f"{CERTIFICATE_CLIENT}-c:\n  key: {planted.secret('legacy key')}\n"
            f"{CERTIFICATE_CLIENT}-d:\n  keyPath: of-a-person.json\n",
            "damaged.p8": keys.provider_key_pem.decode().replace("\n", "\n ", 1)[:-40],
            "damaged.json": json.dumps(account)[:-30],
            "of-a-person.json": json.dumps({**account, "type": "authorized_user"}),
            "pushClientConfig/alias.yml": f"{eight}-a-ios:\n  _type: apn\n  password: &{wrong}\n",
            "pushClientConfig/list.yml": f"{eight}-b-ios:\n  _type: apn\n  password: [{wrong}]\n",
            "pushClientConfig/quote.yml": f'{eight}-c-ios:\n  _type: apn\n  password: "{wrong}\n  keystore: x.p12\n',
            "pushClientConfig/tab.yml": f"{eight}-d-ios:\n\tpassword: {wrong}\n",
            "pushClientConfig/tag.yml": f"{eight}-e-ios:\n  _type: apn\n  password: !{wrong} x\n",
            "pushClientConfig/type.yml": f"{eight}-f-ios:\n  _type: apns\n  password: {wrong}\n",
            "pushClientConfig/twice.yml": f"{eight}-g-ios:\n  _type: apn\n  password: a\n  password: {wrong}\n",
            f"packaged/{CERTIFICATE_CLIENT}-packaged.properties": "apnKeystoreFile=../planted.p12\n"
            f"apnPassword={wrong}\napnPasword={wrong}\n",
        },
    )
    return etc


def broken(folder: Path, planted: Planted, keys: Identity, endpoint: str) -> PlantedEtc:
    """Nothing starts: values of the wrong kind, contradictions and damaged lines, all of them with secrets."""
    etc = ailing(folder, planted, keys, endpoint)
    another, third = planted.secret("another"), planted.secret("third")
    folders.write(
        folder,
        {
            "a.properties": f"{_REST}password={another}\n{_REST}password={third}\n{_REST}pasword={another}\n"
            f"{_PASSCRYPT}={another}\n{_PASSCRYPT}:{third}\n{_PASSCRYPT.upper()} {third}\n"
            f"{_MASTER_PASSWORD} {another}\\u00zz\n{_MASTER_PASSWORD}={third}\\ud800\n"
            f"{_DELAY}=1000\\\n{_PASSCRYPT}={third}\noxpushctl.tls.ca=/nowhere\\\n{_PASSCRYPT} {third}\n"
            f"{_MASTER_PASSWORD}.file=/nowhere\\\n{_PASSCRYPT}:{third}\n"
            f"com.openexchange.push.imapidle.folder=INBOX\\\n{_PASSCRYPT}={third}\n"
            f"{_REST}login.file=/nowhere/{third}\n",
            "b.properties": f"oxpushctl.proxy=socks://u:{planted.in_url('proxy')}@127.0.0.1\n"
            f"oxpushctl.database.url=u:{another}@127.0.0.1\n",
            "c.properties": f"oxpushctl.database.url=mysql://u:{another}@127.0.0.1:port/db?password={third}\n",
            "d.properties": f"{_API_SECRET}={another}\n{_API_SECRET}.file=/nowhere\n",
            "e.properties": f"com.openexchange.mail.mailServer=imaps://u:{planted.in_url('mail server')}@127.0.0.1\n"
            f"oxpushctl.intake.listen=http://u:{planted.in_url('intake')}@127.0.0.1:0\n"
            f"oxpushctl.admin.listen=127.0.0.1:0?token={another}\n"
            f"oxpushctl.fcm.endpoint=https://u:{planted.in_url('gateway')}@127.0.0.1\n"
            f"oxpushctl.apns.endpoint.sandbox=https://127.0.0.1/?key={third}\n"
            f"com.openexchange.dovecot.doveadm.endpoints=http://u:{planted.in_url('doveadm URL')}@127.0.0.1/\n",
            "f.properties": f"oxpushctl.node=n1\\\ncom.openexchange.sessiond.encryptionKey={another}\n"
            f"com.openexchange.mail.loginSource=login\\\ncom.openexchange.mail.masterPasswort={third}\n",
            "mail.properties": f"com.openexchange.mail.passwordSource=globl\n{_MASTER_PASSWORD}={another}\n",
        },
    )
    environ = {
        **etc.environ,
        f"OXPUSHCTL_{_PASSCRYPT.replace('.', '_')}": third,
        f"OXPUSHCTL_{_PASSCRYPT.replace('.', '_')}S": third,
        "https_proxy": f"http://u:{planted.in_url('proxy')}@127.0.0.1:1",
    }
    return PlantedEtc(folder, environ, etc.rest_password)


def _keystore(keys: Identity, password: str) -> bytes:
    encryption = serialization.BestAvailableEncryption(password.encode())
    return pkcs12.serialize_key_and_certificates(
        b"planted", keys.apns_certificate_key, keys.apns_certificate, [keys.ca], encryption
    )


def _dovecot(planted: Planted) -> str:
    """Return what ``doveconf -n`` prints of a Dovecot 2.3 that sends to somebody else."""
    url = f"http://dovecot:{planted.in_url('driver')}@127.0.0.1:8009/preliminary/http-notify/v1/notify"
    return (
        "# 2.3.19.1: /etc/dovecot/dovecot.conf\n"
        f"doveadm_api_key = {planted.secret('doveadm_api_key')}\n"
        f"doveadm_password = {planted.secret('doveadm_password')}\n"
        "mail_attribute_dict = file:%h/dovecot-attributes\n"
        "plugin {\n"
        f"  push_notification_driver = ox:url={url} user_from_metadata\n"
        f"  push_notification_driver2 = ox:url=http:/{planted.secret('damaged driver')}@\n"
        "}\n"
        f"passdb {{\n  driver = static\n  args = password={planted.secret('static')}\n}}\n"
        "protocol lmtp {\n  mail_plugins = notify push_notification\n}\n"
    )


def _make_private(folder: Path) -> None:
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
