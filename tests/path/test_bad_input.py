"""Bad input, from outside and from the operator: it is said what is wrong, nothing leaks, and the engine goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from oxpushctl.config.properties import REST_LOGIN
from oxpushctl.sandbox.identity import PROVIDER_KEY_FILE
from oxpushctl.sandbox.write_etc import BEARER_CLIENT, CERTIFICATE_CLIENT, KEYS
from oxpushctl.web.notify import PATH
from tests.path.conftest import Ground
from tests.peers import engine
from tests.web.parts import Wire, basic, notice, request

_TOKEN = "aa11" * 16
_MARK = "s3cr3tmark"
_APNS_OPTIONS = "pns-apns-options.yml"
_MIB = 1024 * 1024


def _chunked(authorization: str, body: bytes) -> bytes:
    """Write a request whose length is not announced."""
    head = f"PUT {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\nTransfer-Encoding: chunked\r\n\r\n"
    return b"%s%x\r\n%s\r\n0\r\n\r\n" % (head.encode(), len(body), body)


def _mail(**changes: object) -> bytes:
    return notice(subject=_MARK, **changes)


# What a mail server that is let in may send, and what interface.md 5 says to it.
_BODIES: dict[str, tuple[int, bytes]] = {
    "user with a proof that is none": (200, _mail(user=f"3@1/{_MARK}")),
    "user x": (200, _mail(user="x")),
    "user empty": (200, _mail(user="")),
    "user 0@0": (200, _mail(user="0@0")),
    "user 1@1@1": (200, _mail(user="1@1@1")),
    "user of huge numbers": (200, _mail(user="9" * 5000 + "@" + "9" * 5000)),
    "user beyond 32 bits": (200, _mail(user=f"{2**32}@1")),
    "user a number": (400, _mail(user=3)),
    "user null": (400, _mail(user=None)),
    "user an object": (400, _mail(user={"user": 3, "context": 1})),
    "truncated": (400, _mail()[:-20]),
    "empty": (400, b""),
    "an array": (400, b"[" + _mail() + b"]"),
    "deep nesting": (400, _mail()[:-1] + b',"user":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "deep nesting, cut": (400, b'{"a":' * 100_000),
    "folder a number": (400, _mail(folder=1)),
    "uid a text": (400, _mail(imap_uid="1")),
    "uid of 33 bits": (400, _mail(imap_uid=2**32)),
    "uid of 5000 digits": (400, _mail().replace(b'"imap-uid":1,', b'"imap-uid":%s,' % (b"9" * 5000))),
    "uid 1e999": (400, _mail().replace(b'"imap-uid":1,', b'"imap-uid":1e999,')),
    "unseen huge": (400, _mail(unseen=2**63)),
    "subject a number": (400, notice(subject=1, snippet=_MARK)),
    "not UTF-8": (400, _mail().replace(_MARK.encode(), _MARK.encode() + b"\xff")),
    "2 MiB": (413, _mail(snippet="x" * 2 * _MIB)),
}

_NO_HTTP = {
    "words": f"HELO {_MARK}\r\n\r\n".encode(),
    "TLS": b"\x16\x03\x01\x00\xf8\x01" + _MARK.encode() * 20 + b"\r\n\r\n",
    "zeros": b"\0" * 4096 + b"\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a header without a colon": f"PUT {PATH} HTTP/1.1\r\n{_MARK}\r\n\r\n".encode(),
    "a length that is none": f"PUT {PATH} HTTP/1.1\r\nContent-Length: {_MARK}\r\n\r\n".encode(),
    "a line of 20 KiB": f"PUT /{_MARK * 2000} HTTP/1.1\r\n\r\n".encode(),
}


def _requests(right: str) -> dict[str, tuple[int, bytes]]:
    """Return all that is HTTP, with the status that it gets."""
    return {
        **{name: (status, request(body, authorization=right)) for name, (status, body) in _BODIES.items()},
        "2 MiB without a length": (413, _chunked(right, _mail(snippet="x" * 2 * _MIB))),
        "no authorization": (401, request(_mail(), authorization=None)),
        "wrong password": (401, request(_mail(), authorization=basic("dovecot", _MARK))),
        "wrong login": (401, request(_mail(), authorization=basic(_MARK, "x"))),
        "not base64": (401, request(_mail(), authorization=f"Basic {_MARK}!")),
        "another scheme": (401, request(_mail(), authorization=f"Bearer {_MARK}")),
        "wrong path": (404, request(_mail(), path=f"/{_MARK}", authorization=right)),
        "wrong method": (405, request(_mail(), method="DELETE", authorization=right)),
    }


async def _status(intake: str, raw: bytes) -> int | None:
    """Return the status that bytes on a connection of their own are answered with, ``None`` for a mere close."""
    async with Wire.to(intake) as wire:
        answer = await wire.ask(raw)
    return None if answer is None else answer.status


async def test_whatever_arrives_is_answered_and_the_next_mail_is_pushed(ground: Ground) -> None:
    """Each bad request gets its status, bytes that are not HTTP 400 or a close; the log has one line for each sort."""
    await ground.subscribe("apn", _TOKEN)
    right = basic(ground.written.rest_login, ground.written.rest_password)
    requests = _requests(right)
    async with engine.running(ground.etc, ground.state, "-v") as running:
        answers = {name: await _status(running.intake, raw) for name, (_, raw) in requests.items()}
        no_http = {name: await _status(running.intake, raw) for name, raw in _NO_HTTP.items()}
        last = await _status(running.intake, request(notice(imap_uid=42), authorization=right))
        (push,) = await ground.sandbox.wait_for()
        log = running.log()
    assert answers == {name: status for name, (status, _) in requests.items()}
    assert set(no_http.values()) <= {400, None}, no_http
    assert (last, push.at("cid"), push.is_delivered) == (200, "default0/INBOX/42", True)
    told = [line.split(" ", 2)[2] for line in log.splitlines() if line.split(" ", 2)[1] != "debug"]
    assert [line.partition("=")[0].rpartition(" ")[0] for line in told] == [
        "notify for nobody we know or believe",
        "notify request refused",
        "not HTTP, connection closed",
    ]
    assert max(map(len, log.splitlines())) < 300
    secrets = (_MARK, ground.written.rest_password, right.removeprefix("Basic "), _TOKEN, "Traceback")
    assert [word for word in secrets if word in log] == []


async def test_nobody_is_let_in_without_configured_credentials(ground: Ground) -> None:
    """With the login unset even the right password gets 403, and the check has warned."""
    unset = f"{REST_LOGIN.key}="
    right = basic(ground.written.rest_login, ground.written.rest_password)
    async with engine.running(ground.etc, ground.state, "-o", unset) as running:
        status = await _status(running.intake, request(_mail(), authorization=right))
    _, out, _ = await ground.run("-o", unset, "config", "check")
    assert status == 403
    assert f"warning OXP305 {REST_LOGIN.key}: is not set: the notify endpoint refuses all requests" in out


@dataclass(frozen=True)
class _Mistake:
    """Something that an operator did: ``said`` by the check, ``named`` by ``run``, while ``served`` gets its pushes."""

    make: Callable[[Ground], None]
    said: tuple[str, ...]
    named: str
    served: tuple[str, str]


def _indent_with_a_tab(ground: Ground) -> None:
    options = ground.etc / _APNS_OPTIONS
    options.write_text(options.read_text().replace("  password: sandbox", f"\tpassword: {_MARK}"))


def _mistype_the_password(ground: Ground) -> None:
    options = ground.etc / _APNS_OPTIONS
    options.write_text(options.read_text().replace("  password: sandbox", f"  password: {_MARK}"))


def _take_an_rsa_key(ground: Ground) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    (ground.etc / KEYS / PROVIDER_KEY_FILE).write_text(f"{_MARK}\n{pem}")


_MISTAKES = {
    "YAML with a tab": _Mistake(
        _indent_with_a_tab,
        (f"{_APNS_OPTIONS}:7:1: error OXP201: found character '\\t'", "(indent with blanks)"),
        _APNS_OPTIONS,
        ("gcm", CERTIFICATE_CLIENT),
    ),
    "p12 with a wrong password": _Mistake(
        _mistype_the_password,
        (
            f"{_APNS_OPTIONS}:",
            f"error OXP402 {CERTIFICATE_CLIENT}.password: the password does not open ",
            "(set the password that was chosen at export)",
        ),
        CERTIFICATE_CLIENT,
        ("apn", BEARER_CLIENT),
    ),
    "p8 that is RSA": _Mistake(
        _take_an_rsa_key,
        (
            f"{_APNS_OPTIONS}:",
            f"error OXP410 {BEARER_CLIENT}.privatekey: ",
            "is an RSA key (2048 bits), and Apple wants one on the curve P-256",
            "(download a key for APNs (.p8)",
        ),
        BEARER_CLIENT,
        ("apn", CERTIFICATE_CLIENT),
    ),
}


def _assert_clean(*texts: str) -> None:
    assert not [word for text in texts for word in (_MARK, "PRIVATE KEY", "Traceback") if word in text]


@pytest.mark.parametrize("mistake", _MISTAKES.values(), ids=_MISTAKES.keys())
async def test_check_says_what_where_and_what_to_do(mistake: _Mistake, ground: Ground) -> None:
    """One error, 78, one line that an operator can act on; no secret in it."""
    mistake.make(ground)
    code, out, err = await ground.run("config", "check")
    errors = [line for line in out.splitlines() if " error " in line]
    assert (code, len(errors)) == (78, 1)
    assert [part for part in mistake.said if part not in errors[0]] == []
    _assert_clean(out, err)


@pytest.mark.parametrize("mistake", _MISTAKES.values(), ids=_MISTAKES)
async def test_engine_serves_the_others_and_says_who_is_out_of_service(mistake: _Mistake, ground: Ground) -> None:
    """Whoever the mistake concerns is named at start, as an error; the others have their pushes."""
    mistake.make(ground)
    transport, client = mistake.served
    await ground.subscribe(transport, _TOKEN, client=client)
    async with engine.running(ground.etc, ground.state) as running:
        right = basic(ground.written.rest_login, ground.written.rest_password)
        status = await _status(running.intake, request(notice(), authorization=right))
        (push,) = await ground.sandbox.wait_for()
        log = running.log()
    assert (status, push.token, push.is_delivered) == (200, _TOKEN, True)
    errors = [line for line in log.splitlines() if line.split(" ")[1] == "error"]
    assert ["out of service" in line and mistake.named in line for line in errors] == [True], log
    _assert_clean(log)
