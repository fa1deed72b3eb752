"""What idle listeners promise the supervisor, whatever the mail server says."""

from __future__ import annotations

import asyncio
import math

import pytest

from oxpushctl.config.listening import IDLE_DELAY, IDLE_ENABLED, IDLE_PERMANENT
from oxpushctl.config.own import IDLE_SESSIONS
from oxpushctl.engine.clock import SystemClock
from oxpushctl.errors import ConfigurationError, OverLimit, TryLater
from oxpushctl.model import PushUser
from tests.listeners.idling import ANTON, BERTA, idling, mail, sockets
from tests.listeners.people import settings
from tests.listeners.scripted import CUT, SILENCE, scripted
from tests.listeners.test_idle_hostile import GO, always, answers
from tests.peers.dovecot import Dovecot
from tests.waiting import until

NOBODY = PushUser(9, 9)


class LeapingClock(SystemClock):
    """The system's, on which nobody waits for hours."""

    def __init__(self) -> None:
        self.leaps: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """Wait, if it is not for long."""
        if seconds > 3600:
            self.leaps.append(seconds)
        else:
            await super().sleep(seconds)


def log_ins(heard: list[str]) -> int:
    return sum("AUTHENTICATE" in line for line in heard)


@pytest.mark.parametrize(
    ("is_enabled", "is_for_all", "for_sessions", "for_everybody"),
    [(False, True, False, False), (True, False, True, False), (True, True, True, True)],
)
async def test_switches(is_enabled: bool, is_for_all: bool, for_sessions: bool, for_everybody: bool) -> None:
    """Both may be turned while it runs; the second one is about users without a session."""
    async with scripted() as (port, _), idling(port) as place:
        place.listeners.reload(settings({IDLE_ENABLED: is_enabled, IDLE_PERMANENT: is_for_all}))
        is_on = [place.listeners.is_on(is_permanent=is_permanent) for is_permanent in (False, True)]
    assert is_on == [for_sessions, for_everybody]


async def test_another_start() -> None:
    """A user that is heard has one session, however often it is started; nobody is adopted from an earlier run."""
    async with scripted(answers=answers()) as (port, heard), idling(port) as place:
        await place.start(ANTON, ANTON)
        adopted = await place.listeners.adopt([ANTON])
    assert (place.listeners.name, log_ins(heard), adopted) == ("imapidle", 1, frozenset())


async def test_limit() -> None:
    """One session too many is refused before the mail server hears of it; when one stops there is room."""
    async with scripted(answers=answers()) as (port, heard), idling(port, settings={IDLE_SESSIONS: 1}) as place:
        async with asyncio.TaskGroup() as starting:
            starting.create_task(place.start(ANTON))
            await asyncio.sleep(0)
            with pytest.raises(OverLimit, match=r"more than the 1 of oxpushctl\.imapidle\.maxSessions"):
                await place.start(BERTA)
        with pytest.raises(OverLimit):
            await place.start(BERTA)
        before = log_ins(heard)
        await place.listeners.stop(ANTON)
        await place.start(BERTA)
    assert (before, log_ins(heard)) == (1, 2)


async def test_nothing_opens_the_mailbox() -> None:
    """What opening it raises is passed on, and takes no place."""
    async with scripted(answers=answers()) as (port, _), idling(port, settings={IDLE_SESSIONS: 1}) as place:
        with pytest.raises(ConfigurationError):
            await place.start(NOBODY)
        await place.start(ANTON)


async def test_two_log_ins_of_a_session() -> None:
    """Between them the configured time is waited out, by the second start; another user's is not delayed."""
    clock = LeapingClock()
    said = answers(idle=always(f"{GO}* BYE gone\r\n", then=GO))
    async with (
        scripted(answers=said) as (port, _),
        idling(port, clock=clock, settings={IDLE_DELAY: 86_400_000}) as place,
    ):
        with pytest.raises(TryLater, match="ended the session"):
            await place.start(ANTON)
        await place.start(BERTA)
        before = list(clock.leaps)
        await place.start(ANTON)
    assert before == []
    assert [math.ceil(leap / 3600) for leap in clock.leaps] == [24]


