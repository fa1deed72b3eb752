"""The commands' way to a running engine: its admin address, a socket or TCP."""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TypedDict, Unpack

import aiohttp

from oxpushctl.config.configuration import Configuration
from oxpushctl.config.files import read_file
from oxpushctl.config.own import ADMIN_LOGIN, ADMIN_PASSWORD, TLS_CERTIFICATE
from oxpushctl.errors import (
    BadData,
    ConfigurationError,
    MissingFile,
    NotPermitted,
    NotReachable,
    OxpushctlError,
    TryLater,
)
from oxpushctl.model import PushUser
from oxpushctl.web.admin import CHANGED_PATH, CONTENT_TYPE
from oxpushctl.web.kept_json import Object, decode, encode, from_user
from oxpushctl.web.listen import Address
from oxpushctl.web.row_lines import BrokenOff, rows_of

_CONNECT_S = 5.0
_ANSWER_S = 60.0
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_CERTIFICATE_LIMIT = 1024 * 1024
_HEADERS = {"Content-Type": CONTENT_TYPE}
# Rows may take as long as they are many; a reader may pause them for as long as it likes.
_ROWS_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_ANSWER_S)
# Who listens everywhere is reached here.
_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}  # noqa: S104  # nothing is bound


@dataclass(frozen=True, slots=True)
class Access:
    """How a TCP admin address is spoken to.

    ``certificate`` is the file that the engine serves HTTPS with, ``None`` for plain HTTP. Its certificate is the one
    that is accepted, whatever names are in it and whoever signed it.
    """

    login: str = ""
    password: str = field(default="", repr=False)
    certificate: Path | None = None


class _RequestOptions(TypedDict, total=False):
    """What a request has besides method and path."""

    data: bytes
    params: Mapping[str, str]
    headers: Mapping[str, str]
    timeout: aiohttp.ClientTimeout


class NoEngine(NotReachable):
    """No engine runs: at none of the addresses does anything listen."""


class AdminClient:
    """Asks the engine behind the first of some addresses that answers."""

    def __init__(self, listen: Sequence[str], access: Access = Access()) -> None:
        self._addresses = [Address.parse(text) for text in listen]
        self._access = access
        self._sessions: dict[Address, aiohttp.ClientSession] = {}

    @classmethod
    def from_configuration(cls, configuration: Configuration) -> AdminClient:
        """Make the client for the engine of a configuration."""
        settings = configuration.settings
        certificate = settings[TLS_CERTIFICATE]
        return cls(
            configuration.admin_listen,
            Access(
                (settings[ADMIN_LOGIN] or "").strip(),
                (settings[ADMIN_PASSWORD] or "").strip(),
                None if certificate is None else configuration.etc / certificate,
            ),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        sessions = list(self._sessions.values())
        self._sessions.clear()
        for session in sessions:
            await session.close()

    async def changed(self, left: Sequence[PushUser] = ()) -> None:
        """Tell the engine that the database has changed, and which users were removed; raise as ``ask`` does."""
        await self.ask(CHANGED_PATH, {"left": [from_user(user) for user in left]} if left else {})

    async def ask(self, path: str, body: Object) -> Object:
        """Return the answer to a request.

        Raise ``NoEngine`` where none runs, ``NotReachable`` where none answers that knows the request,
        ``NotPermitted`` where this login, password or system user is refused; ``BadData``, ``ConfigurationError`` or
        ``TryLater`` where the engine does.
        """
        async with self._answer("POST", path, data=encode(body), headers=_HEADERS) as (address, response):
            return _judged(address, response.status, await response.read())

    async def told(self, path: str) -> Object:
        """Return what an engine tells when it is asked for a path, an object; raise as ``ask`` does."""
        async with self._answer("GET", path) as (address, response):
            return _judged(address, response.status, await response.read())

    async def rows(self, path: str, query: Mapping[str, object]) -> AsyncGenerator[Object, None]:
        """Yield the rows of an array of whatever length as they come, asked for with those of a query that are set.

        Raise as ``ask`` does, also when it was broken off: what was yielded is not all then.
        """
        params = {name: str(value) for name, value in query.items() if value is not None}
        async with self._answer("GET", path, params=params, timeout=_ROWS_TIMEOUT) as (address, response):
            if response.status != HTTPStatus.OK:
                _judged(address, response.status, await response.read())
            try:
                async for row in rows_of(response.content.iter_any()):
                    yield row
            except BadData as problem:
                raise _trouble(address, HTTPStatus.NOT_FOUND, str(problem)) from problem
            except BrokenOff as problem:
                raise _broken_off(address) from problem

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, **request: Unpack[_RequestOptions]
    ) -> AsyncIterator[tuple[Address, aiohttp.ClientResponse]]:
        """Ask at one address after the other; the answer is read in the block, whose errors are told as ours."""
        refused: NotPermitted | None = None
        for address in self._addresses:
            try:
                response = await self._asked(address, method, path, request)
            except PermissionError:
                refused = NotPermitted(f"{address} may not be opened: run the command as the engine's system user")
            except aiohttp.ClientConnectorError:
                continue
            else:
                async with response:
                    with _own_errors(address):
                        yield address, response
                return
        named = ", ".join(map(str, self._addresses))
        raise refused or NoEngine(f"no engine answers at {named}: start it with oxpushctl run")

    async def _asked(
        self, address: Address, method: str, path: str, request: _RequestOptions
    ) -> aiohttp.ClientResponse:
        """Ask at one address; raise ``aiohttp.ClientConnectorError`` or ``PermissionError`` when nobody is there."""
        session = self._sessions.get(address)
        if session is None:
            session = self._sessions[address] = self._connected(address)
        with _own_errors(address):
            return await session.request(method, path, allow_redirects=False, **request)

    def _connected(self, address: Address) -> aiohttp.ClientSession:
        timeout = aiohttp.ClientTimeout(total=_ANSWER_S, sock_connect=_CONNECT_S)
        if address.path is not None:
            opened = aiohttp.UnixConnector(str(address.path))
            return aiohttp.ClientSession("http://localhost", connector=opened, timeout=timeout)
        host = _HERE.get(address.host, address.host)
        authority = f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}"
        headers = {}
        if self._access.login:
            pair = f"{self._access.login}:{self._access.password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        if self._access.certificate is None:
            return aiohttp.ClientSession(f"http://{authority}", headers=headers, timeout=timeout)
        connector = aiohttp.TCPConnector(ssl=aiohttp.Fingerprint(_fingerprint(self._access.certificate)))
        return aiohttp.ClientSession(f"https://{authority}", headers=headers, timeout=timeout, connector=connector)


