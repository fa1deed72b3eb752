"""An upgrade under load: the sockets stay, one engine ends and another starts, and Dovecot notices nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from oxpushctl.config.listening import ALLOW_PERMANENT_PUSH
from oxpushctl.config.own import INTAKE_LISTEN
from oxpushctl.config.properties import DELAY_DURATION
from oxpushctl.sandbox.write_etc import write_etc
from oxpushctl.web.listen import bound
from oxpushctl.web.notify import PATH
from tests.path.conftest import Ground
from tests.path.hand_over import Held, command, environment
from tests.path.town import mail
from tests.peers.dovecot import Dovecot, MakeDovecot
from tests.peers.engine import COMMAND, Engine, environ_of

LOGIN = "anton@example.com"
# `make chaos` says more; the phase before, between and after two upgrades.
PHASE_S = float(os.environ.get("OXPUSHCTL_TEST_UPGRADE_PHASE_S", "1"))
SENDERS = 2


@asynccontextmanager
async def started(ground: Ground, held: Held) -> AsyncIterator[Engine]:
    """Run an engine that is given sockets; it is ready when the block begins."""
    log = ground.state.parent / f"{ground.state.name}.log"
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            *command(held, COMMAND, "--etc", str(ground.etc), "run"),
            env=environment(held, environ_of(ground.state)),
            pass_fds=[each.fileno() for _, each in held],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
        )
    engine = Engine(process, log)
    try:
        await engine.start()
        yield engine
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


class Senders:
    """Hands mail over by LMTP from threads, until told to stop; ``subjects`` are those that were taken."""

    def __init__(self, dovecot: Dovecot) -> None:
        self._dovecot = dovecot
        self._is_over = False
        self.subjects: list[str] = []
        self.slowest_s = 0.0

    def stop(self) -> None:
        self._is_over = True

    def run(self, number: int) -> None:
        count = 0
        while not self._is_over:
            subject = f"mail {number}-{count}"
            count += 1
            began = time.monotonic()
            [answer] = self._dovecot.deliver([LOGIN], mail(LOGIN, subject)).values()
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            assert answer.startswith("250 "), answer
            self.subjects.append(subject)


async def test_two_upgrades_under_load(ground: Ground, make_dovecot: MakeDovecot) -> None:
    """Dovecot's log has no failed request, and the phone shows every mail once."""
    await ground.subscribe("gcm", "phone-2")
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        address = str(bound(listening))
        settings = {
            INTAKE_LISTEN.key: address,
            ALLOW_PERMANENT_PUSH.key: "false",
            DELAY_DURATION.key: "0",
        }
        write_etc(ground.etc, ground.sandbox.identity, endpoint=ground.sandbox.url, settings=settings)
        url = f"http://{ground.written.rest_login}:{ground.written.rest_password}@{address}{PATH}"
        dovecot = make_dovecot(url)
        await asyncio.to_thread(dovecot.register, LOGIN, "user=3@1")
        senders = Senders(dovecot)
        held = [("intake", listening)]
        async with asyncio.TaskGroup() as tasks:
            working = [tasks.create_task(asyncio.to_thread(senders.run, number)) for number in range(SENDERS)]
            try:
                for is_last in (False, False, True):
                    async with started(ground, held) as engine:
                        await asyncio.sleep(PHASE_S)  # how long there is load, which nothing waits for
                        if is_last:
                            senders.stop()
                            await asyncio.wait(working)
                            await ground.sandbox.wait_for(count=len(senders.subjects))
                        engine.signal(signal.SIGTERM)
                        assert await engine.wait() == 0, engine.log()
            finally:
                senders.stop()
    shown = Counter(str(push.at("data", "subject")) for push in ground.sandbox.pushes)
    print(f"mails={len(senders.subjects)} pushed={len(shown)} slowest_s={senders.slowest_s:.2f}")  # noqa: T201  # the measure
    assert "Error" not in dovecot.log()
    assert shown == Counter(senders.subjects)
