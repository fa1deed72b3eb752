"""What config check says about the addresses of the engine, from trying them."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from oxpushctl.config.check import Wishes
from oxpushctl.config.codes import CATALOGUE
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.own import INTAKE_LISTEN
from oxpushctl.web.listen_check import check_ports
from tests.config import folders
from tests.peers.certificates import Authority
from tests.web.parts import intake

_FIRST_FREE_PORT = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user without privileges, as everybody but root is anyway."""
    if os.geteuid() != 0:
        yield
        return
    uid = pwd.getpwnam("nobody").pw_uid
    os.setresuid(uid, uid, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can look into, unlike pytest's."""
    with TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)
        for path in Path(name).iterdir():
            path.chmod(0o700)


def configured(etc: Path, intake_at: str, admin_at: str | None = None, more: str = "") -> Configuration:
    text = f"oxpushctl.intake.listen={intake_at}\n{more}"
    if admin_at:
        text += f"oxpushctl.admin.listen={admin_at}\n"
    if admin_at and not admin_at.startswith("unix:"):
        text += "oxpushctl.admin.login=admin\noxpushctl.admin.password=sesame\n"
    return folders.read(etc, {"oxpushctl.properties": text}, environ={"STATE_DIRECTORY": str(etc / "state")})


async def found(configuration: Configuration) -> list[Finding]:
    """Return what the check says: known codes, warnings."""
    findings = await check_ports(configuration, Wishes())
    for finding in findings:
        assert (finding.code in CATALOGUE, finding.severity) == (True, Severity.WARNING)
    return findings


async def test_free_addresses(tmp_path: Path) -> None:
    """Nothing is said, and nothing is left behind: no socket, no state folder, no port."""
    configuration = configured(tmp_path, f"127.0.0.1:0, [::1]:0, localhost:0, unix:{tmp_path}/in.sock")
    assert await found(configuration) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["oxpushctl.properties"]


async def test_offline(tmp_path: Path) -> None:
    """Nobody is asked."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        configuration = configured(tmp_path, f"127.0.0.1:{taken.getsockname()[1]}")
        assert await check_ports(configuration, Wishes(is_offline=True)) == []


async def test_another_program_listens(tmp_path: Path) -> None:
    """Where the address is set is told, and how to find out who it is."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (finding,) = await found(configured(tmp_path, f"127.0.0.1:{port}"))
    assert (finding.code, finding.key, finding.line) == ("OXP701", "oxpushctl.intake.listen", 1)
    assert finding.message == f"127.0.0.1:{port} is in use by another program"
    assert f"`ss -ltnp 'sport = :{port}'` as root" in finding.hint


async def test_another_program_listens_at_the_public_address(tmp_path: Path) -> None:
    """What mail apps reach is looked at as well; where Dovecot comes to the same address that is told once."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as shared:
        at, also_at = (f"127.0.0.1:{each.getsockname()[1]}" for each in (taken, shared))
        findings = await found(configured(tmp_path, also_at, more=f"oxpushctl.public.listen={also_at}, {at}\n"))
    assert [(each.code, each.key, each.message.partition(" ")[0]) for each in findings] == [
        ("OXP701", "oxpushctl.intake.listen", also_at),
        ("OXP701", "oxpushctl.public.listen", at),
    ]


async def test_another_program_listens_at_every_address(tmp_path: Path) -> None:
    """An address within another's wildcard is taken as well."""
    with socket.create_server(("0.0.0.0", 0)) as taken:
        (finding,) = await found(configured(tmp_path, f"127.0.0.1:{taken.getsockname()[1]}"))
    assert finding.code == "OXP701"


