"""Where a password and the words of a mail end up after everything was done with them: nowhere that lasts."""

from __future__ import annotations

import asyncio
import signal
from base64 import b64encode
from pathlib import Path

import pytest

from tests.path.conftest import Ground
from tests.path.town import ANNA, MASTER, PASSCRYPT_TEXT, PASSWORDS, mail, town
from tests.peers.redis import Redis

PASSWORD, SUBJECT, TEXT, SENDER = "Qx7-Passw0rt-marker", "Qx7 subject marker", "Qx7 snippet marker", "a@example.com"
_TOKEN = "aa11" * 16


def forms(text: str) -> list[bytes]:
    """Return how a text may be written in a file: plainly, in base64 at each offset, in hexadecimal, in UTF-16."""
    raw = text.encode()
    encoded = [b64encode(b" " * shift + raw)[4 if shift else 0 : -4] for shift in range(3)]
    return [raw, *encoded, raw.hex().encode(), text.encode("utf-16-le")]


def places(folder: Path) -> dict[str, bytes]:
    """Return the contents of every file below a folder, those beside it that are named after it too."""
    found = [path for path in (*folder.rglob("*"), *folder.parent.glob(f"{folder.name}.*")) if path.is_file()]
    return {str(path): path.read_bytes() for path in found}


def hits(contents: dict[str, bytes], *texts: str) -> list[tuple[str, str]]:
    return [
        (place, text)
        for place, content in contents.items()
        for text in texts
        if any(form.lower() in content.lower() for form in forms(text))
    ]


def of_process(pid: int) -> dict[str, bytes]:
    """Return what every user, or at least root, may read about a process."""
    folder = Path("/proc") / str(pid)
    return {name: (folder / name).read_bytes() for name in ("cmdline", "environ")}


@pytest.mark.parametrize("kept_in", ["database", "engine", "redis"])
async def test_nothing_of_it_lasts(ground: Ground, kept_in: str, tmp_path: Path) -> None:
    """After log-in, subscription, push, verification and rotation, no file has the password or a word of the mail."""
    with Redis(is_persistent=True) as redis:
        settings = {"com.openexchange.push.credstorage.rdb": "true" if kept_in == "database" else "false"}
        if kept_in == "redis":
            settings["oxpushctl.credentials.url"] = redis.url
        async with town(ground, passwords={**PASSWORDS, ANNA: PASSWORD}, settings=settings) as place:
            app = await place.logged_in(ANNA, PASSWORD)
            await asyncio.to_thread(app.log_in, ANNA, "Qx7-wrong-marker")
            app = await place.logged_in(ANNA, PASSWORD)
            await asyncio.to_thread(app.subscribe, _TOKEN)
            assert [row["login"] for row in await place.listed("credentials")] == [ANNA]
            await asyncio.to_thread(place.dovecot.register, ANNA, "user=3@1", PASSWORD)
            await asyncio.to_thread(place.dovecot.deliver, [ANNA], mail(ANNA, SUBJECT, TEXT))
            await ground.sandbox.wait_for(count=1)
            code, out, err = await ground.run("credentials", "verify", "--all")
            assert code == 0, out + err
            processes = of_process(place.engine.pid)
            dump = {"dump of Redis": redis.dump()}
            place.engine.signal(signal.SIGTERM)
            assert await place.engine.wait() == 0
    contents = {**places(ground.state), **processes, **dump}
    assert hits(contents, PASSWORD, "Qx7-wrong-marker", SUBJECT, TEXT, PASSCRYPT_TEXT, MASTER[1]) == []
    assert any(content for content in contents.values())
    # The search itself finds what is there.
    assert [place for place, _ in hits(contents, _TOKEN)] != []
    kept = hits({place: text for place, text in contents.items() if "oxpushctl.db" in place or "Redis" in place}, ANNA)
    assert bool(kept) or kept_in == "engine"
