"""A ground with a mail server that knows its users by their passwords, and an engine that mail apps reach."""

from __future__ import annotations

import asyncio
import imaplib
import json
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Literal

from oxpushctl.config.listening import CREDSTORAGE_RDB
from oxpushctl.config.own import INTAKE_LISTEN, PUBLIC_LISTEN, REGISTRATION
from oxpushctl.config.properties import CREDSTORAGE_ENABLED, MAIL_SERVER_URL, PASSCRYPT
from oxpushctl.sandbox.write_etc import write_etc
from oxpushctl.web.notify import PATH
from tests.path.conftest import Ground
from tests.path.mail_app import CLIENT, MailApp
from tests.peers import engine
from tests.peers.dovecot import Dovecot, Driver, LogIns
from tests.peers.engine import Engine
from tests.peers.ports import free_port

ANNA, BERTA = "anna@example.com", "berta@example.com"
PASSWORDS = {ANNA: "pässwörd of anna 📬", BERTA: "berta's own"}
MASTER = ("push", "the master's own")
PASSCRYPT_TEXT = "a passphrase that all members share"
_PASSDB = """\
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {file}
}}"""


_LOG_INS = LogIns()
Storage = Literal["sdbox", "maildir"]


@dataclass
class Town:
    """The directory has Anna, user 3, and Berta, user 4 of context 1."""

    ground: Ground
    dovecot: Dovecot
    passwords: Path
    engine: Engine
    engines: AsyncExitStack

    def app(self, client: str = CLIENT) -> MailApp:
        """Return an app that is not logged in."""
        return MailApp(self.engine.public, client)

    async def logged_in(self, name: str = ANNA, password: str = "", client: str = CLIENT) -> MailApp:
        """Return an app that is."""
        app = self.app(client)
        answer = await asyncio.to_thread(app.log_in, name, password or PASSWORDS[name])
        assert "session" in answer, answer
        return app

    async def listed(self, kind: str) -> list[dict[str, object]]:
        """Return what ``oxpushctl KIND list`` prints."""
        code, out, err = await self.ground.run(kind, "list", "-f", "json")
        assert code == 0, err
        found: list[dict[str, object]] = json.loads(out)
        return found

    async def stop(self) -> None:
        """End the engine in an orderly way."""
        self.engine.signal(signal.SIGTERM)
        assert await self.engine.wait() == 0, self.engine.log()

    async def start(self) -> None:
        """Start it again, at the same addresses."""
        self.engine = await self.engines.enter_async_context(engine.running(self.ground.etc, self.ground.state))

    async def restart(self) -> None:
        """Do both."""
        await self.stop()
        await self.start()

    async def listening(self, *lines: str, timeout_s: float = 30.0) -> None:
        """Return when ``oxpushctl listpushusers`` prints these lines and no others."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:  # a command is never broken off
            _, out, err = await self.ground.run("listpushusers")
            if out.splitlines() == list(lines):
                return
            is_late = asyncio.get_running_loop().time() > deadline
            assert not is_late, f"wanted {lines}, got {out!r} {err!r}; {self.engine.log()}"

    async def change_passwords(self, passwords: Mapping[str, str]) -> None:
        """Let the mail server take these from now on, and return when it does: it looks once a second."""
        write_passwords(self.passwords, passwords)
        for login, password in passwords.items():
            while not await asyncio.to_thread(self._is_let_in, login, password):
                await asyncio.sleep(0.05)  # Dovecot tells nobody that it has looked

    def _is_let_in(self, login: str, password: str) -> bool:
        with imaplib.IMAP4("127.0.0.1", self.dovecot.imap_port, timeout=20) as imap:
            try:
                imap.authenticate("PLAIN", lambda _: f"\0{login}\0{password}".encode())
            except imaplib.IMAP4.error:
                return False
            return True


def mail(to: str, subject: str = "Lunch?", text: str = "At noon?") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Änna <a@example.com>", to, subject
    message.set_content(f"{text}\n")
    return message


def write_passwords(file: Path, passwords: Mapping[str, str]) -> None:
    file.write_text("".join(f"{login}:{{PLAIN}}{password}\n" for login, password in passwords.items()))
    file.chmod(0o644)


@asynccontextmanager
async def town(
    ground: Ground,
    *,
    passwords: Mapping[str, str] = PASSWORDS,
    storage: Storage = "sdbox",
    log_ins: LogIns = _LOG_INS,
    settings: Mapping[str, str] = MappingProxyType({}),
    **more: str,
) -> AsyncIterator[Town]:
    """Build it; ``settings`` are properties, and so are ``more``, their dots written as underscores."""
    intake = free_port()
    with ExitStack() as stack:
        folder = stack.enter_context(readable_folder())
        write_passwords(folder / "passwords", passwords)
        url = f"http://{ground.written.rest_login}:{ground.written.rest_password}@127.0.0.1:{intake}{PATH}"
        judged = replace(log_ins, passdbs=_PASSDB.format(file=folder / "passwords"), master=MASTER)
        dovecot = stack.enter_context(Dovecot(Driver(url), storage=storage, log_ins=judged))
        wanted = {
            INTAKE_LISTEN.key: f"127.0.0.1:{intake}",
            PUBLIC_LISTEN.key: "127.0.0.1:0",
            MAIL_SERVER_URL.key: f"imap://127.0.0.1:{dovecot.imap_port}",
            CREDSTORAGE_ENABLED.key: "true",
            CREDSTORAGE_RDB.key: "true",
            PASSCRYPT.key: PASSCRYPT_TEXT,
            REGISTRATION.key: "both",
            **settings,
            **{key.replace("_", "."): value for key, value in more.items()},
        }
        write_etc(ground.etc, ground.sandbox.identity, endpoint=ground.sandbox.url, settings=wanted)
        for user, login in ((3, ANNA), (4, BERTA)):
            code, _, err = await ground.run("users", "add", "-c", "1", "-u", str(user), "--login", login)
            assert code == 0, err
        async with AsyncExitStack() as engines:
            running = await engines.enter_async_context(engine.running(ground.etc, ground.state))
            yield Town(ground, dovecot, folder / "passwords", running, engines)


@contextmanager
def readable_folder() -> Iterator[Path]:
    """Make a folder that Dovecot's processes can read, which run as somebody else."""
    with TemporaryDirectory(prefix="oxpushctl-passwords-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)
