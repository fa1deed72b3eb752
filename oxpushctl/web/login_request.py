"""What a mail app sends to log in: a form with name and password in the body, never in the URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import web

from oxpushctl.config.property import Network
from oxpushctl.web import ox_error
from oxpushctl.web.answer import read_body
from oxpushctl.web.client_address import client_address, household
from oxpushctl.web.ox_error import Category

_BODY_LIMIT = 64 * 1024
_MOST_FIELDS = 20
_LONGEST_NAME = 255  # what the directory can hold
_LONGEST_PASSWORD = 512  # mail servers end the connection over much longer ones
_UNSENDABLE = frozenset("\0\r\n")  # the mail server would not be asked: RFC 4616, section 2, and RFC 3501, section 9
_LONGEST_CLIENT = 64  # what a registration can hold
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """Who wants to be let in, as they say; ``place`` is what counts as one address when log-ins are slowed down."""

    name: str
    password: str = field(repr=False)
    client: str
    address: str | None
    place: str | None

    @classmethod
    async def read(
        cls, request: web.BaseRequest, proxies: Sequence[Network], deadline_s: float
    ) -> LoginRequest | web.Response:
        """Read a request, or return the answer to one that cannot be used."""
        client = request.query.get("client", "")
        refusal = _refusal(request, client)
        if refusal is not None:
            return refusal
        body = await read_body(request, deadline_s, _BODY_LIMIT)
        if isinstance(body, web.Response):
            return body
        form = _form(body)
        if form is None:
            text = "Bad request. The body is no URL-encoded form in UTF-8."
            return ox_error.answer("SVL-0020", text, Category.USER_INPUT)
        for name in ("name", "password"):
            if name not in form:
                return missing(name)
        address = client_address(request, proxies)
        if address is None:
            return cls(form["name"], form["password"], client, None, None)
        return cls(form["name"], form["password"], client, str(address), household(address))

    @property
    def is_possible(self) -> bool:
        """Whether anybody could be called so and have such a password; the mail server is not asked about others."""
        name = self.name
        is_name = 0 < len(name) <= _LONGEST_NAME and name.isprintable() and name.strip() == name
        is_password = 0 < len(self.password) <= _LONGEST_PASSWORD and not _UNSENDABLE & set(self.password)
        return is_name and is_password

    @property
    def shown(self) -> str:
        """The name as it may stand in a log."""
        return shown(self.name)


def missing(name: str) -> web.Response:
    """Return the answer to a request without a parameter that it needs."""
    return ox_error.answer("SVL-0002", f"Missing parameter: {name}", Category.USER_INPUT, params=(name,))


def shown(text: str) -> str:
    """Shorten what a stranger sent, for a log or an answer; half characters cannot be written at all."""
    visible = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[: _SHOWN + 1])
    return visible if len(visible) <= _SHOWN else f"{visible[:_SHOWN]}…"


def _refusal(request: web.BaseRequest, client: str) -> web.Response | None:
    for name in ("name", "password"):
        if name in request.query:  # where proxies and browsers would write it down
            text = f"The parameter {name} belongs into the body of the request."
            return ox_error.answer("SVL-0002", text, Category.USER_INPUT, params=(name,))
    if len(client) > _LONGEST_CLIENT or not client.isprintable():
        text = f'Invalid parameter "client": at most {_LONGEST_CLIENT} printable characters.'
        return ox_error.answer("SVL-0010", text, Category.USER_INPUT, params=("client",))
    return None


def _form(body: bytes) -> Mapping[str, str] | None:
    """Read a form, the first of fields with the same name; ``None`` when it is none."""
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:  # such as one about its bytes: it holds the password, and goes no further
        return None
    return dict(reversed(fields))
