"""What we show Apple for one client: a certificate or a team's signing key, and the topic that it pushes to."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from oxpushctl.config.clients.options import ApnsOptions
from oxpushctl.transports.certificates import PushCertificate, load_certificate
from oxpushctl.transports.credentials import SigningKey, UnusableCredentials, load_signing_key

_TOPIC = re.compile(r"[A-Za-z0-9.-]{1,255}")
_BUNDLE_ID = "set topic to the app's bundle id, such as com.example.mail"


@dataclass(frozen=True, slots=True)
class ApnsIdentity:
    """A usable way to push to one app: either a certificate or a signing key."""

    topic: str
    certificate: PushCertificate | None = None
    key: SigningKey | None = None

    @property
    def name(self) -> tuple[str | bytes, ...]:
        """What Apple tells identities apart by: one connection must not serve two of them."""
        if self.certificate is not None:
            return (self.certificate.fingerprint,)
        return () if self.key is None else (self.key.teamid, self.key.keyid, self.key.fingerprint)


def load_identity(options: ApnsOptions) -> ApnsIdentity:
    """Load what a client's options name; raise ``UnusableCredentials`` when Apple would refuse it for certain."""
    if options.authtype == "jwt":
        if options.privatekey is None or not options.keyid or not options.teamid:
            missing = next(name for name in ("privatekey", "keyid", "teamid") if not getattr(options, name))
            raise UnusableCredentials("OXP409", missing, f"{missing} is not set", "authtype jwt needs all three")
        key = load_signing_key(options.privatekey, options.keyid, options.teamid)
        return ApnsIdentity(_checked(options.topic), key=key)
    if options.keystore is None:
        raise UnusableCredentials("OXP403", "keystore", "keystore is not set", "authtype certificate needs it")
    certificate = load_certificate(options.keystore, options.password)
    _check_validity(certificate)
    _check_environment(certificate, is_production=options.is_production)
    return ApnsIdentity(_topic(options, certificate), certificate=certificate)


def _check_validity(certificate: PushCertificate) -> None:
    now = datetime.datetime.now(datetime.UTC)
    if certificate.not_after <= now:
        message = f"the certificate expired on {certificate.not_after:%Y-%m-%d}"
        raise UnusableCredentials(
            "OXP404", "keystore", message, "renew it in the developer account and export it again"
        )
    if certificate.not_before > now:
        message = f"the certificate is not valid before {certificate.not_before:%Y-%m-%d}"
        raise UnusableCredentials("OXP404", "keystore", message, "check this machine's clock")


def _check_environment(certificate: PushCertificate, *, is_production: bool) -> None:
    if not certificate.serves(is_production=is_production):
        own, other = ("production", "the sandbox") if is_production else ("the sandbox", "production")
        message = f"the client uses {own}, and its certificate is for {other} only"
        raise UnusableCredentials("OXP408", "production", message, f"set production: {str(not is_production).lower()}")


def _topic(options: ApnsOptions, certificate: PushCertificate) -> str:
    topics = certificate.topics
    topic = _checked(options.topic or (topics[0] if topics else None))
    if topics and topic not in topics:
        message = f"the certificate is for {', '.join(topics)}, not for {topic}"
        raise UnusableCredentials("OXP407", "topic", message, "correct topic or leave it out")
    return topic


def _checked(topic: str | None) -> str:
    if not topic:
        raise UnusableCredentials("OXP406", "topic", "topic is not set", _BUNDLE_ID)
    if not _TOPIC.fullmatch(topic):
        raise UnusableCredentials("OXP406", "topic", "topic is not a bundle id", _BUNDLE_ID)
    return topic
