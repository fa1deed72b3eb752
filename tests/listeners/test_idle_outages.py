"""IDLE sessions when their server goes away, with a word and without, or packets get lost on the way to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from oxpushctl.config.listening import IDLE_FOLDER
from oxpushctl.config.own import IDLE_RENEW
from oxpushctl.errors import NotReachable, TryLater
from oxpushctl.listeners.imap_troubles import ServerBusy, ServerUnreachable
from tests.listeners.idling import ANTON, BERTA, LOGINS, idling, mail, sockets
from tests.listeners.swallowing import way_to
from tests.peers.dovecot import Dovecot
from tests.waiting import until

LOGIN = LOGINS[ANTON]
SLEEPING = """
protocol imap {
  imap_hibernate_timeout = 1s
}
service imap {
  unix_listener imap-master {
    user = $default_internal_user
  }
  extra_groups = $default_internal_group
}
service imap-hibernate {
  unix_listener imap-hibernate {
    mode = 0660
    group = $default_internal_group
  }
}
"""


def processes(dovecot: Dovecot) -> dict[int, str]:
    """Return the processes that have sessions, and what each is."""
    found = {}
    for line in dovecot.doveadm("-f", "tab", "who", "-1").splitlines()[1:]:
        pid = int(line.split("\t")[2])
        with contextlib.suppress(FileNotFoundError):  # it has just ended
            found[pid] = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[0]
    return found


def are_asleep(dovecot: Dovecot) -> bool:
    names = processes(dovecot).values()
    return bool(names) and all("imap-hibernate" in name for name in names)


def kick(dovecot: Dovecot) -> None:
    dovecot.doveadm("kick", "*")


def kill_sessions(dovecot: Dovecot) -> None:
    for pid in processes(dovecot):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def restart(dovecot: Dovecot) -> None:
    dovecot.halt()
    dovecot.resume()


def crash(dovecot: Dovecot) -> None:
    dovecot.halt(signal.SIGKILL)
    dovecot.resume()


@pytest.mark.parametrize("storage", ["sdbox", "maildir"])
@pytest.mark.parametrize("trouble", [kick, kill_sessions, restart, crash])
async def test_sessions_end(trouble: Callable[[Dovecot], None], storage: Literal["sdbox", "maildir"]) -> None:
    """Every user is told as lost, once and in words; started again it pushes what came meanwhile, and what comes."""
    with Dovecot(storage=storage) as dovecot:
        async with idling(dovecot.imap_port, is_kept=True) as place:
            await place.start(ANTON, BERTA)
            await asyncio.to_thread(trouble, dovecot)
            await asyncio.to_thread(dovecot.deliver, [LOGIN], mail("meanwhile"))
            await until(lambda: place.lost_users)
            await until(lambda: place.running == {ANTON, BERTA})
            await place.heard("meanwhile")
            await asyncio.to_thread(dovecot.deliver, [LOGIN], mail("later"))
            await place.heard("meanwhile", "later")
    assert sorted(user for user, _ in place.lost_users) == [ANTON, BERTA]
    for _, error in place.lost_users:
        assert isinstance(error, ServerBusy | ServerUnreachable), error
        assert "ended the session" in str(error) or "connection reset" in str(error)


async def test_server_that_stays_away() -> None:
    """While nobody listens at the port a start says so; the first one after that hears everything."""
    with Dovecot() as dovecot:
        async with idling(dovecot.imap_port) as place:
            await place.start()
            await asyncio.to_thread(dovecot.halt)
            await until(lambda: place.lost_users)
            with pytest.raises(NotReachable, match="refuses connections"):
                await place.start()
            await asyncio.to_thread(dovecot.resume)
            await asyncio.to_thread(dovecot.deliver, [LOGIN], mail("meanwhile"))
            await place.start()
            await place.heard("meanwhile")
    assert len(place.lost_users) == 1


@pytest.mark.parametrize("trouble", [kill_sessions, kick])
async def test_sessions_that_sleep(trouble: Callable[[Dovecot], None]) -> None:
    """Dovecot keeps quiet sessions in one process: mail wakes them, and they end with that process without a BYE."""
    with Dovecot(extra=SLEEPING) as dovecot:
        async with idling(dovecot.imap_port, is_kept=True) as place:
            await place.start()
            await until(lambda: are_asleep(dovecot))
            await asyncio.to_thread(dovecot.deliver, [LOGIN], mail("woken"))
            await place.heard("woken")
            await until(lambda: are_asleep(dovecot))
            await asyncio.to_thread(trouble, dovecot)
            error = await place.ended()
            await until(lambda: place.running == {ANTON})
            await asyncio.to_thread(dovecot.deliver, [LOGIN], mail("later"))
            await place.heard("woken", "later")
    assert "ended the session without a word" in str(error)


async def test_packets_are_swallowed() -> None:
    """A connection that seems to be open is asked, and given up for a new one when no answer comes in time."""
    with Dovecot() as dovecot:
        async with (
            way_to(dovecot.imap_port) as way,
            idling(way.port, settings={IDLE_RENEW: 0.2}, answer_s=0.5, is_kept=True) as place,
        ):
            await place.start()
            way.swallow()
            await asyncio.to_thread(dovecot.deliver, [LOGIN], mail("swallowed"))
            error = await place.ended()
            way.heal()
            await place.heard("swallowed")
    assert isinstance(error, ServerUnreachable)
    assert "does not answer any more on a session that was open" in str(error)
    assert IDLE_RENEW.key in str(error)


async def test_mailbox_is_deleted() -> None:
    """The session ends; until the mailbox is back a start is refused for now, not for good."""
    with Dovecot() as dovecot:
        await asyncio.to_thread(dovecot.doveadm, "mailbox", "create", "-u", LOGIN, "Office")
        async with idling(dovecot.imap_port, settings={IDLE_FOLDER: "Office", IDLE_RENEW: 0.2}) as place:
            await place.start()
            await asyncio.to_thread(dovecot.doveadm, "mailbox", "delete", "-u", LOGIN, "Office")
            error = await place.ended()
            with pytest.raises(TryLater, match="doesn't exist: Office"):
                await place.start()
            await asyncio.to_thread(dovecot.doveadm, "mailbox", "create", "-u", LOGIN, "Office")
            await place.start()
    assert "ended the session of" in str(error), error


async def test_end_of_the_engine() -> None:
    """Cancelled, the listeners leave no session at the server and no socket here."""
    with Dovecot() as dovecot:
        before = sockets()
        async with idling(dovecot.imap_port) as place:
            await place.start(ANTON, BERTA)
            during = sockets() - before
        left = sockets() - before
        await until(lambda: not processes(dovecot))
    assert len(during) == 2
    assert left == set()
