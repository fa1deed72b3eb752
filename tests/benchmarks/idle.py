"""What thousands of IDLE sessions cost, at a real Dovecot that puts quiet ones to sleep.

    .venv/bin/python -m tests.benchmarks.idle [--sessions N] [--idle-s SECONDS] [--events N]

A process of its own has the sessions, and nothing else: its resident memory, CPU time and log-ins a second are
printed, without TLS and with it, and beside the latter what imaplib reaches with as many log-ins at a time, each
process logging in, opening the folder and beginning to wait. While sessions idle Dovecot says of each once that it is
still there. The full run, of 5,000 sessions, wants `ulimit -n` above that, and some minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import imaplib
import json
import os
import resource
import ssl
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import uvloop

from oxpushctl.config.own import IDLE_SESSIONS
from oxpushctl.listeners.mail_server import Encryption
from oxpushctl.model import PushUser
from oxpushctl.serving import collect_seldom
from tests.listeners.idling import idling
from tests.peers.certificates import Authority
from tests.peers.dovecot import PASSWORD, Dovecot, LogIns

LIMITS = {"KB": 45.0, "idle %": 1.0, "event ms": 1.0}
AT_A_TIME = 20
WARM = 50
CONFIG = """
default_vsz_limit = 0
default_client_limit = 18000
default_process_limit = 15000
imap_idle_notify_interval = {idle_s} s
protocol imap {{
  imap_hibernate_timeout = 1s
}}
service imap-login {{
  service_count = 0
  process_min_avail = 2
  process_limit = 2
  client_limit = 15000
}}
service auth {{
  client_limit = 18000
}}
service anvil {{
  client_limit = 18000
}}
service imap {{
  process_limit = 15000
  unix_listener imap-master {{
    user = $default_internal_user
  }}
  extra_groups = $default_internal_group
}}
service imap-hibernate {{
  client_limit = 15000
  unix_listener imap-hibernate {{
    mode = 0660
    group = $default_internal_group
  }}
}}
"""


def login(number: int) -> str:
    return f"u{number}@load.test"


def resident_kb(pid: int | str) -> int:
    """Return the resident memory of a process (proc(5), VmRSS)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used so far, in seconds (proc(5), stat fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def hold(port: int, ca: str, sessions: int) -> None:
    """Be the process that is measured: start sessions, and answer each line of input with how they are."""
    logins = {PushUser(1, number): login(number) for number in range(sessions + WARM)}
    users = list(logins)
    places = asyncio.Semaphore(AT_A_TIME)
    collect_seldom()  # as in an engine
    tls = {"ca": Path(ca), "encryption": Encryption.TLS} if ca else {}
    settings = {IDLE_SESSIONS: len(users)}
    async with idling(port, logins=logins, settings=settings, **tls) as place:  # type: ignore[arg-type]  # as named

        async def start(user: PushUser) -> None:
            async with places:
                await place.start(user)

        async def start_all(some: list[PushUser]) -> float:
            began = time.monotonic()
            async with asyncio.TaskGroup() as starting:
                for user in some:
                    starting.create_task(start(user))
            gc.collect()
            return time.monotonic() - began

        await start_all(users[:WARM])
        before_kb = resident_kb("self")
        took_s = await start_all(users[WARM:])
        held = {"kb": (resident_kb("self") - before_kb) / sessions, "rate": sessions / took_s}
        while True:
            print(json.dumps(held | {"events": len(place.events), "lost": len(place.lost_users)}), flush=True)
            if not await asyncio.to_thread(sys.stdin.readline):
                break
        began = time.monotonic()
    print(json.dumps({"close_s": time.monotonic() - began}), flush=True)


def bare(port: int, ca: str, sessions: int) -> float:
    """Return how many log-ins a second imaplib reaches, in as many threads as there are log-ins at a time."""
    context = ssl.create_default_context(cafile=ca or None)

    def begin(number: int) -> imaplib.IMAP4:
        imap = imaplib.IMAP4_SSL("localhost", port, ssl_context=context) if ca else imaplib.IMAP4("127.0.0.1", port)
        imap.login(login(number), PASSWORD)
        imap.select(readonly=True)
        imap.send(b"x IDLE\r\n")
        imap.readline()
        return imap

    with ThreadPoolExecutor(AT_A_TIME) as threads:
        began = time.monotonic()
        opened = list(threads.map(begin, range(sessions)))
        took_s = time.monotonic() - began
    for imap in opened:
        imap.shutdown()
    return sessions / took_s


@dataclass
class Held:
    """The process that has the sessions."""

    process: subprocess.Popen[str]

    def state(self) -> dict[str, Any]:
        """Return the next thing that it says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the process with the sessions ended")
        said: dict[str, Any] = json.loads(line)
        return said

    def asked(self) -> dict[str, Any]:
        """Return how it is now."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.state()


def child(*arguments: str | int) -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.idle", *map(str, arguments)]


def measured(dovecot: Dovecot, port: int, ca: str, given: argparse.Namespace) -> dict[str, float]:
    """Return what one kind of sessions costs."""
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "Anna <anna@example.com>", "Lunch on Friday?"
    mail.set_content("Shall we meet at noon?")
    command = child("--hold", port, "--sessions", given.sessions, "--ca", ca)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            held = Held(process)
            begun = held.state()
            time.sleep(3)  # Dovecot puts the last ones to sleep
            before_s, began = cpu_s(process.pid), time.monotonic()
            time.sleep(given.idle_s)
            idle = (cpu_s(process.pid) - before_s) / (time.monotonic() - began)
            before_s, began = cpu_s(process.pid), time.monotonic()
            for number in range(given.events):
                dovecot.deliver([login(number % given.sessions)], mail)
            while (now := held.asked())["events"] < given.events and time.monotonic() < began + 120:
                time.sleep(0.5)
            busy_s = cpu_s(process.pid) - before_s - idle * (time.monotonic() - began)
            kb = resident_kb(process.pid)
            assert process.stdin is not None
            process.stdin.close()
            closed = held.state()
        finally:
            process.kill()
    if now["events"] != given.events or now["lost"]:
        raise RuntimeError(f"{given.events} mails became {now['events']} events, {now['lost']} sessions were lost")
    costs = {"KB": begun["kb"], "idle %": idle * 100, "event ms": busy_s / given.events * 1e3}
    return costs | {"log-ins/s": begun["rate"], "close s": closed["close_s"], "all KB": float(kb)}


def run(given: argparse.Namespace) -> bool:
    """Measure and print; return whether everything is within its limit."""
    is_within = True
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        log_ins = LogIns(certificate=authority.server("localhost"))
        with Dovecot(storage="maildir", log_ins=log_ins, extra=CONFIG.format(idle_s=given.idle_s)) as dovecot:
            # Their mailboxes are made by this; the first log-in of a user is slower than others.
            first = child("--bare", dovecot.imap_port, "--sessions", given.sessions + WARM)
            subprocess.run(first, check=True, capture_output=True)
            for kind, port, ca in (("plain", dovecot.imap_port, ""), ("TLS", dovecot.imaps_port, str(authority.pem))):
                command = child("--bare", port, "--sessions", given.sessions, "--ca", ca)
                imaplib_rate = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                costs = measured(dovecot, port, ca, given)
                is_within = is_within and all(costs[name] <= limit for name, limit in LIMITS.items())
                print(
                    f"{kind:5} {given.sessions:,} sessions  {costs['KB']:4.1f} KB each, "
                    f"{costs['all KB'] / 1024:.0f} MB in all  {costs['log-ins/s']:.0f} log-ins/s, "
                    f"imaplib {imaplib_rate:.0f}  idle {costs['idle %']:.2f} % CPU  {costs['event ms']:.2f} ms CPU an "
                    f"event  closed in {costs['close s']:.2f} s",
                    flush=True,
                )
    return is_within


def main() -> None:
    """Measure both kinds; end with 1 when one costs more than its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--idle-s", type=int, default=30)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--hold", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ca", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if given.hold:
        uvloop.run(hold(given.hold, given.ca, given.sessions))
    elif given.bare:
        print(bare(given.bare, given.ca, given.sessions))
    else:
        sys.exit(not run(given))


if __name__ == "__main__":
    main()
