"""Events per second and CPU per event, from Dovecot's PUT to Apple's verdict, with each codec.

    .venv/bin/python -m tests.benchmarks.pipeline [--events N] [--users N]

The real command runs pinned to one core; native nghttpd answers every push on the other, where the requests are made
as well. Every event is another mail, for one of many users, so nothing is swallowed. The clock runs from the first
request until the engine, told to stop, has drained and ended: what was accepted was sent.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import uvloop

from oxpushctl.config.own import APNS_PRODUCTION
from tests.peers.certificates import Authority, ec_key
from tests.peers.engine import environ_of
from tests.peers.ports import free_port

CLIENT = "open-xchange-mobile-api-facade"
FLOORS = {"ngh2": 10_000, "h2": 4_000}
CONNECTIONS = 100  # as many as Dovecot has LMTP processes by default
WITHOUT_NGH2 = "import sys; sys.modules['ngh2'] = None; "
BARE = """
import asyncio, os, uvloop
from aiohttp import web

async def serve():
    async def answer(request):
        await request.read()
        return web.Response(body=b"{}", content_type="application/json")
    os.sched_setaffinity(0, {0})
    listener = await asyncio.get_running_loop().create_server(web.Server(answer, access_log=None), "127.0.0.1", 0)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()

uvloop.run(serve())
"""
MAIN = "from oxpushctl.cli.main import main; main()"


def write_etc(etc: Path, authority: Authority) -> None:
    """Write the configuration of a production client with a provider token, as most installations have."""
    etc.mkdir()
    ec_key(etc / "key.p8")
    (etc / "pns-apns-options.yml").write_text(
        f"{CLIENT}:\n  authtype: jwt\n  privatekey: key.p8\n  keyid: ABCDE12345\n  teamid: FGHIJ67890\n"
        "  topic: com.example.mail\n"
    )
    (etc / "pns.properties").write_text("com.openexchange.pns.transport.apn.ios.enabled=true\n")
    (etc / "server.properties").write_text(
        "com.openexchange.rest.services.basic-auth.login=bench\n"
        "com.openexchange.rest.services.basic-auth.password=bench\n"
    )
    (etc / "oxpushctl.properties").write_text(f"oxpushctl.tls.ca={authority.pem}\noxpushctl.outbox=memory\n")
    # Nothing is listened to: all requests come from us.
    (etc / "mail-push.properties").write_text("com.openexchange.push.allowPermanentPush=false\n")
    for file in etc.iterdir():
        file.chmod(0o600)


def token(user: int) -> str:
    """Return the token of a user's phone."""
    return f"{user:064x}"


def subscribe(root: Path, users: int) -> None:
    """Give every user one phone, in the database and at the server that answers for Apple."""
    script = f"""
import asyncio, os
from pathlib import Path
from oxpushctl.config import reading
from oxpushctl.model import PushUser, Subscription
from oxpushctl.storage import opened_storage

async def fill():
    configuration = reading.read(Path({str(root / "etc")!r}), environ=os.environ, overrides=())
    async with opened_storage(configuration) as storage:
        for user in range(1, {users} + 1):
            await storage.subscriptions.subscribe(Subscription(
                user=PushUser(1, user), client={CLIENT!r}, transport="apn", token=f"{{user:064x}}"))

asyncio.run(fill())
"""
    subprocess.run([sys.executable, "-c", script], check=True, env=environ_of(root / "state"))
    phones = root / "htdocs" / "3" / "device"  # a file that is there is answered with 200
    phones.mkdir(parents=True)
    for user in range(1, users + 1):
        (phones / token(user)).touch()


