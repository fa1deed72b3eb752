"""The day of the daemon: start, reload, orderly stop."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp

from oxpushctl.config.own import INTAKE_LISTEN, PUBLIC_LISTEN
from oxpushctl.config.properties import MAIL_SERVER_URL
from oxpushctl.sandbox.identity import CA_FILE
from oxpushctl.sandbox.write_etc import BEARER_CLIENT, KEYS, write_etc
from oxpushctl.web.notify import PATH
from tests.path.conftest import Ground
from tests.path.mail_app import MailApp
from tests.peers import engine
from tests.peers.certificates import Authority
from tests.peers.dovecot import Dovecot, LogIns
from tests.peers.engine import Engine
from tests.waiting import until

IN_MEMORY = ("-o", "oxpushctl.outbox=memory")


def event(uid: int, user: int = 3) -> dict[str, str | int]:
    return {
        "user": f"{user}@1",
        "event": "messageNew",
        "folder": "INBOX",
        "imap-uidvalidity": 17,
        "imap-uid": uid,
        "from": "Anna <anna@example.com>",
        "subject": f"Mail {uid}",
        "snippet": "text",
        "unseen": 1,
    }


async def put(session: aiohttp.ClientSession, uid: int) -> int:
    async with session.put(PATH, json=event(uid)) as response:
        return response.status


async def accepted(ground: Ground, running: Engine, uids: range) -> None:
    async with ground.session(running) as session:
        assert {await put(session, uid) for uid in uids} == {200}


async def test_stop_sends_everything_that_was_accepted(ground: Ground) -> None:
    """SIGTERM in the middle of 1 000 pushes that Apple answers slowly: each one is sent before the exit."""
    await ground.subscribe("apn", "aa11")
    ground.sandbox.script.delay_ms = 300
    async with engine.running(ground.etc, ground.state) as running:
        await accepted(ground, running, range(1, 1001))
        running.signal(signal.SIGTERM)
        code = await running.wait()
        log = running.log()
    sent = {push.at("cid") for push in ground.sandbox.pushes if push.is_delivered}
    assert (code, len(sent)) == (0, 1000), log[-2000:]
    assert "everything accepted was sent" in log


async def test_stop_names_what_is_left(ground: Ground) -> None:
    """What is in memory and cannot be waited for is lost: it is named, and the exit code says so."""
    await ground.subscribe("apn", "429@3000")
    async with engine.running(ground.etc, ground.state, *IN_MEMORY) as running:
        await accepted(ground, running, range(1, 2))
        await until(lambda: "push throttled" in running.log())
        running.signal(signal.SIGTERM)
        code = await running.wait()
        log = running.log()
    left = [line for line in log.splitlines() if "left unsent" in line]
    assert code == 75
    assert "user=3@1" in left[0]
    assert "transport=apn" in left[0]


async def test_stop_leaves_the_rest_to_the_next_start(ground: Ground) -> None:
    """A push that Apple told to come back much later is on the disk: the stop does not wait, nothing is lost."""
    await ground.subscribe("apn", "429@3000")
    async with engine.running(ground.etc, ground.state) as running:
        await accepted(ground, running, range(1, 2))
        await until(lambda: "push throttled" in running.log())
        running.signal(signal.SIGTERM)
        code = await running.wait()
    refused = len(ground.sandbox.pushes)
    async with engine.running(ground.etc, ground.state) as running:
        await until(lambda: len(ground.sandbox.pushes) > refused)
        log = running.log()
    assert (code, "what is open is on the disk" in log) == (0, True)
    assert {push.at("cid") for push in ground.sandbox.pushes} == {"default0/INBOX/1"}


async def test_kill_loses_nothing(ground: Ground) -> None:
    """SIGKILL in the middle of pushes that Apple answers slowly: the next start sends what was accepted, as it was."""
    await ground.subscribe("apn", "aa11")
    ground.sandbox.script.delay_ms = 300
    async with engine.running(ground.etc, ground.state) as running:
        await accepted(ground, running, range(1, 301))
        running.signal(signal.SIGKILL)
        await running.wait()
    async with engine.running(ground.etc, ground.state) as running:
        await until(lambda: len({push.at("cid") for push in ground.sandbox.pushes if push.is_delivered}) == 300)
    texts = {push.at("aps", "alert", "body") for push in ground.sandbox.pushes}
    assert len(texts) == 300, texts


async def test_second_signal_ends_at_once(ground: Ground) -> None:
    """Whoever does not want to wait for a hanging provider says it twice."""
    await ground.subscribe("apn", "hang-1")
    async with engine.running(ground.etc, ground.state, *IN_MEMORY) as running:
        await accepted(ground, running, range(1, 2))
        await until(lambda: ground.sandbox.pushes)
        running.signal(signal.SIGTERM)
        await until(lambda: "stopping" in running.log())
        running.signal(signal.SIGTERM)
        code = await running.wait()
        log = running.log()
    assert (code, "left unsent" in log) == (75, True)


async def test_reload_takes_over_the_mail_servers_authority(ground: Ground, tmp_path: Path) -> None:
    """SIGHUP: a mail server whose certificate nobody vouched for is trusted once its authority is in the file."""
    authority = Authority(tmp_path)
    with Dovecot(log_ins=LogIns(certificate=authority.server())) as dovecot:
        settings = {
            MAIL_SERVER_URL.key: f"imaps://127.0.0.1:{dovecot.imaps_port}",
            INTAKE_LISTEN.key: "127.0.0.1:0",
            PUBLIC_LISTEN.key: "127.0.0.1:0",
        }
        write_etc(ground.etc, ground.sandbox.identity, endpoint=ground.sandbox.url, settings=settings)
        await ground.run("users", "add", "-c", "1", "-u", "3", "--login", "anna")
        async with engine.running(ground.etc, ground.state) as running:
            app = MailApp(running.public)
            before = await asyncio.to_thread(app.log_in, "anna", "pw")
            with (ground.etc / KEYS / CA_FILE).open("a") as trusted:
                trusted.write(authority.pem.read_text())
            running.signal(signal.SIGHUP)
            await until(lambda: "reloaded" in running.log())
            after = await asyncio.to_thread(app.log_in, "anna", "pw")
    assert (before.get("code"), after.get("user_id")) == ("LGI-0005", 3)


async def test_reload_takes_over_changed_options(ground: Ground) -> None:
    """SIGHUP: a client that was off is served from then on, without a restart."""
    options = ground.etc / "pns-apns-options.yml"
    on = options.read_text()
    head, _, tail = on.partition(f"{BEARER_CLIENT}:\n  enabled: ")
    options.write_text(f"{head}{BEARER_CLIENT}:\n  enabled: {tail.replace('true', 'false', 1)}")
    await ground.subscribe("apn", "bb22", client=BEARER_CLIENT)
    async with engine.running(ground.etc, ground.state) as running:
        await accepted(ground, running, range(1, 2))
        options.write_text(on)
        running.signal(signal.SIGHUP)
        await until(lambda: "reloaded" in running.log())
        await accepted(ground, running, range(2, 3))
        (push,) = await ground.sandbox.wait_for()
    assert (push.token, push.at("cid")) == ("bb22", "default0/INBOX/2")


async def test_reload_with_errors_keeps_what_works(ground: Ground) -> None:
    """A mistake in a file that is read again changes nothing but the log."""
    await ground.subscribe("apn", "aa11")
    async with engine.running(ground.etc, ground.state) as running:
        with (ground.etc / "server.properties").open("a") as file:
            file.write("oxpushctl.push.maxAge=soon\n")
        running.signal(signal.SIGHUP)
        await until(lambda: "reload refused" in running.log())
        await accepted(ground, running, range(1, 2))
        (push,) = await ground.sandbox.wait_for()
    assert push.is_delivered


async def test_reload_that_would_lose_a_client_is_refused(ground: Ground) -> None:
    """A tab in the options of a client that is served: the reload is refused with file and line, pushes go on."""
    await ground.subscribe("apn", "aa11")
    async with engine.running(ground.etc, ground.state) as running:
        options = ground.etc / "pns-apns-options.yml"
        options.write_text(options.read_text().replace("  topic:", "\ttopic:", 1))
        running.signal(signal.SIGHUP)
        await until(lambda: "reload refused" in running.log())
        await accepted(ground, running, range(1, 2))
        (push,) = await ground.sandbox.wait_for()
        log = running.log()
    assert push.is_delivered
    assert "pns-apns-options.yml:" in log


async def test_reload_cuts_nothing_short(ground: Ground) -> None:
    """What is on its way when the configuration is read again arrives, once, and nobody is told of trouble."""
    await ground.subscribe("apn", "aa11")
    await ground.subscribe("gcm", "phone-2")
    ground.sandbox.script.delay_ms = 300
    async with engine.running(ground.etc, ground.state) as running:
        for start in range(1, 101, 20):
            await accepted(ground, running, range(start, start + 20))
            running.signal(signal.SIGHUP)
        await ground.sandbox.wait_for(count=200, timeout_s=60)
        running.signal(signal.SIGTERM)
        code = await running.wait()
        log = running.log()
    cids = [(push.provider, push.at("cid") or push.at("data", "cid")) for push in ground.sandbox.pushes]
    assert (code, len(cids), len(set(cids))) == (0, 200, 200)
    troubles = [line for line in log.splitlines() if " warning " in line or " error " in line]
    assert not [line for line in troubles if " configuration " not in line]  # what the check warns of, nobody minds


async def test_engine_errors_refuse_the_start(ground: Ground) -> None:
    """With an error that concerns everything nothing starts: 78, and the same line as the check prints."""
    with (ground.etc / "server.properties").open("a") as file:
        file.write("oxpushctl.intake.listen=nowhere\n")
    code, out, err = await ground.run("run")
    assert (code, out) == (78, "")
    assert "oxpushctl.intake.listen" in err
    assert "Traceback" not in err


async def test_one_broken_client_stops_no_other(ground: Ground) -> None:
    """A client whose key file is damaged is out of service, loudly; the others are served."""
    (ground.etc / "sandbox" / "AuthKey.p8").write_text("not a key")
    for path in ground.etc.glob("sandbox/*.p8"):
        path.write_text("not a key")
    await ground.subscribe("apn", "aa11")
    async with engine.running(ground.etc, ground.state) as running:
        await accepted(ground, running, range(1, 2))
        (push,) = await ground.sandbox.wait_for()
        log = running.log()
    assert push.token == "aa11"
    assert f"client out of service client={BEARER_CLIENT}" in log


async def test_port_in_use_is_said(ground: Ground) -> None:
    """Another program on the port: one line that names the address, exit code 69, no traceback."""
    async with engine.running(ground.etc, ground.state) as running:
        code, out, err = await ground.run(*IN_MEMORY, "-o", f"oxpushctl.intake.listen={running.intake}", "run")
    assert (code, out) == (69, "")
    assert running.intake in err
    assert "Traceback" not in err


async def test_health_is_told_on_every_address(ground: Ground) -> None:
    """A load balancer asks the intake, an operator the admin socket."""
    async with engine.running(ground.etc, ground.state) as running:
        admin = aiohttp.UnixConnector(running.admin.removeprefix("unix:"))
        async with aiohttp.ClientSession() as intake, aiohttp.ClientSession(connector=admin) as socket:
            statuses = [
                (await session.get(f"http://{host}/health/{what}")).status
                for session, host in ((intake, running.intake), (socket, "admin"))
                for what in ("live", "ready")
            ]
    assert statuses == [200, 200, 200, 200]


async def test_bug_of_a_client_costs_nobody_else(ground: Ground) -> None:
    """Whatever arrives, the engine goes on: garbage, then a mail, then a push."""
    await ground.subscribe("apn", "aa11")
    async with engine.running(ground.etc, ground.state) as running:
        host, _, port = running.intake.rpartition(":")
        for garbage in (b"\x16\x03\x01\x02\x00\x01", b"PUT\r\n\r\n", b"\x00" * 4096):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(garbage)
            writer.write_eof()
            await reader.read()
            writer.close()
        await accepted(ground, running, range(1, 2))
        (push,) = await ground.sandbox.wait_for()
        log = running.log()
    assert push.is_delivered
    assert "Traceback" not in log
