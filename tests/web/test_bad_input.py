"""What is wrong, hostile or not HTTP: an answer that says so, one short log line, and the next request is served."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oxpushctl import log
from oxpushctl.web.auth import Credentials
from oxpushctl.web.notify import PATH
from tests.web.parts import Intake, basic, intake, notice, request

_CHALLENGE = 'Basic realm="OX REST", encoding="UTF-8"'
_MARK = "s3cr3tmark"
_LIMIT = 1024 * 1024


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """The log as an operator reads it, debug records included."""
    root, level = logging.getLogger(), logging.getLogger("oxpushctl").level
    handlers, root_level = root.handlers[:], root.level
    text = io.StringIO()
    log.configure(text, level=logging.DEBUG)
    yield text
    root.handlers[:] = handlers
    root.setLevel(root_level)
    logging.getLogger("oxpushctl").setLevel(level)


def _assert_short(stream: io.StringIO) -> None:
    text = stream.getvalue()
    assert "Traceback" not in text
    assert _MARK not in text
    assert all(len(line) < 300 for line in text.splitlines()), text


async def _assert_serving(serving: Intake) -> None:
    assert await serving.status(request(notice())) == 200
    assert serving.sink.events[-1].uid == 1


_BAD_BODIES = {
    "empty": b"",
    "truncated": notice(subject=_MARK)[:-20],
    "dovecot 2.2 without From": b'{"user":"3@1","event":"messageNew","folder":"INBOX","imap-uid":1","subject":"%s"}'
    % _MARK.encode(),
    "two objects": notice() + notice(),
    "not UTF-8": notice().replace(b"Lunch", b"\xff\xfe"),
    "a lone surrogate": notice().replace(b"Lunch", rb"\ud83d"),
    "array": b"[" + notice() + b"]",
    "text": b'"3@1"',
    "null": b"null",
    "NaN": notice().replace(b"1795434152", b"NaN"),
    "deep nesting": notice(user=...)[:-1] + b',"user":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep nesting, cut": b'{"a":' * 100_000,
    "no user": notice(user=...),
    "user of another kind": notice(user=3),
    "user null": notice(user=None),
    "no event": notice(event=...),
    "event of another kind": notice(event=["messageNew"]),
    "no folder": notice(folder=...),
    "folder empty": notice(folder=""),
    "folder of another kind": notice(folder=1),
    "no imap-uid": notice(imap_uid=...),
    "imap-uid true": notice(imap_uid=True),
    "imap-uid as text": notice(imap_uid="1"),
    "imap-uid negative": notice(imap_uid=-1),
    "imap-uid 1.5": notice(imap_uid=1.5),
    "imap-uid of 33 bits": notice(imap_uid=2**32),
    "imap-uid huge": notice().replace(b'"imap-uid":1,', b'"imap-uid":' + b"9" * 5000 + b","),
    "imap-uid 1e999": notice().replace(b'"imap-uid":1,', b'"imap-uid":1e999,'),
    "imap-uidvalidity of another kind": notice(imap_uidvalidity={}),
    "from of another kind": notice(from_=["a@b"]),
    "subject of another kind": notice(subject=1),
    "subject null": notice(subject=None),
    "snippet of another kind": notice(snippet=False),
    "unseen true": notice(unseen=True),
    "unseen of another kind": notice(unseen="2"),
    "unseen huge": notice(unseen=2**63),
}


@pytest.mark.parametrize("body", _BAD_BODIES.values(), ids=_BAD_BODIES.keys())
async def test_bad_body(body: bytes, stream: io.StringIO) -> None:
    """What is not an object of the expected kinds is 400 with an error, and nothing is pushed."""
    async with intake() as serving:
        answer = await serving.ask(request(body))
        events = list(serving.sink.events)
        await _assert_serving(serving)

    assert answer is not None
    assert (answer.status, list(orjson.loads(answer.body)), events) == (400, ["error"], [])
    _assert_short(stream)
    assert "notify request refused" in stream.getvalue()


async def test_large_body(stream: io.StringIO) -> None:
    """A body of 2 MiB is 413, whether its length is announced or it comes in pieces."""
    body = notice(snippet="x" * 2 * _LIMIT)
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:_LIMIT], body[_LIMIT:])) + b"0\r\n\r\n"
    chunked = f"PUT {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nAuthorization: {basic()}\r\n\r\n"
    async with intake() as serving:
        statuses = [await serving.status(request(body)), await serving.status(chunked.encode() + pieces)]
        await _assert_serving(serving)

    assert statuses == [413, 413]
    _assert_short(stream)


async def test_largest_body() -> None:
    """A body of exactly 1 MiB is read."""
    body = notice()
    async with intake() as serving:
        assert await serving.status(request(body + b" " * (_LIMIT - len(body)))) == 200


async def test_huge_subject() -> None:
    """A subject of 64 KiB is a mail like any other."""
    async with intake() as serving:
        assert await serving.status(request(notice(subject="=?utf-8?Q?=C3=BC?= \n " * 3000))) == 200

    assert serving.sink.events[0].subject.startswith("üü")


async def test_compressed_body() -> None:
    """Nothing is decompressed: a small body stays small."""
    async with intake() as serving:
        assert await serving.status(request(b"\x1f\x8b\x08\x00", extra="Content-Encoding: gzip\r\n")) == 400


_AUTHORIZATIONS = {
    "none": None,
    "wrong password": basic(password=_MARK),
    "wrong login": basic(login=_MARK),
    "no password": basic(password=""),
    "longer": basic(password="pushpw2"),
    "bearer": f"Bearer {_MARK}",
    "no base64": f"Basic {_MARK}!",
    "not ASCII": "Basic ü",
    "no credentials": "Basic",
    "empty": "",
}


@pytest.mark.parametrize("authorization", _AUTHORIZATIONS.values(), ids=_AUTHORIZATIONS.keys())
async def test_wrong_credentials(authorization: str | None, stream: io.StringIO) -> None:
    """Missing or wrong credentials are 401 and asked for."""
    async with intake() as serving:
        answer = await serving.ask(request(notice(), authorization=authorization))
        events = list(serving.sink.events)
        await _assert_serving(serving)

    assert answer is not None
    assert (answer.status, answer.headers["www-authenticate"], events) == (401, _CHALLENGE, [])
    _assert_short(stream)


@pytest.mark.parametrize(("login", "password"), [(None, None), ("pushuser", None), (None, "pushpw"), ("pushuser", " ")])
async def test_no_credentials_configured(login: str | None, password: str | None) -> None:
    """Unless login and password are configured, nobody gets in."""
    async with intake(credentials=Credentials.of(login, password)) as serving:
        assert await serving.status(request(notice())) == 403


@pytest.mark.parametrize("scheme", ["basic", "BASIC", "Basic "])
async def test_right_credentials_spelt_differently(scheme: str) -> None:
    """The scheme's case and further blanks do not matter, umlauts are UTF-8, what is configured is trimmed."""
    authorization = scheme + basic("jürgen", "pä:ß").removeprefix("Basic")
    async with intake(credentials=Credentials.of(" jürgen", "pä:ß ")) as serving:
        assert await serving.status(request(notice(), authorization=authorization)) == 200


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (request(notice(), method="GET"), 405),
        (request(notice(), method="DELETE"), 405),
        (request(notice(), path="/"), 404),
        (request(notice(), path=PATH + "/"), 404),
        (request(notice(), path="/%ff%00/../.."), 404),
    ],
)
async def test_other_requests(raw: bytes, status: int) -> None:
    """Other paths and methods are not there."""
    async with intake() as serving:
        assert await serving.status(raw) == status


