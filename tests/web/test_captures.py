"""What a real Dovecot 2.3.19 sent, byte for byte, and what we make of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from oxpushctl.model import Address, PushUser
from oxpushctl.web.auth import Credentials
from tests.web.parts import intake

_FOLDER = Path(__file__).parent.parent / "data" / "dovecot"
_CAPTURES = {path.stem: path.read_bytes() for path in _FOLDER.glob("*.http")}
_ANNA = Address("Anna Smith", "anna@example.com")

# What stands in the mail decoded, where that is not what Dovecot sent.
_SUBJECTS = {
    "msg-subject-b-iso2022jp": "会議の件",
    "msg-subject-emoji-b": "🎉 Party 👩‍👩‍👧‍👦 tonight",
    "msg-subject-folded-words": "Protokoll der Besprechung über die Änderungen an der Übergabe – Teil 二番",
    "msg-subject-missing": "",
    "msg-subject-q-utf8": "Grüße aus Köln",
}
_SENDERS = {
    "msg-from-address-only": Address("", "x" * 300 + "@xn--exmple-cua.com"),
    "msg-from-missing": None,
    "msg-headers-raw-utf8": Address("Zoë Ünal", "zoë@exämple.com"),
    "msg-subject-b-iso2022jp": Address("山田太郎", "taro@example.jp"),
    "msg-subject-emoji-b": Address("🦊 Fox", "fox@example.com"),
    "msg-subject-q-utf8": Address("Jürgen Müller", "juergen@example.com"),
    "msg-subject-quotes-backslash": Address('O"Hara, \\Kim/', "kim@example.com"),
    "reg-by-doveadm-http": Address("", "a@b.c"),
}
_USERS = {
    "cfg-no-user-from-metadata": PushUser(context=1, user=3),  # by the login that the directory knows
    "multi-rcpt.1": PushUser(context=1, user=1),
    "multi-rcpt.2": PushUser(context=1, user=2),
    "reg-by-master": PushUser(context=2, user=7),
    "reg-quotes": None,
    "reg-utf8": None,
}
# That one driver was configured with a login and password of special characters.
_CREDENTIALS = {"cfg-no-user-from-metadata": Credentials.of("p@ush", "p:w/ü")}


@pytest.mark.parametrize("name", sorted(_CAPTURES))
async def test_captured_request(name: str) -> None:
    """Each is answered with success, and its event says what the mail said."""
    raw = _CAPTURES[name]
    sent = json.loads(raw.partition(b"\r\n\r\n")[2])
    async with intake(credentials=_CREDENTIALS.get(name)) as serving:
        answer = await serving.ask(raw)

    assert answer is not None
    assert (answer.status, answer.body) == (200, b'{"success":true}')
    events = serving.sink.events
    expected_user = _USERS.get(name, PushUser(context=1, user=3))
    assert [event.user for event in events] == ([] if expected_user is None else [expected_user])
    for event in events:
        subject = _SUBJECTS.get(name, sent.get("subject"))
        assert event.subject == re.sub(r"\n\s", " ", subject)
        assert event.sender == _SENDERS.get(name, _ANNA)
        assert (event.folder, event.uid, event.uidvalidity, event.snippet, event.unseen) == tuple(
            sent[key] for key in ("folder", "imap-uid", "imap-uidvalidity", "snippet", "unseen")
        )


async def test_many_mails_on_one_connection() -> None:
    """Dovecot keeps its connection: requests that follow each other on it are all heard, in order."""
    captures = [_CAPTURES[f"multi-rcpt.{number}"] for number in (1, 2, 3)]
    async with intake() as serving, serving.wire() as wire:
        for raw in captures:
            await wire.ask(raw)

    assert [event.user.user for event in serving.sink.events] == [1, 2, 3]
