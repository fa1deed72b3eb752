"""A hundred thousand registrations: counted, not timed."""

from __future__ import annotations

import pytest

from oxpushctl.engine.supervisor import AT_ONCE
from oxpushctl.model import Health, PushUser, Registration
from tests.engine.parts import APP
from tests.engine.supervised import Registered, Scripted, Stage, staged
from tests.waiting import until

COUNT = 100_000
_IN_CONTEXT = 1000


def _user(number: int) -> PushUser:
    return PushUser(1 + number // _IN_CONTEXT, 1 + number % _IN_CONTEXT)


class _Many(Registered):
    """Registrations that are made when they are read, of the users from ``first``."""

    def __init__(self, first: int = 0) -> None:
        super().__init__()
        self.first = first

    async def page(self, after: Registration | None, most: int) -> list[Registration]:
        self.pages += 1
        last = self.first - 1
        if after is not None:
            last = (after.user.context - 1) * _IN_CONTEXT + after.user.user - 1
        return [Registration(_user(number), APP) for number in range(last + 1, min(COUNT, last + 1 + most))]


async def _until_all(stage: Stage, health: Health, count: int) -> None:
    await until(lambda: stage.supervisor.counts() == {("dovecot", True, health): count}, timeout_s=100)


@pytest.mark.slow
async def test_many_registrations() -> None:
    """Those who are heard for already are adopted and the others started, in order; listed once each; half go."""
    dovecot = Scripted("dovecot")
    dovecot.adopted = {_user(number) for number in range(COUNT) if number % 10}
    registered = _Many()
    async with staged(registered, dovecot) as stage:
        await _until_all(stage, Health.OK, COUNT)
        listed = [each.user async for each in stage.supervisor.listeners()]
        registered.first = COUNT // 2
        await stage.looked()
        await _until_all(stage, Health.OK, COUNT // 2)
        await until(lambda: len(stage.forgotten) == COUNT // 2)
    assert dovecot.starts == [_user(number) for number in range(0, COUNT, 10)]
    assert listed == [_user(number) for number in range(COUNT)]
    assert dovecot.stops == stage.forgotten == listed[: COUNT // 2]
    assert dovecot.most_at_once <= AT_ONCE


@pytest.mark.slow
async def test_changes_while_they_are_listed() -> None:
    """Whatever comes and goes meanwhile, those who stay are listed once each and in order."""
    registered, dovecot = Registered(*(_user(number) for number in range(10_000))), Scripted("dovecot")
    dovecot.adopted = {_user(number) for number in range(COUNT)}
    async with staged(registered, dovecot) as stage:
        await _until_all(stage, Health.OK, 10_000)
        listed = []
        async for each in stage.supervisor.listeners():
            listed.append(each.user)
            if len(listed) == 2000:
                registered.rows = [row for row in registered.rows if row.user.user % 2]
                registered.put(PushUser(0, 1))
                registered.put(PushUser(9, 5000))
                stage.supervisor.look()
                await stage.clock.turn(0.5)
                await until(lambda: stage.supervisor.counts() == {("dovecot", True, Health.OK): 5002})
    stayed = {row.user for row in registered.rows} - {PushUser(0, 1), PushUser(9, 5000)}
    assert listed == sorted(set(listed))
    assert stayed <= set(listed)
