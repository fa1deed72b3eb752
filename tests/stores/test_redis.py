"""What only Redis has: rights, TLS, moods of its own, and a library that may not be there."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest

from oxpushctl.errors import ConfigurationError, NotPermitted, NotReachable, OxpushctlError, TryLater
from oxpushctl.model import CredentialState, KeptCredential, Origin, PushUser, Seals
from oxpushctl.stores.redis import RedisCredentialRows
from tests.listeners.scripted import scripted
from tests.peers.certificates import Authority
from tests.peers.ports import free_port
from tests.peers.redis import Redis
from tests.waiting import until

ALICE = PushUser(1, 3)
HERS = KeptCredential(ALICE, "alice", "aGVycw==", Origin.SUBSCRIBING, CredentialState.OPENED)
SEALS = Seals("AAEC$one")
# All that is ever done, as an administrator would grant it.
KEYS = "~{oxpushctl:credentials}:*"
RIGHTS = (KEYS, "+eval", "+hget", "+hmget", "+hset", "+hdel", "+del", "+zadd", "+zrem", "+zrangebylex")

Open = Callable[..., RedisCredentialRows]


@pytest.fixture(scope="module")
def guarded() -> Iterator[Redis]:
    with Redis(password="sesame") as server:
        yield server


@pytest.fixture
async def connect() -> AsyncIterator[Open]:
    """Make rows that are closed at the end."""
    async with AsyncExitStack() as stack:

        def make(url: str, ca: Path | None = None, *, timeout_s: float = 10.0) -> RedisCredentialRows:
            rows = RedisCredentialRows(url, ca, timeout_s=timeout_s)
            stack.push_async_callback(rows.aclose)
            return rows

        yield make


async def failure(rows: RedisCredentialRows) -> OxpushctlError:
    """Return how writing ends."""
    with pytest.raises(OxpushctlError) as caught:
        await rows.put([HERS], Seals())
    assert HERS.value not in str(caught.value)
    return caught.value


async def test_rights_of_a_login_of_its_own(guarded: Redis, connect: Open) -> None:
    """A login that may do what the catalogue names, to our keys alone, is enough for everything."""
    guarded.execute("ACL", "SETUSER", "push", "reset", "on", ">p@ss/wörd", *RIGHTS)
    rows = connect(guarded.url_for("push", "p%40ss%2Fw%C3%B6rd"))

    assert await rows.seal(Seals(), SEALS) is True
    assert await rows.put([HERS], SEALS) is True
    assert await rows.replace([(HERS, "bmV3")], SEALS) == 1
    assert [row.value for row in await rows.page(None, 10)] == ["bmV3"]
    await rows.mark(HERS, CredentialState.REFUSED)
    assert await rows.remove(ALICE) is True
    assert await rows.seal(SEALS, Seals()) is True
    assert await rows.seals() == Seals()
    guarded.execute("FLUSHALL")


@pytest.mark.parametrize(("login", "password"), [("", "wrong"), ("", ""), ("mallory", "wrong")])
async def test_refused_login(guarded: Redis, connect: Open, login: str, password: str) -> None:
    """A login or password that Redis does not take is not permitted, and the message says where to look."""
    error = await failure(connect(guarded.url_for(login, password)))

    assert type(error) is NotPermitted
    assert str(error).startswith(f"redis://127.0.0.1:{guarded.port}/0: ")
    assert "look at login and password in oxpushctl.credentials.url" in str(error)
    assert "wrong" not in str(error)


@pytest.mark.parametrize("lacking", ["+eval", "+hset", KEYS])
async def test_lacking_rights(guarded: Redis, connect: Open, lacking: str) -> None:
    """A login without a right that is needed is told so, within a script as well."""
    rights = [right for right in RIGHTS if right != lacking]
    guarded.execute("ACL", "SETUSER", "push", "reset", "on", ">pw", *rights)

    error = await failure(connect(guarded.url_for("push", "pw")))

    assert type(error) is NotPermitted
    assert "the rights of this login" in str(error)


async def test_over_tls(tmp_path: Path, running: ExitStack, connect: Open) -> None:
    """A server with a certificate of an authority that is named is trusted."""
    authority = Authority(tmp_path)
    server = running.enter_context(Redis(certificate=authority.server(), password="sesame"))

    assert await connect(server.url, authority.pem).put([HERS], Seals()) is True


@pytest.mark.parametrize("name", ["127.0.0.1", "example.org"])
async def test_untrusted_certificate(tmp_path: Path, running: ExitStack, connect: Open, name: str) -> None:
    """A certificate of nobody whom we know, or for another host, is no certificate."""
    authority = Authority(tmp_path)
    server = running.enter_context(Redis(certificate=authority.server(name), password="sesame"))
    ca = authority.pem if name == "example.org" else None

    error = await failure(connect(server.url, ca))

    assert type(error) is NotReachable
    assert str(error).startswith(f"rediss://127.0.0.1:{server.port}/0: its certificate is not trusted: ")


def test_unusable_authorities(tmp_path: Path) -> None:
    """A file that holds no certificates is named at once."""
    (tmp_path / "ca.pem").write_text("nothing")

    with pytest.raises(ConfigurationError, match=r"^oxpushctl.tls.ca: .*ca.pem: holds no certificates in PEM form"):
        RedisCredentialRows("rediss://127.0.0.1/0", tmp_path / "ca.pem")
    with pytest.raises(ConfigurationError, match=r"^oxpushctl.tls.ca: .*no.pem: No such file or directory"):
        RedisCredentialRows("rediss://127.0.0.1/0", tmp_path / "no.pem")


@pytest.mark.parametrize(
    "url",
    [
        "http://push:sesame@127.0.0.1/0",
        "redis://push:sesame@/0",
        "redis://push:sesame@127.0.0.1:99999/0",
        "redis://push:sesame@127.0.0.1/push",
        "redis://push:ses#ame@127.0.0.1/0",
        "rediss://push:sesame@127.0.0.1/0?ssl_cert_reqs=none",
        "redis://push:sesame@[::1/0",
    ],
)
def test_unusable_urls(url: str) -> None:
    """What is no URL of ours is refused, also one that asks for less than safety, and not quoted."""
    with pytest.raises(ConfigurationError, match=r"^oxpushctl.credentials.url: not the URL of a Redis") as caught:
        RedisCredentialRows(url)

    assert "ame" not in str(caught.value).replace("DATABASE", "")
    assert caught.value.__cause__ is None


async def test_nobody_answers(connect: Open) -> None:
    """A server that does not run is named by its address, without the password."""
    port = free_port()

    error = await failure(connect(f"redis://push:sesame@127.0.0.1:{port}"))

    assert (type(error), str(error)) == (NotReachable, f"redis://127.0.0.1:{port}/0: Connection refused")


async def test_frozen_server(redis: Redis, connect: Open) -> None:
    """A server that accepts and then says nothing is given up, and works again once it speaks."""
    rows = connect(redis.url, timeout_s=0.5)
    assert await rows.seals() == Seals()

    with redis.frozen():
        error = await failure(rows)

    assert (type(error), str(error)) == (NotReachable, f"redis://127.0.0.1:{redis.port}/0: no answer within 0.5 s")
    assert await rows.seal(Seals(), SEALS) is True
    assert await rows.seals() == SEALS


async def test_connection_that_breaks(connect: Open) -> None:
    """What was sent before a connection broke may have been done, so it is not sent a second time."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while commands := await reader.read(65536):
            heard.append(commands)
            if b"EVAL" in commands:
                break
            writer.write(b"+OK\r\n" * _count(commands))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        error = await failure(connect(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"))

    assert type(error) is NotReachable
    assert b"".join(heard).count(b"EVAL") == 1


def _count(commands: bytes) -> int:
    return (b"\r\n" + commands).count(b"\r\n*")


async def test_answer_of_another_node(connect: Open) -> None:
    """A node of a cluster that points to another is a mistake in the URL: passwords are sent nowhere else."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while commands := await reader.read(65536):
            writer.write(b"-MOVED 1234 127.0.0.2:6379\r\n" * _count(commands))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        error = await failure(connect(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"))

    assert type(error) is ConfigurationError
    assert "127.0.0.2:6379" in str(error)
    assert "name the node of the cluster" in str(error)


async def test_another_service(connect: Open) -> None:
    """What speaks something else is said to be no Redis, and what it says is not repeated."""
    async with scripted("HTTP/1.1 400 sesame\r\n\r\n") as (port, _):
        error = await failure(connect(f"redis://push:sesame@127.0.0.1:{port}/0"))

    assert type(error) is NotReachable
    assert "sesame" not in str(error)


async def test_server_that_quotes_the_password(running: ExitStack, connect: Open) -> None:
    """A server that does not know how to log in quotes what it was sent: neither message nor cause repeats that."""
    server = running.enter_context(Redis("--rename-command", "AUTH", "HTUA"))

    error = await failure(connect(server.url_for("push", "sesame")))

    assert type(error) is ConfigurationError
    assert "unknown command 'AUTH'" in str(error)
    assert "sesame" not in str(error)
    assert error.__cause__ is None


async def test_no_such_database(redis: Redis, connect: Open) -> None:
    """A number that the server has no database for is a mistake in the URL."""
    error = await failure(connect(redis.url.replace("/0", "/99")))

    assert type(error) is ConfigurationError
    assert "name another database or server in oxpushctl.credentials.url" in str(error)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
    ],
    ids=["replica", "full"],
)
async def test_server_that_cannot_now(
    redis: Redis, connect: Open, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    """A replica that is to become a master, or a full memory, is worth another try; nothing is half written."""
    rows = connect(redis.url)
    redis.execute(*before)
    try:
        error = await failure(rows)
    finally:
        redis.execute(*after)

    assert type(error) is TryLater
    assert list(await rows.page(None, 10)) == []
    assert await rows.put([HERS], Seals()) is True


async def test_busy_server(running: ExitStack, connect: Open) -> None:
    """A server that is busy with a script of another program's is worth another try."""
    server = running.enter_context(Redis("--busy-reply-threshold", "1"))
    rows = connect(server.url)
    endless = asyncio.create_task(asyncio.to_thread(_run_until_killed, server))
    errors: list[OxpushctlError] = []

    async def asking() -> None:
        while not errors:
            try:
                await rows.seals()
            except OxpushctlError as error:
                errors.append(error)
            await asyncio.sleep(0.005)

    asked = asyncio.create_task(asking())
    await until(lambda: errors)
    await asyncio.to_thread(server.execute, "SCRIPT KILL")
    await asyncio.gather(endless, asked)

    assert type(errors[0]) is TryLater
    assert await rows.seals() == Seals()


def _run_until_killed(server: Redis) -> None:
    with pytest.raises(Exception, match="Script killed by user"):
        server.execute("EVAL", "while true do end", 0)


async def test_keys_of_another_program(redis: Redis, connect: Open) -> None:
    """Where our names are taken, nothing is touched."""
    rows = connect(redis.url)
    redis.execute("SET", "{oxpushctl:credentials}:rows", "mine")
    assert type(await failure(rows)) is ConfigurationError
    assert redis.execute("GET", "{oxpushctl:credentials}:rows") == b"mine"


_CLUSTER = ("--cluster-enabled", "yes", "--cluster-port")


async def test_node_of_a_cluster(running: ExitStack, connect: Open) -> None:
    """All keys are in one slot, so that a Redis cluster runs the scripts."""
    server = running.enter_context(Redis(*_CLUSTER, str(free_port())))
    server.execute("CLUSTER ADDSLOTSRANGE", 0, 16383)
    rows = connect(server.url)
    await until(lambda: server.execute("CLUSTER INFO")["cluster_state"] == "ok")

    assert await rows.put([HERS], Seals()) is True
    assert list(await rows.page(None, 10)) == [HERS]


async def test_node_without_the_slot(running: ExitStack, connect: Open) -> None:
    """A node of a cluster in which nobody is responsible for our keys is worth another try."""
    server = running.enter_context(Redis(*_CLUSTER, str(free_port())))

    error = await failure(connect(server.url))

    assert type(error) is TryLater


def test_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra it is said how to install it."""
    monkeypatch.setitem(sys.modules, "redis", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'oxpushctl\[redis\]'"):
        RedisCredentialRows("redis://127.0.0.1/0")


def test_library_is_not_loaded_before_its_use() -> None:
    """Whoever has no Redis needs no library, and does not wait for it."""
    code = "import sys, oxpushctl.stores.redis; print('redis' in sys.modules)"

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed == "False\n"
