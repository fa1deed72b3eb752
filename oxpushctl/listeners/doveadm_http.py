"""One end-point of doveadm's HTTP API: a body there, a body back, by requests in a thread of its own.

::

    POST /doveadm/v1 HTTP/1.1
    Authorization: X-Dovecot-API <base64 of the key>
    Connection: keep-alive

Dovecot closes each connection after its answer, and nothing of ours says that it should: to a request with
``Connection: close`` and without a key it never answers, and the process stays for ever.
Source: Dovecot 2.3.19, client-connection-http.c, and what it was seen to answer.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from oxpushctl.config.own import TLS_CA
from oxpushctl.errors import ConfigurationError
from oxpushctl.listeners import doveadm_troubles as troubles
from oxpushctl.look_up import looked_up

# More than 500 mailboxes have to say of themselves; who has more is asked in smaller portions.
LARGEST_ANSWER = 16 * 1024 * 1024
_CHUNK = 64 * 1024


def tls_context(ca: Path | None) -> ssl.SSLContext:
    """Return whom we trust: the system's authorities and those in a file; raise ``ConfigurationError`` over that."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except OSError as error:  # ssl.SSLError is one of them
            reason = "holds no certificates in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
            raise ConfigurationError(f"{TLS_CA.key}: {ca}: {reason}") from error
    return context


class Endpoint:
    """Asks at one address, one request at a time; ``answer_s`` is the time for an answer once it is connected."""

    def __init__(self, url: str, secret: str, tls: ssl.SSLContext, *, connect_s: float, answer_s: float) -> None:
        self.url = url
        self._connect_s = connect_s
        self._answer_s = answer_s
        self._adapter = _Adapter(tls)
        self._session = _session(secret, self._adapter)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="doveadm")

    def trust(self, tls: ssl.SSLContext) -> None:
        """Trust others from the next connection on."""
        self._adapter.tls = tls

    async def post(self, body: bytes) -> bytes:
        """Return the answer to a body.

        Raise ``EndpointTrouble`` and its kinds or ``SecretRefused``, which are about the end-point, or ``NoAnswer``.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_s):
                # In vain but for its time: nothing would end a look-up in the thread.
                parts = urlsplit(self.url)
                await asyncio.wrap_future(looked_up(parts.hostname or "", parts.port))
        except (OSError, UnicodeError) as error:  # TimeoutError is one of them
            raise troubles.not_resolved(self.url) from error
        try:
            async with asyncio.timeout(self._connect_s + self._answer_s):
                try:
                    return await loop.run_in_executor(self._thread, self._post, body)
                except asyncio.CancelledError:
                    self._adapter.cut()
                    raise
        except TimeoutError as error:
            raise troubles.too_slow(self.url) from error

    async def prove(self) -> None:
        """See that doveadm answers when it is asked nothing; raise as ``post`` does, but never ``NoAnswer``."""
        try:
            body = await self.post(b"[]")
        except troubles.NoAnswer as error:
            raise troubles.EndpointTrouble(str(error)) from error
        if body.strip() != b"[]":
            raise troubles.not_doveadm(self.url)

    async def aclose(self) -> None:
        """End what is under way, and wait for the thread."""
        self._adapter.cut()
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    def _post(self, body: bytes) -> bytes:
        timeout = self._connect_s, self._answer_s
        try:
            with self._session.post(self.url, body, timeout=timeout, allow_redirects=False, stream=True) as response:
                content = _content(response)
                if response.status_code != HTTPStatus.OK:
                    raise troubles.of_status(self.url, response.status_code, content)
                return content
        except (requests.RequestException, HTTPError, OSError) as error:
            raise troubles.of_exchange(self.url, error) from None  # it carries the request, and that our key
        finally:
            self._session.close()  # a connection that is kept could be gone by the next request


class _Adapter(HTTPAdapter):
    """requests' door to urllib3, with whom we trust in the place of its own authorities, and a way to end it."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self.tls = tls
        self._connection: Any = None
        super().__init__(pool_connections=1, pool_maxsize=1)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave it to the context; requests would add the authorities of certifi."""

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """Put our context into the pool's."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"ssl_context": self.tls} if host["scheme"] == "https" else {}

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        """Have the connection that is made noted where it can be ended."""
        pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
        make = type(pool).ConnectionCls

        def noted(*args: Any, **kwargs: Any) -> Any:
            self._connection = make(*args, **kwargs)
            return self._connection

        pool.ConnectionCls = noted
        return pool

    def cut(self) -> None:
        """End the connection from another thread; what is being read ends with it."""
        connected = getattr(self._connection, "sock", None)
        if connected is not None:
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)


def _session(secret: str, adapter: HTTPAdapter) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy of the environment, no ~/.netrc
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    session.headers.update(
        {
            "Authorization": f"X-Dovecot-API {base64.b64encode(secret.encode()).decode()}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "oxpushctl",
        }
    )
    return session


def _content(response: requests.Response) -> bytes:
    content = bytearray()
    for chunk in response.iter_content(_CHUNK):
        content += chunk
        if len(content) > LARGEST_ANSWER:
            raise troubles.NoAnswer(f"{response.url} answers with more than {LARGEST_ANSWER >> 20} MiB")
    return bytes(content)
