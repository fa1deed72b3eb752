"""What config check says about the clients' credentials, from the files that an operator wrote."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from oxpushctl.config.clients.options import ApnsOptions
from oxpushctl.config.codes import CATALOGUE
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.reading import read
from oxpushctl.transports.apns import ApnsTransport
from oxpushctl.transports.check import check_clients
from tests.peers.certificates import Authority, ec_key, rsa_key
from tests.transports.accounts import write_account
from tests.transports.apple_certificates import DAY, MAIL, self_signed
from tests.transports.faults import PASSWORD

NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    folder.mkdir()
    return folder


def configured(etc: Path, **files: str) -> Configuration:
    """Write options and properties into the folder and read it."""
    names = {"apns": "pns-apns-options.yml", "gcm": "pns-gcm-options.yml", "own": "oxpushctl.properties"}
    for name, text in files.items():
        (etc / names[name]).write_text(text)
    return read(etc, environ={"STATE_DIRECTORY": str(etc)}, overrides=())


def found(configuration: Configuration) -> list[Finding]:
    """Return what the check says: known codes, no secret, a hint with each, and nothing that was said before."""
    findings = list(check_clients(configuration))
    for finding in findings:
        assert finding.code in CATALOGUE
        assert finding.hint
        assert PASSWORD not in repr(finding)
        assert "PRIVATE KEY" not in repr(finding)
    return findings


def certificate_client(keystore: Path, password: str = PASSWORD, more: str = "") -> str:
    return f"mail:\n  keystore: {keystore}\n  password: '{password}'\n{more}"


def jwt_client(privatekey: Path) -> str:
    return f"mail:\n  privatekey: {privatekey}\n  keyid: KEY1234567\n  teamid: TEAM123456\n  topic: {MAIL}\n"


def test_all_is_well(etc: Path) -> None:
    """Good credentials of all three kinds and a good authority: nothing to say."""
    authority = Authority(etc)
    more = jwt_client(ec_key(etc / "AuthKey.p8")).replace("mail:", "brand:")
    configuration = configured(
        etc,
        apns=certificate_client(authority.client(MAIL, PASSWORD, not_after=NOW + 300 * DAY)) + more,
        gcm=f"mail:\n  keyPath: {write_account(etc / 'account.json').name}\n",
        own=f"oxpushctl.tls.ca={authority.pem.name}\n",
    )
    assert found(configuration) == []
    assert len(configuration.usable_clients) == 3


def test_a_wrong_password(etc: Path) -> None:
    """The finding stands at the option's line and puts that client out of service, nothing else."""
    p12 = Authority(etc).client(MAIL, PASSWORD)
    configuration = configured(etc, apns="# apps\n" + certificate_client(p12, "wrong"))
    (finding,) = found(configuration)
    assert (finding.severity, finding.reach, finding.code) == (Severity.ERROR, Reach.CLIENT, "OXP402")
    assert (finding.file, finding.line, finding.column) == ("pns-apns-options.yml", 4, 13)
    assert finding.key == "mail.password"
    assert (finding.client, finding.transport) == ("mail", "apn")
    assert configuration.with_findings([finding]).usable_clients == ()


def test_an_option_that_is_not_set(etc: Path) -> None:
    """Where there is no line of the option the finding stands at the client's."""
    (etc / "cert.pem").write_bytes(Authority(etc).client(MAIL, PASSWORD).read_bytes())
    (finding,) = found(configured(etc, apns="# apps\nmail:\n  keystore: cert.pem\n"))
    assert (finding.code, finding.line, finding.column, finding.key) == ("OXP402", 2, 1, "mail.password")


def test_a_p8_that_is_rsa(etc: Path) -> None:
    """An RSA key is no signing key of Apple's."""
    (finding,) = found(configured(etc, apns=jwt_client(rsa_key(etc / "AuthKey.p8"))))
    assert (finding.code, finding.severity, "RSA" in finding.message) == ("OXP410", Severity.ERROR, True)


