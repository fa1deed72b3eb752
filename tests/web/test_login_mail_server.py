"""Log-ins of apps at a real mail server: it judges names and passwords, and nothing is held against it when away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from oxpushctl.config.mail_address import MailAddress
from oxpushctl.config.properties import MAIL_SERVER_URL
from oxpushctl.config.settings import Settings
from oxpushctl.engine.clock import SystemClock
from oxpushctl.listeners.mailboxes import Mailboxes, NoMailServer
from tests.peers.dovecot import Dovecot, LogIns
from tests.web.public import ANNA, BERTA, Public, public

_PASSWORD = "pässwört of anna 📬&+%"
_CARLA = "carla@nr.test"
_PASSWORDS = {"anna@nr.test": _PASSWORD, "berta@nr.test": "berta", _CARLA: "carla"}


@pytest.fixture(scope="module")
def dovecot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dovecot]:
    file = tmp_path_factory.mktemp("passwords") / "passwords"
    file.write_text("".join(f"{login}:{{PLAIN}}{password}::::::\n" for login, password in _PASSWORDS.items()))
    file.chmod(0o644)
    for each in file.parents[:-1]:
        each.chmod(each.stat().st_mode | 0o011)  # Dovecot's own user has to get there
    passdb = f"passdb {{\n  driver = passwd-file\n  args = username_format=%u {file}\n}}"
    with Dovecot(log_ins=LogIns(passdbs=passdb)) as server:
        yield server


@pytest.fixture
async def opener(dovecot: Dovecot) -> AsyncIterator[Mailboxes]:
    settings = Settings({MAIL_SERVER_URL.key: MailAddress.parse(f"127.0.0.1:{dovecot.imap_port}")})
    mailboxes = Mailboxes.from_settings(settings, Path("/"), SystemClock())
    assert mailboxes is not None
    yield mailboxes
    await mailboxes.aclose()


async def _codes(serving: Public, *attempts: tuple[str, str]) -> list[str]:
    """Return what becomes of log-ins, each from an address of its own: a code, or the login of a session."""
    answers = [
        await serving.log_in(name, password, forwarded_for=f"192.0.2.{number}")
        for number, (name, password) in enumerate(attempts)
    ]
    return [answer.get("code") or answer["user"] for answer in answers]


async def test_judged(opener: Mailboxes, tmp_path: Path) -> None:
    """Passwords of any script open the mailbox of their user; wrong ones, and those of others, do not."""
    async with public(tmp_path, opener) as serving:
        codes = await _codes(
            serving,
            ("anna", _PASSWORD),
            (BERTA.login, "berta"),
            (BERTA.login, _PASSWORD),
            (ANNA.login, "berta"),
            (ANNA.login, f"{_PASSWORD} "),
            (ANNA.login, f"{_PASSWORD}\r\n"),
            ("nobody@nr.test", "berta"),
        )

    assert codes == [ANNA.login, BERTA.login, *["LGI-0006"] * 5]


async def test_made(opener: Mailboxes, tmp_path: Path) -> None:
    """Whom only the mail server knows is made where that is wanted, once it has let them in."""
    async with public(tmp_path, opener, auto_create_context=1) as serving:
        codes = await _codes(
            serving, ("carla@nr.test", "wrong"), ("carla@nr.test", "carla"), ("CARLA@nr.test", "carla")
        )
        made = await serving.directory.resolve("carla@nr.test")

    assert codes == ["LGI-0006", _CARLA, _CARLA]
    assert made is not None
    assert made not in (ANNA.user, BERTA.user)


async def test_longest_name_and_password(opener: Mailboxes, tmp_path: Path) -> None:
    """The longest name and password that are tried are still judged by the mail server, not by its limits."""
    async with public(tmp_path, opener) as serving:
        codes = await _codes(serving, ("a" * 255, "📬" * 512))

    assert codes == ["LGI-0006"]


async def test_away(tmp_path: Path) -> None:
    """While the mail server is away, or none is configured, nobody is let in and nobody is blamed."""
    with Dovecot() as gone:
        port = gone.imap_port
    settings = Settings({MAIL_SERVER_URL.key: MailAddress.parse(f"127.0.0.1:{port}")})
    away = Mailboxes.from_settings(settings, Path("/"), SystemClock())
    assert away is not None
    codes = []
    for opener in (away, NoMailServer()):
        async with public(tmp_path, opener) as serving:
            codes += await _codes(serving, *[(ANNA.login, _PASSWORD)] * 5)
    await away.aclose()

    assert codes == ["LGI-0005"] * 10
