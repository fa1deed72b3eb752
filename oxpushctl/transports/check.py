"""What is wrong with the clients' credentials, before a provider says so."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path

from oxpushctl.config.check import about, told
from oxpushctl.config.clients.options import ApnsOptions, ClientOptions
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.files import exists
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.own import TLS_CA
from oxpushctl.transports.certificates import PushCertificate
from oxpushctl.transports.credentials import UnusableCredentials, load_service_account
from oxpushctl.transports.identity import load_identity
from oxpushctl.transports.trust import authorities, show, trust

_EXPIRES_SOON = datetime.timedelta(days=30)


def check_clients(configuration: Configuration) -> Iterable[Finding]:
    """Tell which clients are out of service because of their credentials, and which soon will be.

    Files that are not there and options that are not set were told of by who read the options.
    """
    yield from _check_authorities(configuration)
    for options in configuration.clients:
        if not options.is_enabled:
            continue
        if isinstance(options, ApnsOptions):
            yield from _check_apns(options)
        elif options.key_path is not None and exists(options.key_path):
            try:
                load_service_account(options.key_path)
            except UnusableCredentials as error:
                yield _unusable(options, error)


def _check_authorities(configuration: Configuration) -> Iterator[Finding]:
    ca = authorities(configuration.settings, configuration.etc)
    if ca is None or not exists(ca):
        return
    try:
        trust(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ca)
    except UnusableCredentials as error:
        yield told(configuration, Severity.ERROR, error.code, TLS_CA, str(error), error.hint)


def _check_apns(options: ApnsOptions) -> Iterator[Finding]:
    if not _is_complete(options):
        return
    try:
        certificate = load_identity(options).certificate
        if certificate is None:
            return
        show(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate)
    except UnusableCredentials as error:
        yield _unusable(options, error)
        return
    yield from _check_expiry(options, certificate)


def _is_complete(options: ApnsOptions) -> bool:
    """Tell whether all is there that the authentication wants."""
    if options.authtype == "jwt":
        wanted: tuple[Path | str | None, ...] = (options.privatekey, options.keyid, options.teamid, options.topic)
    else:
        wanted = (options.keystore,)
    return all(exists(each) if isinstance(each, Path) else bool(each) for each in wanted)


def _check_expiry(options: ApnsOptions, certificate: PushCertificate) -> Iterator[Finding]:
    left = certificate.not_after - datetime.datetime.now(datetime.UTC)
    if left < _EXPIRES_SOON:
        message = f"the certificate expires on {certificate.not_after:%Y-%m-%d}, in {left.days} days"
        hint = "renew it in the developer account in time"
        yield about(options, Severity.WARNING, "OXP405", message, hint, "keystore")


def _unusable(options: ClientOptions, error: UnusableCredentials) -> Finding:
    return about(options, Severity.ERROR, error.code, str(error), error.hint, error.option)
