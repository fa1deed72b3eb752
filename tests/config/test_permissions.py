"""Secrets that every user of the machine can read."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from tests.config import folders
from tests.config.folders import CLIENT

_PASSCRYPT = "com.openexchange.push.credstorage.passcrypt"
_KEY = b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"
_SECRET = "sesame"


def _open(configuration: Configuration) -> list[Finding]:
    """Return the findings about modes, after a look at all of them: no value is ever shown."""
    assert _SECRET not in "".join(folders.lines(configuration))
    return [finding for finding in configuration.findings if finding.code == "OXP331"]


@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        ("mail-push.properties", f"{_PASSCRYPT}={_SECRET}\n", _PASSCRYPT),
        (
            "doveadm.properties",
            f"com.openexchange.dovecot.doveadm.apiSecret={_SECRET}\n",
            "com.openexchange.dovecot.doveadm.apiSecret",
        ),
        ("a.properties", f"oxpushctl.database.url=mysql://oxpush:{_SECRET}@db/oxpush\n", "oxpushctl.database.url"),
        ("pns-apns-options.yml", f"{CLIENT}:\n  enabled: false\n  password: {_SECRET}\n", f"{CLIENT}.password"),
        (
            "pushClientConfig/apps.yml",
            f"{CLIENT}-ios:\n  _type: apn\n  enabled: false\n  password: {_SECRET}\n",
            f"{CLIENT}.password",
        ),
    ],
)
def test_a_file_with_a_secret(tmp_path: Path, name: str, text: str, key: str) -> None:
    """Whoever is on the machine reads it: a warning at the file, which names the key and says what to do."""
    folders.write(tmp_path, {name: text})
    path = tmp_path / name
    path.chmod(0o644)
    (finding,) = _open(folders.read(tmp_path))
    assert (finding.severity, finding.file, finding.line, finding.key) == (Severity.WARNING, name, None, key)
    assert finding.hint == f"chmod o-r {path}"
    path.chmod(0o640)
    assert _open(folders.read(tmp_path)) == []


@pytest.mark.parametrize(
    "text",
    [
        "com.openexchange.pns.delayDuration=1000\n",
        f"{_PASSCRYPT}=\n",
        "oxpushctl.database.url=sqlite:////var/lib/oxpushctl/oxpushctl.db\n",
        f"{_PASSCRYPT}.file=/nowhere/passcrypt\n",
    ],
)
def test_a_file_without_a_secret(tmp_path: Path, text: str) -> None:
    """What is no secret may be read by anybody; so may the path of a secret."""
    folders.write(tmp_path, {"mail-push.properties": text})
    (tmp_path / "mail-push.properties").chmod(0o644)
    assert _open(folders.read(tmp_path)) == []


def test_several_secrets_in_a_file(tmp_path: Path) -> None:
    """One finding a file: the first of them is named."""
    text = f"com.openexchange.mail.masterPassword={_SECRET}\n{_PASSCRYPT}={_SECRET}\n"
    folders.write(tmp_path, {"all.properties": text})
    (tmp_path / "all.properties").chmod(0o604)
    assert [finding.key for finding in _open(folders.read(tmp_path))] == ["com.openexchange.mail.masterPassword"]


def test_a_secret_in_a_file_of_its_own(tmp_path: Path) -> None:
    """The file that KEY.file names is what has to be private, wherever it is."""
    secret = tmp_path / "passcrypt"
    folders.write(tmp_path, {"passcrypt": _SECRET, "etc/mail-push.properties": f"{_PASSCRYPT}.file={secret}\n"})
    secret.chmod(0o644)
    (finding,) = _open(folders.read(tmp_path / "etc"))
    assert (finding.file, finding.key) == (str(secret), _PASSCRYPT)
    secret.chmod(0o600)
    assert _open(folders.read(tmp_path / "etc")) == []


def test_a_secret_from_systemd(tmp_path: Path) -> None:
    """A credential that systemd hands over is judged as well: by itself it is private, a copy may not be."""
    credentials = tmp_path / "credentials"
    folders.write(credentials, {_PASSCRYPT: _SECRET})
    (credentials / _PASSCRYPT).chmod(0o644)
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    (finding,) = _open(folders.read(tmp_path / "etc", {"a.properties": ""}, environ=environ))
    assert finding.file == str(credentials / _PASSCRYPT)
    (credentials / _PASSCRYPT).chmod(0o400)
    assert _open(folders.read(tmp_path / "etc", environ=environ)) == []


@pytest.mark.parametrize(
    ("options", "text", "key"),
    [
        ("pns-gcm-options.yml", f"{CLIENT}:\n  keyPath: credentials\n", f"{CLIENT}.keyPath"),
        ("pns-apns-options.yml", f"{CLIENT}:\n  keystore: credentials\n", f"{CLIENT}.keystore"),
        ("pns-apns-options.yml", f"{CLIENT}:\n  privatekey: credentials\n", f"{CLIENT}.privatekey"),
        ("oxpushctl.properties", "oxpushctl.tls.key=credentials\n", "oxpushctl.tls.key"),
    ],
)
def test_a_file_that_is_a_secret(tmp_path: Path, options: str, text: str, key: str) -> None:
    """Keystores, signing keys, service accounts and TLS keys are secret as they are; who names them is not."""
    folders.write(tmp_path, {"credentials": _KEY, options: text})
    (tmp_path / options).chmod(0o644)
    (tmp_path / "credentials").chmod(0o644)
    assert [(finding.file, finding.key) for finding in _open(folders.read(tmp_path))] == [("credentials", key)]


def test_a_link_to_a_secret(tmp_path: Path) -> None:
    """The mode that counts is that of the file, since a link lets everybody through."""
    folders.write(tmp_path, {"elsewhere": f"{_PASSCRYPT}={_SECRET}\n", "etc/a.properties": ""})
    (tmp_path / "etc" / "b.properties").symlink_to(tmp_path / "elsewhere")
    assert _open(folders.read(tmp_path / "etc")) == []
    (tmp_path / "elsewhere").chmod(0o644)
    assert [finding.file for finding in _open(folders.read(tmp_path / "etc"))] == ["b.properties"]


_CERTIFICATE_PEM = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
_CERTIFICATE_DER = b"\x30\x82\x03\x00\x30\x82\x02\x00\xa0\x03\x02\x01\x02\x02\x01\x03"


@pytest.mark.parametrize(
    ("content", "is_secret"),
    [
        pytest.param(_KEY, True, id="a key in PEM"),
        pytest.param(_CERTIFICATE_PEM + _KEY, True, id="certificate and key in PEM"),
        pytest.param(b"\x30\x82\x03\x00\x02\x01\x03\x30", True, id="PKCS#12"),
        pytest.param(b"\x30\x80\x02\x01\x03\x30\x80", True, id="PKCS#12 of indefinite length"),
        pytest.param(b"\x30\x20\x02\x01\x00", True, id="a key in DER"),
        pytest.param(_CERTIFICATE_PEM, False, id="a certificate in PEM"),
        pytest.param(_CERTIFICATE_DER, False, id="a certificate in DER"),
        pytest.param(b"", False, id="nothing"),
    ],
)
def test_only_a_key_is_a_secret(tmp_path: Path, content: bytes, is_secret: bool) -> None:
    """A certificate may be read by everybody."""
    folders.write(tmp_path, {"file": content, "pns-apns-options.yml": f"{CLIENT}:\n  keystore: file\n"})
    (tmp_path / "file").chmod(0o644)
    assert [finding.file for finding in _open(folders.read(tmp_path))] == ["file"] * is_secret


def test_the_command_can_be_copied(tmp_path: Path) -> None:
    """A blank or quote in the name of a file is one for the shell as well."""
    etc = tmp_path / "it's etc"
    folders.write(etc, {"a key": _KEY, "pns-apns-options.yml": f"{CLIENT}:\n  privatekey: a key\n"})
    (etc / "a key").chmod(0o644)
    [finding] = _open(folders.read(etc))
    assert shlex.split(finding.hint) == ["chmod", "o-r", str(etc / "a key")]