@contextmanager
def _own_errors(address: Address) -> Iterator[None]:
    """Turn what a library says of a connection into errors of ours, but for what says that nobody is there."""
    try:
        yield
    except aiohttp.ServerFingerprintMismatch as problem:
        raise _other_certificate(address) from problem
    except aiohttp.ClientConnectorError as problem:
        if isinstance(problem.os_error, PermissionError):
            raise problem.os_error from problem
        raise
    except TimeoutError as problem:
        raise NotReachable(f"the engine at {address} does not answer in time") from problem
    except aiohttp.ClientPayloadError as problem:
        raise _broken_off(address) from problem
    except aiohttp.ClientError as problem:
        raise NotReachable(f"the engine at {address} does not answer: {type(problem).__name__}") from problem


def _fingerprint(path: Path) -> bytes:
    """Return the SHA-256 of the first certificate of a PEM file: the server's own."""
    try:
        found = _CERTIFICATE.search(read_file(path, _CERTIFICATE_LIMIT).decode("ascii", "replace"))
        if found is None:
            raise ConfigurationError(f"{path}: there is no certificate in it")
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(found[0])).digest()
    except MissingFile as problem:
        raise ConfigurationError(f"{path} {problem}") from problem
    except ValueError as problem:
        raise ConfigurationError(f"{path}: there is no certificate in it") from problem


def _judged(address: Address, status: int, body: bytes) -> Object:
    """Return what an engine answers; raise where it refuses or fails."""
    try:
        answer = decode(body)
    except BadData:
        status, answer = (HTTPStatus.NOT_FOUND if status == HTTPStatus.OK else status), {}
    if status == HTTPStatus.OK:
        return answer
    words = str(answer.get("error", f"status {status}"))
    raise _trouble(address, status, words)


def _trouble(address: Address, status: int, words: str) -> OxpushctlError:
    match status:
        case HTTPStatus.BAD_REQUEST | HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return BadData(words)
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return NotPermitted(
                f"the engine at {address} refuses us: {words} ({ADMIN_LOGIN.key} and {ADMIN_PASSWORD.key})"
            )
        case HTTPStatus.CONFLICT:
            return ConfigurationError(f"the engine at {address} has another configuration: {words}")
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return TryLater(f"the engine at {address} cannot do it now: {words}")
        case HTTPStatus.INTERNAL_SERVER_ERROR:
            return NotReachable(f"the engine at {address} has failed: look into its log")
    return NotReachable(f"what answers at {address} does not know this request: restart the engine if it is older")


def _broken_off(address: Address) -> NotReachable:
    return NotReachable(f"the engine at {address} broke off its answer: its log says why")


def _other_certificate(address: Address) -> NotReachable:
    return NotReachable(
        f"what answers at {address} has another certificate than {TLS_CERTIFICATE.key}: restart the engine if the file "
        "is newer"
    )
