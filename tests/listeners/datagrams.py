"""Sending datagrams as a mail server's notifyd would, over the sockets of this machine."""

from __future__ import annotations

import socket
import struct

import pytest

GROUP, GROUP_V6 = "239.255.23.42", "ff15::2342"


def datagram(user: str, mailbox: str = "INBOX") -> bytes:
    """Write what Cyrus sends about a new mail."""
    return f"log\0MAIL\0\0{user}\0{mailbox}\x000\0From: Anna\0".encode()


def send(*datagrams: bytes, port: int, host: str = "127.0.0.1") -> None:
    """Send datagrams from an address of their own."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        for each in datagrams:
            sender.sendto(each, (host, port))


def send_to_group(*datagrams: bytes, port: int, group: str = GROUP) -> None:
    """Send datagrams to a multicast group; none leaves this machine."""
    if ":" in group:
        _send_to_group_v6(*datagrams, port=port, group=group)
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        for each in datagrams:
            sender.sendto(each, (group, port))


def _send_to_group_v6(*datagrams: bytes, port: int, group: str) -> None:
    """Take the first interface that has a route for groups: the loopback has none by default."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 0)
        for index, _name in socket.if_nameindex():
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, struct.pack("@I", index))
            try:
                for each in datagrams:
                    sender.sendto(each, (group, port))
            except OSError:
                continue
            return
    pytest.skip("no interface of this machine has a route for IPv6 multicast groups")
