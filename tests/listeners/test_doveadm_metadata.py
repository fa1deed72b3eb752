"""Server annotations of a real Dovecot's mailboxes, over doveadm."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oxpushctl.errors import NotReachable, OxpushctlError, TryLater, UnknownEntry, Unsupported
from oxpushctl.listeners import doveadm_metadata as metadata
from tests.listeners.doveadm_scripted import KEY, asking
from tests.peers.dovecot import REGISTRATION_ENTRY as ENTRY
from tests.peers.dovecot import Dovecot
from tests.peers.ports import free_port


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot(doveadm_key=KEY) as running:
        yield running


async def test_written_and_removed(dovecot: Dovecot) -> None:
    """What is written is what the owner reads over IMAP, and removed it is gone, twice as well."""
    values = {"anton@example.com": "user=3@1/mac", "berta@example.com": "user=4@1\tx=ü🔑"}
    async with asking(dovecot.doveadm_url) as doveadm:
        assert await metadata.set_each(doveadm, ENTRY, values) == dict.fromkeys(values)
        assert {name: dovecot.registration(name) for name in values} == values
        assert await metadata.get(doveadm, ENTRY, values) == values
        for _ in range(2):
            assert await metadata.unset(doveadm, ENTRY, ["anton@example.com"]) == {"anton@example.com": None}
        assert await metadata.get(doveadm, ENTRY, values) == {**values, "anton@example.com": None}
    assert dovecot.registration("anton@example.com") is None


async def test_registered_by_owner(dovecot: Dovecot) -> None:
    """What the owner wrote over IMAP is read; empty and not set are the same."""
    dovecot.register("cora@example.com", "user=5@1")
    dovecot.register("dora@example.com", "")
    names = ["cora@example.com", "dora@example.com", "emil@example.com"]
    async with asking(dovecot.doveadm_url) as doveadm:
        found = await metadata.get(doveadm, ENTRY, names)
    assert found == {"cora@example.com": "user=5@1", "dora@example.com": None, "emil@example.com": None}


async def test_each_for_itself(dovecot: Dovecot) -> None:
    """In one batch each name has what is its own: a value, an unknown user, one that spoils the request."""
    dovecot.register("cora@example.com", "user=5@1")
    names = [
        "cora@example.com",
        "günter@example.com",
        "not\0a name",
        "half a \ud83d",
        "a*push@example.com",
        "",
        "emil@x",
    ]
    async with asking(dovecot.doveadm_url) as doveadm:
        found = await metadata.get(doveadm, ENTRY, names)
    kinds = [type(answer) if isinstance(answer, OxpushctlError) else answer for answer in found.values()]
    assert kinds == ["user=5@1", UnknownEntry, TryLater, TryLater, TryLater, UnknownEntry, None]
    assert list(found) == names


async def test_poisonous_entry(dovecot: Dovecot) -> None:
    """An entry at which Dovecot's worker dies has no answer; it is told as such, and others go on."""
    async with asking(dovecot.doveadm_url) as doveadm:
        found = await metadata.get(doveadm, "/neither", ["anton@example.com", "berta@example.com"])
        after = await metadata.get(doveadm, ENTRY, ["emil@example.com"])
    assert [type(answer) for answer in found.values()] == [TryLater, TryLater]
    assert after == {"emil@example.com": None}


async def test_many(dovecot: Dovecot) -> None:
    """Hundreds of mailboxes are written and read, each its own."""
    names = [f"user{number}@example.com" for number in range(600)]
    async with asking(dovecot.doveadm_url) as doveadm:
        written = await metadata.set_each(doveadm, ENTRY, {name: f"user={name}" for name in names})
        found = await metadata.get(doveadm, ENTRY, names)
    assert written == dict.fromkeys(names)
    assert found == {name: f"user={name}" for name in names}


async def test_no_attributes() -> None:
    """A Dovecot without a place for attributes cannot do it, which is told apart."""
    with Dovecot(doveadm_key=KEY, extra="mail_attribute_dict =") as bare:
        async with asking(bare.doveadm_url) as doveadm:
            written = await metadata.set_each(doveadm, ENTRY, {"anton@example.com": "user=3@1"})
            found = await metadata.get(doveadm, ENTRY, ["anton@example.com"])
    for answer in (written["anton@example.com"], found["anton@example.com"]):
        assert isinstance(answer, Unsupported)
        assert "mail_attribute_dict" in str(answer)


async def test_nobody_there() -> None:
    """Where doveadm cannot be asked each name has that for its answer."""
    async with asking(f"http://127.0.0.1:{free_port()}/doveadm/v1") as doveadm:
        found = await metadata.get(doveadm, ENTRY, ["anton", "berta"])
        written = await metadata.set_each(doveadm, ENTRY, {"anton": "x"})
        removed = await metadata.unset(doveadm, ENTRY, ["anton"])
    answers = [*found.values(), *written.values(), *removed.values()]
    assert len(answers) == 4
    assert all(isinstance(answer, NotReachable) and not isinstance(answer, Unsupported) for answer in answers)


async def test_nobody_asked(dovecot: Dovecot) -> None:
    """No names, no answers."""
    async with asking(dovecot.doveadm_url) as doveadm:
        assert await metadata.get(doveadm, ENTRY, []) == {}
        assert await metadata.set_each(doveadm, ENTRY, {}) == {}
