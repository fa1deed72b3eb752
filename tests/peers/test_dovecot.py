"""The throw-away Dovecot tells new mails the way that captured ones did: what other tests rest on."""

from __future__ import annotations

import imaplib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.peers.dovecot import MakeDovecot


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Sink:
    """An HTTP server that keeps every request and answers 200."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)


@pytest.fixture
def sink() -> Iterator[Sink]:
    kept = Sink()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.requests.append(Request(self.command, self.path, dict(self.headers), body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.url = f"http://push%40user:pw@127.0.0.1:{server.server_port}/notify"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield kept
        finally:
            server.shutdown()
            thread.join()


def _mail(subject: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Sender <sender@example.com>"
    mail["Subject"] = subject
    mail.set_content("body line one\n.a line with a dot\n")
    return mail


def test_registered_mailbox(make_dovecot: MakeDovecot, sink: Sink) -> None:
    """A mail to a registered mailbox is one PUT with the registered name and the mail's words."""
    dovecot = make_dovecot(sink.url)
    dovecot.register("anton@example.com", "user=3@1")

    answers = dovecot.deliver(["anton@example.com"], _mail("Hello"))

    assert [answer[:9] for answer in answers.values()] == ["250 2.0.0"], dovecot.log()
    [request] = sink.requests
    assert (request.method, request.path) == ("PUT", "/notify")
    assert request.headers.keys() == {
        "Host",
        "Date",
        "Authorization",
        "Content-Length",
        "Connection",
        "Content-Type",
    }
    assert request.headers["Authorization"] == "Basic cHVzaEB1c2VyOnB3"
    event = json.loads(request.body)
    assert list(event) == [
        "user",
        "event",
        "folder",
        "imap-uidvalidity",
        "imap-uid",
        "from",
        "subject",
        "snippet",
        "unseen",
    ]
    assert event | {"imap-uidvalidity": 0} == {
        "user": "3@1",
        "event": "messageNew",
        "folder": "INBOX",
        "imap-uidvalidity": 0,
        "imap-uid": 1,
        "from": "Sender <sender@example.com>",
        "subject": "Hello",
        "snippet": "body line one .a line with a dot",
        "unseen": 1,
    }


def test_unregistered_mailbox(make_dovecot: MakeDovecot, sink: Sink) -> None:
    """A mailbox that never registered, or no longer is, gets its mail and causes no request."""
    dovecot = make_dovecot(sink.url)
    dovecot.register("anton@example.com", "user=3@1")
    dovecot.unregister("anton@example.com")

    answers = dovecot.deliver(["anton@example.com", "berta@example.com"], _mail("Hello"))

    assert [answer[:9] for answer in answers.values()] == ["250 2.0.0", "250 2.0.0"]
    assert sink.requests == []


def test_several_recipients(make_dovecot: MakeDovecot, sink: Sink) -> None:
    """One LMTP transaction is a request for each registered recipient, in the order of the recipients."""
    dovecot = make_dovecot(sink.url)
    dovecot.register("anton@example.com", "user=3@1")
    dovecot.register("berta@example.com", "user=4@1")

    dovecot.deliver(["berta@example.com", "anton@example.com"], b"Subject: =?utf-8?b?5pel5pys?=\n\nbody\n")

    assert [json.loads(request.body)["user"] for request in sink.requests] == ["4@1", "3@1"]


def test_driver_without_metadata(make_dovecot: MakeDovecot, sink: Sink) -> None:
    """Without user_from_metadata the request names the IMAP login."""
    dovecot = make_dovecot(sink.url, is_user_from_metadata=False)
    dovecot.register("anton@example.com", "user=3@1")

    dovecot.deliver(["anton@example.com"], _mail("Hello"))

    assert [json.loads(request.body)["user"] for request in sink.requests] == ["anton@example.com"]


def test_stopped(make_dovecot: MakeDovecot, sink: Sink) -> None:
    """A stopped Dovecot listens no longer, not even with sessions open."""
    dovecot = make_dovecot(sink.url)
    session = imaplib.IMAP4("127.0.0.1", dovecot.imap_port, timeout=10)
    session.login("anton@example.com", "pw")

    dovecot.stop()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", dovecot.imap_port), timeout=10)
    session.shutdown()