@pytest.mark.parametrize(
    ("left", "code", "severity"),
    [
        (-DAY, "OXP404", Severity.ERROR),
        (DAY, "OXP405", Severity.WARNING),
        (29 * DAY, "OXP405", Severity.WARNING),
        (32 * DAY, None, None),
    ],
)
def test_how_long_a_certificate_lives(
    etc: Path, left: datetime.timedelta, code: str | None, severity: Severity | None
) -> None:
    """Expired is an error, the last 30 days are a warning."""
    findings = found(
        configured(etc, apns=certificate_client(Authority(etc).client(MAIL, PASSWORD, not_after=NOW + left)))
    )
    assert [(finding.code, finding.severity) for finding in findings] == ([(code, severity)] if code else [])


def test_a_certificate_that_openssl_refuses(etc: Path) -> None:
    """A key that is too weak for TLS is found before the first connection."""
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # weak on purpose
    (etc / "weak.pem").write_bytes(self_signed(key=weak).pem(PASSWORD.encode()))
    (finding,) = found(configured(etc, apns=certificate_client(etc / "weak.pem")))
    assert (finding.code, "OpenSSL refuses the certificate" in finding.message) == ("OXP403", True)


def test_a_topic_that_the_certificate_is_not_for(etc: Path) -> None:
    """Apple would refuse every push: the certificate's topics are named."""
    p12 = Authority(etc).client(MAIL, PASSWORD, topics=(MAIL, f"{MAIL}.voip"))
    (finding,) = found(configured(etc, apns=certificate_client(p12, more="  topic: com.example.other\n")))
    assert (finding.code, finding.message) == (
        "OXP407",
        f"the certificate is for {MAIL}, {MAIL}.voip, not for com.example.other",
    )


@pytest.mark.parametrize(
    ("content", "code"),
    [("{", "OXP411"), ('{"type":"authorized_user"}', "OXP412"), ('{"type":"service_account"}', "OXP411")],
)
def test_a_broken_service_account(etc: Path, content: str, code: str) -> None:
    """What keyPath names is looked into, and the finding is about Android's transport."""
    (etc / "account.json").write_text(content)
    (finding,) = found(configured(etc, gcm="mail:\n  keyPath: account.json\n"))
    assert (finding.code, finding.client, finding.transport, finding.key) == (code, "mail", "gcm", "mail.keyPath")


def test_a_client_that_is_switched_off(etc: Path) -> None:
    """enabled: false is nobody's error, whatever its credentials are."""
    (etc / "AuthKey.p8").write_text("rubbish")
    assert found(configured(etc, apns=jwt_client(etc / "AuthKey.p8") + "  enabled: false\n")) == []


@pytest.mark.parametrize(
    "text",
    [
        "mail:\n  keystore: nowhere.p12\n  password: x\n",
        "mail:\n  privatekey: nowhere.p8\n  keyid: K\n  teamid: T\n  topic: com.example\n",
        "mail:\n  authtype: jwt\n",
        "mail:\n  authtype: certificate\n",
    ],
)
def test_what_was_said_before(etc: Path, text: str) -> None:
    """What the reader of the options told of is not told again."""
    configuration = configured(etc, apns=text)
    assert configuration.usable_clients == ()
    assert found(configuration) == []


def test_an_authority_that_is_none(etc: Path) -> None:
    """Nothing can be reached with a broken authorities' file: an error of the engine, at its line."""
    (etc / "ca.pem").write_text("rubbish")
    (finding,) = found(configured(etc, own="# ours\noxpushctl.tls.ca=ca.pem\n"))
    assert (finding.code, finding.severity, finding.reach) == ("OXP414", Severity.ERROR, Reach.ENGINE)
    assert (finding.file, finding.line, finding.key) == ("oxpushctl.properties", 2, "oxpushctl.tls.ca")


async def test_what_is_found_is_not_served(etc: Path) -> None:
    """Check and transport agree on who is out of service."""
    authority = Authority(etc)
    text = certificate_client(authority.client(MAIL, PASSWORD), "wrong") + certificate_client(
        authority.client(MAIL, PASSWORD, not_after=NOW - DAY)
    ).replace("mail:", "old:")
    configuration = configured(etc, apns=text)
    clients = [client for client in configuration.clients if isinstance(client, ApnsOptions)]
    apns = ApnsTransport.from_settings(configuration.settings, clients)
    assert [finding.client for finding in found(configuration)] == ["mail", "old"]
    assert [apns.serves(client.client) for client in clients] == [False, False]
    await apns.aclose()
