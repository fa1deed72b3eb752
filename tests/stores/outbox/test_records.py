"""What stands in a row: sealed, and readable for older and newer programs."""

from __future__ import annotations

import pytest

from oxpushctl.errors import BadData
from oxpushctl.stores.outbox import records
from oxpushctl.stores.outbox.records import NewerRecord, Sealer
from tests.engine.parts import mail
from tests.stores.outbox.boxes import message

KEY = bytes(range(32))


def test_event_of_a_newer_program() -> None:
    """Keys that are not known are left out: what a later version adds keeps no event from being sent."""
    event = mail()
    row = Sealer(KEY).seal(records.EVENT, {**records.event_record(event), "importance": "high"})
    assert records.read_event(Sealer(KEY).open(records.EVENT, row)) == event


def test_event_of_an_older_program() -> None:
    """Keys that are missing have their defaults, but for those that make an event."""
    known = {"context": 1, "user": 3, "folder": "INBOX", "at": 5.0, "id": "ab"}
    found = records.read_event(known)
    assert (found.uid, found.subject, found.unseen) == (0, "", None)


def test_message_of_a_newer_program() -> None:
    """So it is with messages."""
    entry = message(mail())
    found = records.read_entry({**records.entry_record(entry), "sound": "ping"})
    assert (found.notification, found.subscription) == (entry.notification, entry.subscription)


def test_record_of_a_later_version() -> None:
    """What an older program would misunderstand it leaves alone, and says that it is newer, not that it is damaged."""
    row = b"\x02" + Sealer(KEY).seal(records.EVENT, {})[1:]
    with pytest.raises(NewerRecord, match="version 2"):
        Sealer(KEY).open(records.EVENT, row)


@pytest.mark.parametrize("place", [1, 20, 30, -1])
def test_changed_byte(place: int) -> None:
    """A record with any byte changed is refused."""
    row = bytearray(Sealer(KEY).seal(records.EVENT, {"a": 1}))
    row[place] ^= 1
    with pytest.raises(BadData, match="damaged"):
        Sealer(KEY).open(records.EVENT, bytes(row))


def test_record_of_another_kind() -> None:
    """A message is never read as an event."""
    with pytest.raises(BadData, match="damaged"):
        Sealer(KEY).open(records.EVENT, Sealer(KEY).seal(records.ENTRY, {}))


def test_same_content_twice() -> None:
    """Two rows of the same content have nothing in common that tells of it."""
    sealer = Sealer(KEY)
    first, second = (sealer.seal(records.EVENT, {"a": 1})[25:] for _ in range(2))
    assert first != second


def test_half_a_character() -> None:
    """A text with half a character, as a server may send it, is kept with a question mark in its place."""
    row = Sealer(KEY).seal(records.EVENT, {"subject": "a\ud800b"})
    assert Sealer(KEY).open(records.EVENT, row) == {"subject": "a?b"}


@pytest.mark.parametrize(
    "record", [{}, {"context": 1}, {"context": 1, "user": 3, "folder": "", "at": 1, "id": 1, "sender": 5}]
)
def test_record_that_is_none(record: dict[str, object]) -> None:
    """What lacks the parts of an event is refused, whatever it is."""
    with pytest.raises(BadData, match="no event"):
        records.read_event(record)
