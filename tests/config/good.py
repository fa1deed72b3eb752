"""Good configurations of both generations: every kind of file, and every line of them with its use.

A default is spelled out where its line may be dropped, so that dropping a line changes nothing, or is told.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from tests.config import folders
from tests.config.folders import CLIENT
from tests.peers.certificates import Authority, ec_key
from tests.transports.accounts import write_account
from tests.transports.apple_certificates import DAY, FOR_SANDBOX, MAIL, mark, self_signed

BRAND = f"{CLIENT}-brand1"
OWN = "my-app"
PASSWORD = "sesame-07"

_PROPERTIES = {
    "server.properties": """\
# what Dovecot's requests carry
com.openexchange.rest.services.basic-auth.login=dovecot
com.openexchange.rest.services.basic-auth.password=sesame
com.openexchange.server.knownProxies=127.0.0.1
""",
    "mail-push.properties": f"""\
com.openexchange.push.allowPermanentPush=true
com.openexchange.push.allowedClients="USM-EAS*", "open-xchange-mobile-api-facade*", \\
    "{OWN}"
com.openexchange.push.credstorage.enabled=true
com.openexchange.push.credstorage.passcrypt.file=secrets/passcrypt
com.openexchange.push.credstorage.rdb=false
""",
    "mail.properties": """\
com.openexchange.mail.mailServer=imaps://mail.example.com
com.openexchange.mail.passwordSource=session
com.openexchange.mail.loginSource=login
com.openexchange.mail.authType=login
""",
    "imap.properties": "com.openexchange.imap.requireTls=true\n",
    "dovecot-push.properties": """\
com.openexchange.push.dovecot.enabled=true
com.openexchange.push.dovecot.preferDoveadmForMetadata=false
""",
    "doveadm.properties": "com.openexchange.dovecot.doveadm.enabled=false\n",
    "push_imapidle.properties": """\
com.openexchange.push.imapidle.enabled=false
com.openexchange.push.imapidle.supportsPermanentListeners=false
com.openexchange.push.imapidle.folder=INBOX
com.openexchange.push.imapidle.accountId=0
com.openexchange.push.imapidle.pushMode=always
""",
    "push_mailnotify.properties": "com.openexchange.push.mail.notify.enabled=false\n",
    "pns.properties": f"""\
com.openexchange.pns.transport.apn.ios.enabled=true
com.openexchange.pns.transport.apn.ios.enabled.{CLIENT}=true
com.openexchange.pns.transport.apn.ios.enabled.{BRAND}=true

com.openexchange.pns.transport.gcm.enabled: true
com.openexchange.pns.transport.gcm.enabled.{CLIENT} = true
com.openexchange.pns.transport.gcm.enabled.{BRAND}=true
com.openexchange.pns.transport.gcm.enabled.{OWN}=true
com.openexchange.pns.transport.gcm.enabled.{CLIENT}.ox\\:mail\\:new=true
com.openexchange.pns.delayDuration=1000
com.openexchange.pns.maxDelayDuration=10000
com.openexchange.pns.numProcessorThreads=10
""",
    "pns-mobile-api-facade.properties": """\
com.openexchange.pns.mobile.api.facade.apn.badge.enabled=true
com.openexchange.pns.mobile.api.facade.apn.sound.enabled=true
com.openexchange.pns.mobile.api.facade.apn.sound.filename=default
""",
    "oxpushctl.properties": f"""\
