"""Addresses to listen at."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import stat
from pathlib import Path

import pytest

from oxpushctl.errors import ConfigurationError, NotReachable
from oxpushctl.web.listen import Address, bound


@pytest.mark.parametrize(
    "text", ["127.0.0.1:8019", "[::1]:8019", "localhost:1", "unix:/run/x.sock", "mail-1.example:65535"]
)
def test_addresses(text: str) -> None:
    """Hosts, IPv6 addresses and sockets are read, and written as they were."""
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8019",
        ":8019",
        "127.0.0.1",
        "127.0.0.1:",
        "::1:8019",
        "[::1]",
        "a:65536",
        "a:b",
        "unix:x",
        "http://a:1",
        "a b:1",
    ],
)
def test_bad_addresses(text: str) -> None:
    """What is no address is a configuration error that says what one looks like."""
    with pytest.raises(ConfigurationError, match=r"is not host:port, \[::1\]:port or unix:/path"):
        Address.parse(text)


def test_port_taken() -> None:
    """A port that another program holds is named, and its sockets are closed again."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        address = Address(host="127.0.0.1", port=holder.getsockname()[1])
        with pytest.raises(NotReachable, match=f"{address} is in use by another program"):
            address.open()


@pytest.mark.parametrize("address", [Address(host="192.0.2.1", port=0), Address(path=Path("/" + "x" * 200))])
def test_nobody_can_listen_there(address: Address) -> None:
    """An address of another machine and a path that is too long are configuration errors."""
    with pytest.raises(ConfigurationError, match="cannot listen at"):
        address.open()


def test_socket_is_private(tmp_path: Path) -> None:
    """Only its owner may use a socket."""
    [listener] = Address(path=tmp_path / "x.sock").open()
    with listener:
        assert stat.S_IMODE((tmp_path / "x.sock").stat().st_mode) == 0o600
        assert bound(listener) == Address(path=tmp_path / "x.sock")


def test_stale_socket(tmp_path: Path) -> None:
    """The socket that a killed program left behind is replaced."""
    path = tmp_path / "x.sock"
    [left] = Address(path=path).open()
    left.close()
    [listener] = Address(path=path).open()
    with listener, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_socket_in_use(tmp_path: Path) -> None:
    """The socket of a living program is not taken away from it."""
    path = tmp_path / "x.sock"
    [holder] = Address(path=path).open()
    with holder, socket.socket(socket.AF_UNIX) as client:
        with pytest.raises(NotReachable, match="in use by another program"):
            Address(path=path).open()
        client.connect(str(path))


def test_file_in_the_way(tmp_path: Path) -> None:
    """A file that is no socket is never removed."""
    path = tmp_path / "x.sock"
    path.write_text("precious")
    with pytest.raises(ConfigurationError, match="there is a file that is not a socket"):
        Address(path=path).open()

    assert path.read_text() == "precious"


async def test_simultaneous_starts(tmp_path: Path) -> None:
    """A socket whose program does not listen yet is not taken for one that was left behind."""
    path = tmp_path / "x.sock"
    folder = os.open(tmp_path, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as first:
        fcntl.flock(folder, fcntl.LOCK_EX)
        first.bind(str(path))
        second = asyncio.create_task(asyncio.to_thread(Address(path=path).open))
        await asyncio.wait((second,), timeout=0.1)
        first.listen()
        os.close(folder)
        with pytest.raises(NotReachable, match="in use by another program"):
            await second