async def test_our_engine_listens(tmp_path: Path) -> None:
    """A running engine is as it should be, at ports and sockets, and goes on."""
    async with intake(listen=("127.0.0.1:0", f"unix:{tmp_path}/admin.sock")) as serving:
        port, path = serving.addresses
        assert await found(configured(tmp_path, port, path)) == []
        assert await asyncio.to_thread(Path(path.removeprefix("unix:")).is_socket)
        assert await serving.status(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n") == 200


@pytest.mark.parametrize("is_configured", [True, False])
async def test_our_engine_listens_over_tls(tmp_path: Path, is_configured: bool) -> None:
    """Over HTTPS it is known as well, whether or not the new configuration has a certificate."""
    authority = Authority(tmp_path)
    certificate, key = authority.server()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    more = f"oxpushctl.tls.certificate={certificate}\noxpushctl.tls.key={key}\n" if is_configured else ""
    async with intake(tls=tls) as serving, intake(listen=(f"unix:{tmp_path}/admin.sock",)) as admin:
        assert await found(configured(tmp_path, serving.addresses[0], admin.addresses[0], more)) == []


@pytest.mark.parametrize("is_admin_at_a_port", [False, True])
async def test_engine_of_another_configuration(tmp_path: Path, is_admin_at_a_port: bool) -> None:
    """Who answers as an engine does is ours only if our admin address is answered at, too: `run` would fail."""
    admin = "127.0.0.1:0" if is_admin_at_a_port else None
    async with intake() as serving:
        (finding,) = await found(configured(tmp_path, serving.addresses[0], admin))
    assert (finding.code, finding.key) == ("OXP701", INTAKE_LISTEN.key)
    assert finding.message == f"{serving.addresses[0]} is in use by another oxpushctl"
    assert "stop it, or listen elsewhere" in finding.hint


async def test_engine_whose_admin_address_is_held_by_others(tmp_path: Path) -> None:
    """A program of another kind at our admin address does not make somebody's engine ours."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with intake() as serving:
            findings = await found(configured(tmp_path, serving.addresses[0], f"127.0.0.1:{taken.getsockname()[1]}"))
    assert [finding.message.partition(" is ")[2] for finding in findings] == [
        "in use by another oxpushctl",
        "in use by another program",
    ]


async def test_engine_whose_admin_address_is_not_for_everybody(tmp_path: Path, open_folder: Path) -> None:
    """Who may not connect to the admin address cannot tell whose engine it is: only that is said."""
    path = open_folder / "admin.sock"
    async with intake(listen=("127.0.0.1:0", f"unix:{path}")) as serving:
        configuration = configured(tmp_path, serving.addresses[0], f"unix:{path}")
        path.chmod(0o600 if os.geteuid() == 0 else 0)
        with nobody():
            (finding,) = await found(configuration)
    assert (finding.code, finding.key) == ("OXP703", "oxpushctl.admin.listen")


def test_name_service_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that nobody resolves is told after seconds, and holds neither the check nor the program's end."""
    going_on = threading.Event()
    ask = socket.getaddrinfo

    def hang(host: str, *args: object, **options: object) -> object:
        if host == "push.example.com":
            going_on.wait(60)
        return ask(host, *args, **options)  # type: ignore[arg-type]  # handed on as it comes

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    try:
        (finding,) = asyncio.run(found(configured(tmp_path, "push.example.com:8019")))
        taken_s = time.monotonic() - began
    finally:
        going_on.set()
    assert (finding.code, finding.message) == (
        "OXP702",
        "no name service tells the address of push.example.com:8019",
    )
    assert taken_s < 10


async def test_holder_that_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    """A program that takes connections and keeps quiet costs seconds, not more."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with asyncio.timeout(10):
            (finding,) = await found(configured(tmp_path, f"127.0.0.1:{taken.getsockname()[1]}"))
    assert finding.code == "OXP701"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("192.0.2.1:8019", "this machine does not have the address of 192.0.2.1:8019"),
        ("nowhere.invalid:8019", "the host of nowhere.invalid:8019 has no address"),
        ("a..b:8019", "the host of a..b:8019 has no address"),
    ],
)
async def test_nobody_can_listen(tmp_path: Path, address: str, words: str) -> None:
    """An address of another machine, or of none."""
    (finding,) = await found(configured(tmp_path, address))
    assert (finding.code, finding.message, bool(finding.hint)) == ("OXP702", words, True)


@pytest.mark.skipif(_FIRST_FREE_PORT < 2, reason="this system lets everybody listen at every port")
async def test_privileged_port(tmp_path: Path) -> None:
    """A low port wants a capability."""
    configuration = configured(tmp_path, "127.0.0.1:1", "127.0.0.1:0")
    with nobody():
        (finding,) = await found(configuration)
    assert (finding.code, finding.message) == ("OXP702", "this system user may not listen at 127.0.0.1:1")
    assert "CAP_NET_BIND_SERVICE" in finding.hint


async def test_socket_of_a_program_that_is_gone(tmp_path: Path) -> None:
    """The engine replaces it, the check leaves it alone."""
    path = tmp_path / "old.sock"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    assert await found(configured(tmp_path, "127.0.0.1:0", f"unix:{path}")) == []
    assert path.is_socket()


async def test_socket_of_another_program(tmp_path: Path) -> None:
    """Somebody who does not answer as an engine does is somebody else."""
    path = tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        (finding,) = await found(configured(tmp_path, "127.0.0.1:0", f"unix:{path}"))
    assert (finding.code, finding.key) == ("OXP701", "oxpushctl.admin.listen")
    assert f"`ss -lxp 'src = {path}'` as root" in finding.hint


async def test_file_at_the_path(tmp_path: Path) -> None:
    """What is not a socket is not replaced."""
    path = tmp_path / "file"
    path.write_text("kept")
    (finding,) = await found(configured(tmp_path, "127.0.0.1:0", f"unix:{path}"))
    assert (finding.code, finding.message) == ("OXP703", f"{path} is there and is not a socket")
    assert path.read_text() == "kept"


async def test_no_folder_for_the_socket(tmp_path: Path) -> None:
    """Only the state folder is made by the engine."""
    (finding,) = await found(configured(tmp_path, f"unix:{tmp_path}/run/in.sock"))
    assert (finding.code, f"there is no folder {tmp_path}/run" in finding.message) == ("OXP703", True)


@pytest.mark.parametrize(
    ("mode", "words"), [(0o755, "this system user may not write into"), (0o700, "Permission denied")]
)
async def test_folder_of_somebody_else(tmp_path: Path, open_folder: Path, mode: int, words: str) -> None:
    """Who may not write there, or not even look, is told to ask as the engine's user."""
    configuration = configured(tmp_path, f"unix:{open_folder}/run/in.sock")
    (open_folder / "run").mkdir()
    (open_folder / "run").chmod(mode if os.geteuid() == 0 else mode & 0o577)
    with nobody():
        findings = await found(configuration)
    assert [(each.code, words in each.message) for each in findings if each.key == INTAKE_LISTEN.key] == [
        ("OXP703", True)
    ]
    assert "run the check as the system user that runs oxpushctl" in findings[0].hint


async def test_socket_of_somebody_else(tmp_path: Path, open_folder: Path) -> None:
    """Whether it is our engine that listens there cannot be told by who may not connect."""
    path = open_folder / "admin.sock"
    configuration = configured(tmp_path, "127.0.0.1:0", f"unix:{path}")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        path.chmod(0o600 if os.geteuid() == 0 else 0)
        with nobody():
            (finding,) = await found(configuration)
    assert (finding.code, finding.message) == ("OXP703", f"this system user may not connect to unix:{path}")


async def test_address_with_an_error(tmp_path: Path) -> None:
    """What is no address was told; the default in its place is nobody's wish."""
    with socket.create_server(("127.0.0.1", 0)):
        assert await found(configured(tmp_path, "nowhere")) == []
