"""What commands ask of a running engine, each a ``POST`` with a JSON object in and out.

::

    /oxpushctl/v1/changed          {}    somebody has written to the database: look at it now
                                   {"left":[{"context":1,"user":3}]}    and these users are not there any more
    /oxpushctl/v1/credentials/…          the passwords that are kept in this engine's memory

What only tells, and lists of any length, is asked for with ``GET``: ``admin_reports``.

An error is ``{"error":TEXT}``: 400 for what cannot be used, 409 for what this engine is not configured for, 503 for
what may work later; 403 and 415 for what a browser sends on behalf of a page, which may be anybody's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from oxpushctl.errors import BadData, ConfigurationError, NotReachable, TryLater
from oxpushctl.interfaces import CredentialRows
from oxpushctl.model import PushUser
from oxpushctl.web.admin_credentials import OPERATIONS, PREFIX, AdminCredentials, Operation
from oxpushctl.web.answer import error, json_answer, read_body
from oxpushctl.web.connections import Handler, Routes
from oxpushctl.web.kept_json import Object, decode, encode, to_list, to_user

CHANGED_PATH = "/oxpushctl/v1/changed"
CONTENT_TYPE = "application/json"

_BODY_LIMIT = 64 * 1024 * 1024  # rows are written all or none
_BODY_DEADLINE_S = 30.0


def admin_routes(rows: CredentialRows | None, changed: Callable[[Sequence[PushUser]], None]) -> Routes:
    """Return the routes of an admin address.

    ``rows`` is ``None`` where passwords are not kept in this engine's memory; ``changed`` is called when a command has
    written to the database, with the users that it has removed.
    """

    async def tell(asked: Object) -> Object:
        left = [] if asked.get("left") is None else to_list(asked, "left")
        changed([to_user(each) for each in left])
        return {}

    operations = dict.fromkeys(OPERATIONS, _not_here) if rows is None else AdminCredentials(rows).operations
    return {
        CHANGED_PATH: {"POST": _handler(tell)},
        **{f"{PREFIX}{name}": {"POST": _handler(operation)} for name, operation in operations.items()},
    }


async def _not_here(_: Object) -> Object:
    raise ConfigurationError("passwords are not kept in this engine's memory")


def _handler(operation: Operation) -> Handler:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        refusal = _refusal(request)
        if refusal is not None:
            return refusal
        body = await read_body(request, _BODY_DEADLINE_S, _BODY_LIMIT)
        if isinstance(body, web.Response):
            return body
        return await _answer(operation, body)

    return handle


def refusal_of_pages(request: web.BaseRequest) -> web.Response | None:
    """Return the answer to what no command sends but a browser may, for any page that is open in it.

    It reaches what its machine reaches, and adds the password that an operator once typed into it.
    """
    if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") != "none":
        return error(403, "this is for commands, not for pages in a browser")
    return None


def _refusal(request: web.BaseRequest) -> web.Response | None:
    """Return the same, or the answer to a body of another type.

    A page of another origin can send this type only if we agreed before (Fetch, CORS-safelisted request-header).
    """
    refusal = refusal_of_pages(request)
    if refusal is None and request.content_type != CONTENT_TYPE:
        return error(415, f"the body is to be {CONTENT_TYPE}")
    return refusal


async def _answer(operation: Callable[[Object], Awaitable[Object]], body: bytes) -> web.Response:
    try:
        return json_answer(encode(await operation(decode(body))))
    except BadData as problem:
        return error(400, str(problem))
    except ConfigurationError as problem:
        return error(409, str(problem))
    except (NotReachable, TryLater) as problem:
        return error(503, str(problem))