! our own
oxpushctl.intake.listen=127.0.0.1:8019
oxpushctl.public.listen=127.0.0.1:8443
oxpushctl.sessions.idle=1h
oxpushctl.sessions.maxAge=7d
oxpushctl.users.autoCreate=false
oxpushctl.admin.listen=127.0.0.1:8020
oxpushctl.admin.login=admin
oxpushctl.admin.password.file=secrets/passcrypt
oxpushctl.outbox=durable
oxpushctl.push.maxAge=4h
oxpushctl.push.content=subject
oxpushctl.push.content.{CLIENT}=subject
oxpushctl.tls.certificate=secrets/server-2.pem
oxpushctl.tls.key=secrets/server-3.key
oxpushctl.fcm.endpoint=https://fcm.googleapis.com:443
""",
    "caldav.properties": "com.openexchange.caldav.interval.start=one_month\n",
}

_APNS = f"""\
  enabled: true
  authtype: certificate
  topic: {MAIL}
  keystore: secrets/development.p12
  password: {PASSWORD}
  production: false
"""
_JWT = """\
  enabled: true
  authtype: jwt
  topic: com.example.brand
  privatekey: secrets/AuthKey.p8
  keyid: ABCDEF1234
  teamid: ABCDE12345
  production: true
"""
_FCM = """\
  enabled: true
  keyPath: secrets/account.json
"""

_OPTIONS_OF_7 = {
    "pns-apns-options.yml": f"# two apps\n{CLIENT}:\n{_APNS}{BRAND}:\n{_JWT}",
    "pns-gcm-options.yml": f"{CLIENT}:\n{_FCM}{BRAND}:\n{_FCM}{OWN}:\n{_FCM}",
}
_OPTIONS_OF_8 = {
    "pushClientConfig/apps.yml": f"{CLIENT}-ios:\n  _type: apn\n{_APNS}{BRAND}-ios:\n  _type: apn\n{_JWT}",
    "pushClientConfig/android.yml": "".join(
        f"{client}-android:\n  _type: fcm\n{_FCM}" for client in (CLIENT, BRAND, OWN)
    ),
}
_FACADE_CLIENTS = {"pns-mobile-api-facade-clients.yml": f"{OWN}:\n  enabled: true\n  description: of our own\n"}


def write_of_7(etc: Path) -> dict[str, str]:
    """Write a configuration of OX 7.x that nothing is to be said against; return its text files."""
    redis = "oxpushctl.credentials.url=redis://127.0.0.1:6379/0\n"
    return _written(etc, {**_OPTIONS_OF_7, "redis.properties": redis})


def write_of_8(etc: Path) -> dict[str, str]:
    """Write one of OX 8.x, with doveadm in place of kept passwords; return its text files."""
    doveadm = {
        "doveadm.properties": "com.openexchange.dovecot.doveadm.enabled=true\n"
        "com.openexchange.dovecot.doveadm.apiSecret.file=secrets/passcrypt\n"
        "com.openexchange.dovecot.doveadm.endpoints=https://mail.example.com:8080/doveadm/v1\n",
        "mail-push.properties": _PROPERTIES["mail-push.properties"].replace("enabled=true", "enabled=false"),
    }
    return _written(etc, {**_OPTIONS_OF_8, **doveadm})


WRITERS: dict[str, Callable[[Path], dict[str, str]]] = {"OX 7.x": write_of_7, "OX 8.x": write_of_8}


def _written(etc: Path, options: dict[str, str]) -> dict[str, str]:
    texts = {**_PROPERTIES, **_FACADE_CLIENTS, **options}
    folders.write(etc, {**texts, "secrets/passcrypt": "a passphrase"})
    secrets = etc / "secrets"
    Authority(secrets).server(not_after=datetime.datetime.now(datetime.UTC) + 300 * DAY)
    ec_key(secrets / "AuthKey.p8")
    write_account(secrets / "account.json", private_key=_small_key())
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = self_signed(mark(FOR_SANDBOX), key=key).chain[0]
    encryption = BestAvailableEncryption(PASSWORD.encode())
    (secrets / "development.p12").write_bytes(
        pkcs12.serialize_key_and_certificates(MAIL.encode(), key, certificate, None, encryption)
    )
    for path in secrets.iterdir():
        path.chmod(0o600)
    return texts


def _small_key() -> str:
    """Write an RSA key that is checked quickly: it is read again for each of many mutations."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
