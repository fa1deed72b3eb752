"""What a client's options come to: certificate or key, and topic."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from oxpushctl.transports.identity import load_identity
from tests.peers.certificates import Authority, ec_key
from tests.transports.apple_certificates import DAY, FOR_SANDBOX, MAIL, mark, self_signed
from tests.transports.client_options import apns_options
from tests.transports.faults import PASSWORD, fault


def test_the_topic_of_the_certificate(tmp_path: Path) -> None:
    """Without topic in the options the certificate's UID is it."""
    p12 = Authority(tmp_path).client(MAIL, PASSWORD)
    assert load_identity(apns_options(keystore=p12)).topic == MAIL


def test_a_topic_that_the_certificate_lists(tmp_path: Path) -> None:
    """Any topic of the certificate may be chosen."""
    p12 = Authority(tmp_path).client(MAIL, PASSWORD, topics=(f"{MAIL}.voip",))
    assert load_identity(apns_options(keystore=p12, topic=f"{MAIL}.voip")).topic == f"{MAIL}.voip"


@pytest.mark.parametrize(
    ("topic", "code"), [("com.example.other", "OXP407"), ("com.example\r\nx: y", "OXP406"), ("é", "OXP406")]
)
def test_a_topic_that_cannot_be(tmp_path: Path, topic: str, code: str) -> None:
    """A topic of another app, or one that would forge a header, is found before Apple sees it."""
    p12 = Authority(tmp_path).client(MAIL, PASSWORD)
    error = fault(lambda: load_identity(apns_options(keystore=p12, topic=topic)))
    assert (error.code, error.option) == (code, "topic")


@pytest.mark.parametrize(("end", "code"), [(-DAY, "OXP404"), (DAY, None)])
def test_an_expired_certificate(tmp_path: Path, end: datetime.timedelta, code: str | None) -> None:
    """An expired certificate does not load; one that expires tomorrow does."""
    p12 = Authority(tmp_path).client(MAIL, PASSWORD, not_after=datetime.datetime.now(datetime.UTC) + end)
    if code is None:
        assert load_identity(apns_options(keystore=p12)).certificate is not None
    else:
        assert fault(lambda: load_identity(apns_options(keystore=p12))).code == code


def test_a_certificate_from_the_future(tmp_path: Path) -> None:
    """A certificate that is not valid yet hints at a wrong clock."""
    keystore = tmp_path / "mail.pem"
    keystore.write_bytes(self_signed(starts_in=DAY).pem(PASSWORD.encode()))
    error = fault(lambda: load_identity(apns_options(keystore=keystore)))
    assert (error.code, "clock" in error.hint) == ("OXP404", True)


def test_a_development_certificate_in_production(tmp_path: Path) -> None:
    """A certificate for the sandbox only is refused for production, and the hint says what to set."""
    keystore = tmp_path / "mail.pem"
    keystore.write_bytes(self_signed(mark(FOR_SANDBOX)).pem(PASSWORD.encode()))
    error = fault(lambda: load_identity(apns_options(keystore=keystore)))
    assert (error.code, error.option, error.hint) == ("OXP408", "production", "set production: false")
    assert load_identity(apns_options(keystore=keystore, is_production=False)).topic == MAIL


def test_a_signing_key_without_a_topic(tmp_path: Path) -> None:
    """Nothing else names the topic when there is no certificate."""
    given = apns_options(authtype="jwt", privatekey=ec_key(tmp_path / "a.p8"), keyid="K", teamid="T")
    assert fault(lambda: load_identity(given)).code == "OXP406"


def test_two_names_for_one_key(tmp_path: Path) -> None:
    """What shares a connection has the same team, key id and key."""
    path, other = ec_key(tmp_path / "a.p8"), ec_key(tmp_path / "b.p8")

    def name(privatekey: Path, keyid: str = "K", topic: str = "a") -> tuple[str | bytes, ...]:
        return load_identity(
            apns_options(authtype="jwt", topic=topic, privatekey=privatekey, keyid=keyid, teamid="T")
        ).name

    assert name(path) == name(path, topic="b")
    assert len({name(path), name(path, keyid="L"), name(other)}) == 3


def test_secrets_stay_out_of_reprs(tmp_path: Path) -> None:
    """Neither key nor password appears where an object is printed."""
    p12 = Authority(tmp_path).client(MAIL, PASSWORD)
    given = apns_options(keystore=p12)
    identity = load_identity(given)
    assert "RSAPrivateKey" not in repr(identity)
    assert PASSWORD not in repr(given)
