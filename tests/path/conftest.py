"""What every walk along the whole path needs: a sandbox, its configuration, a state folder."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from oxpushctl.config.listening import ALLOW_PERMANENT_PUSH
from oxpushctl.config.own import INTAKE_LISTEN
from oxpushctl.sandbox.sandbox import Sandbox
from oxpushctl.sandbox.write_etc import CERTIFICATE_CLIENT, Etc, identity_in, write_etc
from oxpushctl.web.notify import PATH
from tests.peers.engine import Engine, command


@dataclass
class Ground:
    """Where a walk takes place."""

    sandbox: Sandbox
    written: Etc
    state: Path
    uids: dict[str, int] = field(default_factory=dict)

    @property
    def etc(self) -> Path:
        return self.written.folder

    async def run(self, *arguments: str, input_text: str = "") -> tuple[int, str, str]:
        """Run a command on this configuration."""
        return await command(self.etc, self.state, *arguments, input_text=input_text)

    async def subscribe(self, transport: str, token: str, user: int = 3, client: str = CERTIFICATE_CLIENT) -> None:
        """Subscribe a device by command."""
        code, _, err = await self.run(
            "subscriptions", "add", "-c", "1", "-u", str(user), "-i", client, "--transport", transport, "--token", token
        )
        assert code == 0, err

    async def tokens(self) -> list[str]:
        """Return the tokens that are subscribed."""
        code, out, err = await self.run("subscriptions", "list", "-f", "jsonl")
        assert code == 0, err
        return sorted(line.split('"token"')[1].split('"')[1] for line in out.splitlines())

    def notify_url(self, engine: Engine) -> str:
        """Return what Dovecot's driver is given."""
        return f"http://{self.written.rest_login}:{self.written.rest_password}@{engine.intake}{PATH}"

    def session(self, engine: Engine) -> aiohttp.ClientSession:
        """Return an HTTP client that is let in at the notify endpoint."""
        basic = b64encode(f"{self.written.rest_login}:{self.written.rest_password}".encode()).decode()
        return aiohttp.ClientSession(f"http://{engine.intake}", headers={"Authorization": f"Basic {basic}"})


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    etc = tmp_path / "etc"
    sandbox = Sandbox(identity_in(etc), keep=5000)
    await sandbox.start()
    settings = {INTAKE_LISTEN.key: "127.0.0.1:0", ALLOW_PERMANENT_PUSH.key: "false"}  # there is no mail server
    written = write_etc(etc, sandbox.identity, endpoint=sandbox.url, settings=settings)
    yield Ground(sandbox, written, tmp_path / "state")
    await sandbox.aclose()