def requests(events: int, users: int, first: int = 1) -> Iterator[bytes]:
    """Make Dovecot's requests, one by one: mail after mail from a uid on, user after user."""
    authorization = b64encode(b"bench:bench")
    for number in range(events):
        body = (
            b'{"user":"%d@1","event":"messageNew","folder":"INBOX","imap-uidvalidity":1795434152,"imap-uid":%d,'
            b'"from":"Anna Smith <anna@example.com>","subject":"Lunch on Friday?",'
            b'"snippet":"Hi Anton, shall we meet at noon? Anna","unseen":1}'
            % (number % users + 1, number // users + first)
        )
        yield (
            b"PUT /preliminary/http-notify/v1/notify HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic %s\r\n"
            b"Content-Length: %d\r\nConnection: Keep-Alive\r\nContent-Type: application/json; charset=utf-8\r\n\r\n%s"
            % (authorization, len(body), body)
        )


class Feeder(asyncio.Protocol):
    """One connection of the mail server: the next request after each answer."""

    def __init__(self, source: Iterator[bytes], delays: list[float]) -> None:
        self._source = source
        self._delays = delays
        self._transport: asyncio.WriteTransport | None = None
        self._sent_at = 0.0
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is one in all but name
        self._next()

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 200"):
            self.ended.set_exception(RuntimeError(f"answered {data[:60]!r}"))
        elif data.endswith(b"}"):
            self._delays.append(time.perf_counter() - self._sent_at)
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(RuntimeError("connection closed early"))

    def _next(self) -> None:
        assert self._transport is not None
        request = next(self._source, None)
        if request is None:
            self.ended.set_result(None)
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


async def feed(port: int, source: Iterator[bytes]) -> list[float]:
    """Send everything over a few connections; return how long each answer took, in seconds."""
    loop = asyncio.get_running_loop()
    delays: list[float] = []
    feeders = []
    for _ in range(CONNECTIONS):
        _, feeder = await loop.create_connection(lambda: Feeder(source, delays), "127.0.0.1", port)
        feeders.append(feeder)
    await asyncio.gather(*(feeder.ended for feeder in feeders))
    return delays


_first_uids = itertools.count(1, 1_000_000)


@dataclass(frozen=True)
class Result:
    """One run: ``cpu_us`` is user and system time of the engine per event, ``answers_ms`` p50 and p99."""

    rate: float
    cpu_us: float
    answers_ms: tuple[float, float]
    code: int


def measure(root: Path, codec: str, certificate: tuple[Path, Path], events: int, users: int) -> Result:
    """Run the engine once from the first request to its orderly end."""
    first = next(_first_uids)  # the engine remembers what was heard in an earlier run, and would push none of it
    intake, apns = free_port(), free_port()
    settings = [f"oxpushctl.intake.listen=127.0.0.1:{intake}", f"{APNS_PRODUCTION.key}=https://127.0.0.1:{apns}"]
    # Without --echo-upload: it would write every push to a temporary file first.
    served = ("-d", str(root / "htdocs"), str(apns), str(certificate[1]), str(certificate[0]))
    with (
        subprocess.Popen(["taskset", "-c", "1", "nghttpd", "-a", "127.0.0.1", *served]) as sink,
        subprocess.Popen(
            [
                *("taskset", "-c", "0", sys.executable, "-c", ("" if codec == "ngh2" else WITHOUT_NGH2) + MAIN),
                *("-q", "--etc", str(root / "etc"), "-o", settings[0], "-o", settings[1], "run"),
            ],
            env=environ_of(root / "state"),
            stdout=subprocess.PIPE,
        ) as engine,
    ):
        try:
            assert engine.stdout is not None
            assert engine.stdout.readline().startswith(b"ready "), "the engine did not start"
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            started_cpu_s = _cpu_s(engine.pid)
            started = time.perf_counter()
            delays = sorted(uvloop.run(feed(intake, requests(events, users, first))))
            engine.send_signal(signal.SIGTERM)
            code = engine.wait(timeout=120)
            took_s = time.perf_counter() - started
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        finally:
            engine.kill()
            sink.kill()
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime - started_cpu_s
    answers_ms = delays[len(delays) // 2] * 1e3, delays[len(delays) * 99 // 100] * 1e3
    return Result(events / took_s, cpu_s / events * 1e6, answers_ms, code)


def bare_us(events: int) -> float:
    """Return the CPU time of one of these requests to an aiohttp server that does nothing, in microseconds."""
    with subprocess.Popen([sys.executable, "-c", BARE], stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            before_s = _cpu_s(server.pid)
            uvloop.run(feed(port, requests(events, 1)))
            return (_cpu_s(server.pid) - before_s) / events * 1e6
        finally:
            server.kill()


def _cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used so far, in seconds (proc(5), stat fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure both codecs in turn and print the best run of each; end with 1 when one stays below its floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=150_000)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    os.sched_setaffinity(0, {1})
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        authority = Authority(root)
        certificate = authority.server()
        write_etc(root / "etc", authority)
        subscribe(root, given.users)
        runs: dict[str, list[Result]] = {codec: [] for codec in FLOORS}
        bare: list[float] = []
        for _ in range(given.runs):
            bare.append(bare_us(given.events // 4))
            runs["ngh2"].append(measure(root, "ngh2", certificate, given.events, given.users))
            runs["h2"].append(measure(root, "h2", certificate, given.events // 2, given.users))
    print(f"a request to a bare aiohttp server: {min(bare):.0f} µs CPU (best of {given.runs}, as are all figures)")
    is_reached = True
    for codec, done in runs.items():
        best = max(done, key=lambda result: result.rate)
        assert all(result.code == 0 for result in done), "something was left unsent"
        print(
            f"{codec:5} {best.rate:7,.0f} events/s (floor {FLOORS[codec]:,})  {best.cpu_us:5.0f} µs CPU/event, "
            f"{best.cpu_us / min(bare):.1f} bare requests  answer p50 {best.answers_ms[0]:.1f} ms "
            f"p99 {best.answers_ms[1]:.1f} ms"
        )
        is_reached = is_reached and best.rate >= FLOORS[codec]
    sys.exit(0 if is_reached else 1)


if __name__ == "__main__":
    main()