async def test_stopped_while_it_starts() -> None:
    """A start that is not wanted any more comes to its end by an error, and leaves no session."""
    async with scripted(answers=answers(idle=SILENCE)) as (port, heard), idling(port) as place:
        starting = asyncio.create_task(place.start(ANTON))
        await until(lambda: any(line.endswith(" IDLE") for line in heard))
        await place.listeners.stop(ANTON)
        with pytest.raises(TryLater, match="wanted no more"):
            await starting
    assert place.lost_users == []


async def test_cancelled_while_it_starts() -> None:
    """The supervisor may give a start up; the user can be started again at once."""
    said = answers(idle=always(SILENCE, then=GO))
    async with scripted(answers=said) as (port, heard), idling(port, settings={IDLE_SESSIONS: 1}) as place:
        starting = asyncio.create_task(place.start(ANTON))
        await until(lambda: any(line.endswith(" IDLE") for line in heard))
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await place.start(ANTON)
    assert place.lost_users == []


async def test_stopped_while_a_mail_is_fetched() -> None:
    """The look ends with its connection, and nobody is told of a loss."""
    said = answers(idle=always(f"{GO}* 2 EXISTS\r\n", then=GO), uid=SILENCE)
    async with scripted(answers=said) as (port, heard), idling(port) as place:
        await place.start(ANTON)
        await until(lambda: any("FETCH" in line for line in heard))
        await place.listeners.stop(ANTON)
        await place.start(ANTON)
    assert (place.lost_users, log_ins(heard)) == ([], 2)


async def test_end_while_a_mail_is_fetched() -> None:
    """The end of the engine waits for no server."""
    said = answers(idle=f"{GO}* 2 EXISTS\r\n", uid=SILENCE)
    async with asyncio.timeout(8), scripted(answers=said) as (port, heard), idling(port) as place:
        await place.start(ANTON)
        await until(lambda: any("FETCH" in line for line in heard))
    assert place.lost_users == []


async def test_stop_of_nobody() -> None:
    """Nothing happens for a user that is not heard."""
    async with scripted() as (port, _), idling(port) as place:
        await place.listeners.stop(NOBODY)
    assert place.lost_users == []


async def test_lost_while_nobody_watches() -> None:
    """Sessions may begin before the first run, and what became of them is told to whoever watches then."""
    said = answers(idle=f"{GO}{CUT}* BYE gone\r\n")
    async with scripted(answers=said) as (port, _), idling(port, is_run=False) as place:
        before = sockets()
        await place.start(ANTON)
        await until(lambda: sockets() == before)
        await place.run()
        await place.ended()
    assert [user for user, _ in place.lost_users] == [ANTON]


async def test_start_after_the_end() -> None:
    """What was still starting when the run ended leaves no session behind."""
    async with scripted(answers=answers()) as (port, heard), idling(port) as place:
        await place.end()
        with pytest.raises(TryLater, match="the engine stops"):
            await place.start(ANTON)
    assert not any(line.endswith(" IDLE") for line in heard)


async def test_many_sessions_end_at_once() -> None:
    """Closing them asks nobody anything: Dovecot would have to wake each that sleeps for a LOGOUT."""
    users = {PushUser(2, number): f"u{number}@example.com" for number in range(1, 101)}
    with Dovecot() as dovecot:
        async with idling(dovecot.imap_port, logins=users) as place:
            async with asyncio.TaskGroup() as starting:
                for user in users:
                    starting.create_task(place.start(user))
            await asyncio.to_thread(dovecot.deliver, list(users.values()), mail("to all"))
            await until(lambda: len(place.events) == len(users))
        await until(lambda: len(_ends(dovecot)) == len(users))
        ends = _ends(dovecot)
    assert {event.user for event in place.events} == set(users)
    assert [line for line in ends if "Connection closed" not in line] == []


def _ends(dovecot: Dovecot) -> list[str]:
    """Return what Dovecot has said of sessions that ended, whether they said good-bye or not."""
    said = (line for line in dovecot.log().splitlines() if " imap(" in line)
    return [line for line in said if "Disconnected: " in line or "Logged out" in line]
