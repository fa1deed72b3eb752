"""``oxpushctl demo``: sandbox, engine, one user with two phones and a first push, in a temporary folder."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import tempfile
import time
from base64 import b64encode
from pathlib import Path

import aiohttp
import click

from oxpushctl import checks, serving
from oxpushctl.cli.options import Invocation
from oxpushctl.config import reading
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.listening import ALLOW_PERMANENT_PUSH
from oxpushctl.config.own import INTAKE_LISTEN
from oxpushctl.model import DirectoryEntry, PushUser, Subscription
from oxpushctl.sandbox.sandbox import Sandbox
from oxpushctl.sandbox.write_etc import CERTIFICATE_CLIENT, Etc, identity_in, write_etc
from oxpushctl.storage import opened_storage
from oxpushctl.web.notify import PATH

_USER = PushUser(context=1, user=3)
_IPHONE = Subscription(_USER, CERTIFICATE_CLIENT, "apn", "d3" * 32)
_ANDROID = Subscription(_USER, CERTIFICATE_CLIENT, "gcm", "demo-android-phone")
_MAIL = {
    "user": str(_USER),
    "event": "messageNew",
    "folder": "INBOX",
    "imap-uidvalidity": 1,
    "imap-uid": 1,
    "from": "Anna Smith <anna@example.com>",
    "subject": "=?utf-8?Q?Lunch_on_Friday=3F_=F0=9F=8D=9C?=",
    "unseen": 1,
}


@click.command()
@click.pass_obj
def demo(invocation: Invocation) -> None:
    """Show a mail event becoming a push on an iPhone and an Android phone, on this machine alone.

    Starts the sandbox and the engine on free ports of 127.0.0.1, with everything in a temporary folder, sends one
    mail event and stays up until Ctrl-C. -v shows the engine's log.
    """
    dataclasses.replace(invocation, verbosity=invocation.verbosity - 1).start_logging()
    with tempfile.TemporaryDirectory(prefix="oxpushctl-demo-") as folder:
        asyncio.run(_run(Path(folder)))


async def _run(folder: Path) -> None:
    await _Demo(folder).run()


class _Demo:
    """Everything at once; ``folder`` goes when it ends."""

    def __init__(self, folder: Path) -> None:
        self._etc = folder / "etc"
        self._state = folder / "state"
        self._ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Start, tell, send, and stay until a signal."""
        sandbox = Sandbox(identity_in(self._etc))
        await sandbox.start()
        try:
            # There is no mail server whose mailboxes could be listened to.
            settings = {INTAKE_LISTEN.key: "127.0.0.1:0", ALLOW_PERMANENT_PUSH.key: "false"}
            etc = write_etc(self._etc, sandbox.identity, endpoint=sandbox.url, settings=settings)
            configuration = self._configuration()
            await _fill(configuration)
            engine = asyncio.create_task(
                serving.serve(configuration, read_again=self._configuration, announce=self._ready.set_result)
            )
            await asyncio.wait((engine, self._ready), return_when=asyncio.FIRST_COMPLETED)
            if self._ready.done():
                await _show(sandbox, etc, _intake(self._ready.result()))
            await engine
        finally:
            await sandbox.aclose()

    def _configuration(self) -> Configuration:
        # Nothing but the temporary folder counts: whatever this machine's environment sets is for another engine.
        environ = {"STATE_DIRECTORY": str(self._state)}
        return checks.check_parts(reading.read(self._etc, environ=environ, overrides=()))


async def _fill(configuration: Configuration) -> None:
    async with opened_storage(configuration) as storage:
        await storage.users.add(DirectoryEntry(_USER, "demo@example.com"))
        for phone in (_IPHONE, _ANDROID):
            await storage.subscriptions.subscribe(phone)


async def _show(sandbox: Sandbox, etc: Etc, url: str) -> None:
    """Send the first mail event as Dovecot would, and say where to look and how to send more."""
    click.echo(f"Open {sandbox.page_url} in a browser: an iPhone and an Android phone.")
    started = time.perf_counter()
    basic = b64encode(f"{etc.rest_login}:{etc.rest_password}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.put(url, json=_MAIL) as response:
        answer = f"{response.status} {await response.text()}"
    answered_ms = (time.perf_counter() - started) * 1000
    pushes = await sandbox.wait_for(count=2)
    pushed_ms = (time.perf_counter() - started) * 1000
    click.echo(f"One mail event sent: answered {answer} after {answered_ms:.0f} ms,")
    providers = " and ".join(f"{push.provider} ({push.status})" for push in sorted(pushes, key=lambda p: p.provider))
    click.echo(f"pushed through {providers} after {pushed_ms:.0f} ms.")
    body = json.dumps({**_MAIL, "subject": "Another mail"}, separators=(",", ":"))
    body = body.replace('"imap-uid":1,', """"imap-uid":'$(date +%s)',""")
    click.echo(f"\nSend more:\n\n  curl -u {etc.rest_login}:{etc.rest_password} -X PUT {url} -d '{body}'\n")
    click.echo("Ctrl-C ends it and leaves nothing behind.")


def _intake(ready: str) -> str:
    """Return the notify address out of the engine's ready line."""
    addresses = dict(word.split("=", 1) for word in ready.split()[1:])
    return f"http://{addresses['intake']}{PATH}"
