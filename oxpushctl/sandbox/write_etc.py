"""A ready configuration for the sandbox: what an operator gets from Apple, Google and a text editor.

::

    sandbox/                    keys and certificates (``identity``), and Google's service-account.json
    pns.properties              both transports switched on
    pns-apns-options.yml        one client with a certificate, one with a provider token
    pns-gcm-options.yml         both clients with the service account
    server.properties           the login for Dovecot's notify requests
    oxpushctl.properties        where the sandbox is
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import javaproperties
import orjson

from oxpushctl.config.clients.options import APNS_FILE, FACADE_CLIENT, GCM_FILE
from oxpushctl.config.own import APNS_PRODUCTION, APNS_SANDBOX, FCM_ENDPOINT, TLS_CA
from oxpushctl.config.properties import APN_ENABLED, GCM_ENABLED, REST_LOGIN, REST_PASSWORD
from oxpushctl.errors import BadData, MissingFile
from oxpushctl.sandbox import identity
from oxpushctl.sandbox.files import make_private, write_private
from oxpushctl.sandbox.identity import Identity
from oxpushctl.sandbox.oauth import TOKEN_PATH

CERTIFICATE_CLIENT = FACADE_CLIENT
BEARER_CLIENT = f"{FACADE_CLIENT}-brand1"
KEYS = "sandbox"
SERVICE_ACCOUNT_FILE = "service-account.json"

_MARK = "# Written by oxpushctl sandbox, and again at its next start: put settings of your own into another file."
_REST_LOGIN = "dovecot"


@dataclass(frozen=True, slots=True)
class Etc:
    """A written configuration, and what a client of the notify endpoint needs of it."""

    folder: Path
    rest_login: str
    rest_password: str = field(repr=False)


def identity_in(folder: Path) -> Identity:
    """Return the sandbox that a configuration folder belongs to, made when the folder is new."""
    make_private(folder)
    return Identity.kept_in(folder / KEYS)


def write_etc(folder: Path, kept: Identity, *, endpoint: str, settings: Mapping[str, str] | None = None) -> Etc:
    """Write the configuration of a sandbox that ``endpoint`` (``https://host:port``) leads to.

    ``settings`` are further lines of ``oxpushctl.properties``, or others for those that stand there. What an earlier
    call wrote is replaced, its REST password kept; a file of somebody else's raises ``BadData``, and nothing is
    written.
    """
    rest_password = _rest_password(folder / REST_LOGIN.file) or secrets.token_urlsafe(18)
    files = _files(folder, endpoint, rest_password, settings or {})
    for name in files:
        _refuse_foreign(folder / name)
    write_private(folder / KEYS / SERVICE_ACCOUNT_FILE, _service_account(kept, endpoint))
    for name, text in files.items():
        write_private(folder / name, f"{_MARK}\n{text}".encode())
    return Etc(folder, _REST_LOGIN, rest_password)


def _files(folder: Path, endpoint: str, rest_password: str, settings: Mapping[str, str]) -> dict[str, str]:
    own = {
        APNS_PRODUCTION.key: endpoint,
        APNS_SANDBOX.key: endpoint,
        FCM_ENDPOINT.key: endpoint,
        TLS_CA.key: str(folder.resolve() / KEYS / identity.CA_FILE),
        **settings,
    }
    return {
        APN_ENABLED.file: _properties({APN_ENABLED.key: "true", GCM_ENABLED.key: "true"}),
        REST_LOGIN.file: _properties({REST_LOGIN.key: _REST_LOGIN, REST_PASSWORD.key: rest_password}),
        TLS_CA.file: _properties(own),
        APNS_FILE: _APNS_OPTIONS,
        GCM_FILE: _GCM_OPTIONS,
    }


_APNS_OPTIONS = f"""\
{CERTIFICATE_CLIENT}:
  enabled: true
  authtype: certificate
  topic: {identity.CERTIFICATE_TOPIC}
  keystore: {KEYS}/{identity.KEYSTORE_FILE}
  password: {identity.KEYSTORE_PASSWORD}
  production: true
{BEARER_CLIENT}:
  enabled: true
  authtype: jwt
  topic: {identity.BEARER_TOPIC}
  privatekey: {KEYS}/{identity.PROVIDER_KEY_FILE}
  keyid: {identity.KEY_ID}
  teamid: {identity.TEAM_ID}
  production: true
"""

_GCM_OPTIONS = "".join(
    f"{client}:\n  enabled: true\n  keyPath: {KEYS}/{SERVICE_ACCOUNT_FILE}\n"
    for client in (CERTIFICATE_CLIENT, BEARER_CLIENT)
)


def _service_account(kept: Identity, endpoint: str) -> bytes:
    """Write the file that Google's console hands out, with a token endpoint of our own."""
    return orjson.dumps(
        {
            "type": "service_account",
            "project_id": identity.PROJECT_ID,
            "private_key_id": "0" * 40,
            "private_key": kept.service_key_pem.decode(),
            "client_email": identity.CLIENT_EMAIL,
            "client_id": "100000000000000000000",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": f"{endpoint}{TOKEN_PATH}",
        },
        option=orjson.OPT_INDENT_2,
    )


def _properties(values: Mapping[str, str]) -> str:
    """Write lines; a colon needs its escape in a key only, and addresses read better without."""
    lines = (javaproperties.join_key_value(key, value, separator="=") for key, value in values.items())
    return "".join(line.replace("\\:", ":") + "\n" for line in lines)


def _rest_password(path: Path) -> str | None:
    try:
        values = javaproperties.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise MissingFile(f"{path}: cannot be read") from error
    return values.get(REST_PASSWORD.key)


def _refuse_foreign(path: Path) -> None:
    try:
        is_ours = path.read_bytes().startswith(_MARK.encode())
    except FileNotFoundError:
        return
    except OSError as error:
        raise MissingFile(f"{path}: cannot be read: {error.strerror}") from error
    if not is_ours:
        raise BadData(f"{path}: was not written by the sandbox (name an empty folder, or move the file away)")