_NOT_HTTP = {
    "words": b"HELO s3cr3tmark\r\n\r\n",
    "TLS": bytes.fromhex("16030100f8010000f40303") + b"s3cr3tmark" * 20 + b"\r\n\r\n",
    "zeros": b"\0" * 500 + b"\r\n\r\n",
    "bad version": b"PUT / HTTP/9.9\r\n\r\n",
    "bad header": b"PUT / HTTP/1.1\r\ns3cr3tmark\r\n\r\n",
    "bad header name": b"PUT / HTTP/1.1\r\ns3cr3t mark\x01: x\r\n\r\n",
    "bad length": b"PUT / HTTP/1.1\r\nContent-Length: s3cr3tmark\r\n\r\n",
    "two lengths": b"PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": b"PUT / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "long line": b"PUT /" + b"s3cr3tmark" * 2000 + b" HTTP/1.1\r\n\r\n",
    "long header": b"PUT / HTTP/1.1\r\nX: " + b"s3cr3tmark" * 2000 + b"\r\n\r\n",
    "many headers": b"PUT / HTTP/1.1\r\n" + b"X: s3cr3tmark\r\n" * 5000 + b"\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("raw", _NOT_HTTP.values(), ids=_NOT_HTTP.keys())
async def test_not_http(raw: bytes, stream: io.StringIO) -> None:
    """It is 400 or a closed connection, and one short log line that repeats nothing of it."""
    async with intake() as serving:
        statuses = {await serving.status(raw) for _ in range(3)}
        await _assert_serving(serving)

    assert statuses <= {400, None}
    _assert_short(stream)
    assert stream.getvalue().count("\n") == 1
    assert "not HTTP" in stream.getvalue()


@pytest.mark.parametrize("count", [0, 10])
async def test_client_goes_away(count: int, stream: io.StringIO) -> None:
    """A client that ends in the middle of a request leaves neither an event nor a traceback."""
    raw = request(notice())
    async with intake() as serving:
        async with serving.wire() as wire:
            wire.send(raw[: len(raw) - len(notice()) + count])
            wire.say_no_more()
            await wire.end()
        await _assert_serving(serving)

    assert len(serving.sink.events) == 1
    _assert_short(stream)


async def test_broken_chunks(stream: io.StringIO) -> None:
    """A body in pieces that make no sense is refused."""
    head = f"PUT {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nAuthorization: {basic()}\r\n\r\n"
    async with intake() as serving:
        status = await serving.status(head.encode() + b"s3cr3tmark\r\n")
        await _assert_serving(serving)

    assert status in {400, None}
    _assert_short(stream)


_arbitrary = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_arbitrary
@given(body=st.binary(max_size=300))
async def test_arbitrary_body(body: bytes) -> None:
    """Any bytes are answered with success or refusal."""
    async with intake() as serving:
        assert await serving.status(request(body)) in {200, 400}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_MEMBERS = [
    name.decode() for name in (b"user", b"event", b"folder", b"imap_uid", b"from_", b"subject", b"snippet", b"unseen")
]


@_arbitrary
@given(changes=st.dictionaries(st.sampled_from(_MEMBERS), _JSON, max_size=3))
async def test_arbitrary_members(changes: dict[str, object]) -> None:
    """Members of any kind make an event, none, or a refusal; never an accident."""
    async with intake() as serving:
        assert await serving.status(request(notice(**changes))) in {200, 400}


@_arbitrary
@given(raw=st.binary(min_size=1, max_size=200))
async def test_arbitrary_bytes(raw: bytes) -> None:
    """Whatever arrives instead of a request, the next one is served."""
    async with intake() as serving:
        async with serving.wire() as wire:
            wire.send(raw + b"\r\n\r\n")
            wire.say_no_more()
            answer = await wire.end()
        await _assert_serving(serving)

    assert answer[:12] in {b"", b"HTTP/1.0 400", b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.0 404"}
