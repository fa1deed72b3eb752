"""Engine.IO and Socket.IO over a web socket alone: what each text means, and what is said in return. Pure.

::

    Engine.IO 3 (Socket.IO 2)                     Engine.IO 4 (Socket.IO 5)
    server  0{"sid":"…","pingInterval":25000,…}   server  0{"sid":"…","pingInterval":25000,…,"maxPayload":65536}
    server  40                                    client  40
                                                  server  40{"sid":"…"}
    server  42["ox:mail:new",{"folder":…}]        server  42["ox:mail:new",{"folder":…}]
    client  2          server  3                  server  2          client  3
    client  1                                     client  1

The first digit is Engine.IO's kind of packet, the second Socket.IO's. Nothing but the namespace ``/`` is served.
Sources: "Engine.IO protocol" revisions 3 and 4, "Socket.IO protocol" revisions 4 and 5.
"""

from __future__ import annotations

import enum
import re
import secrets
from dataclasses import dataclass

import orjson

REVISIONS = (3, 4)
PING_S = 25.0
# Socket.IO's own default since its version 4; the 5 s of before were too short for telephones.
PING_TIMEOUT_S = 20.0
MAX_PAYLOAD = 64 * 1024

PING = "2"
CONNECTED = "40"
DISCONNECTED = "41"

_PONG = "3"
_PROBE = "probe"
_ID_BYTES = 15
_LONGEST_NAMESPACE = 128
_PACKET = re.compile(r"([0-4])(?:(/[^,]*)(?:,|$))?([0-9]{0,19})", re.DOTALL)


class Malformed(ValueError):
    """A text that is none of the protocol, or of a part that is not served; it has no words of the client."""


class Step(enum.Enum):
    """What a client's text changes."""

    NOTHING = "nothing"
    JOINS = "joins"
    LEAVES = "leaves"


@dataclass(frozen=True, slots=True)
class Answer:
    """What follows from a text: what is sent back, if anything, and what changes."""

    text: str = ""
    step: Step = Step.NOTHING


_NOTHING = Answer()


def opened(revision: int) -> str:
    """Return the first text to a client, with an id that means nothing to anybody."""
    handshake = {
        "sid": _new_id(),
        "upgrades": [],
        "pingInterval": int(PING_S * 1000),
        "pingTimeout": int(PING_TIMEOUT_S * 1000),
    }
    if revision > 3:
        handshake["maxPayload"] = MAX_PAYLOAD
    return f"0{orjson.dumps(handshake).decode()}"


def answer(text: str, revision: int) -> Answer:
    """Return what follows from a client's text; raise ``Malformed`` for one that has no place here."""
    kind, rest = text[:1], text[1:]
    if kind == "4":
        return _to_packet(rest, revision)
    if kind == "2" and rest in ("", _PROBE):
        return Answer(_PONG + rest)
    if kind in ("3", "5", "6") and not rest:
        return _NOTHING
    if kind == "1":
        return Answer(step=Step.LEAVES)
    raise Malformed("no packet of Engine.IO that clients send")


def event(payload: bytes) -> bytes:
    """Turn the middleware's inner message, ``{"name":N,"args":[…],"namespace":"/"}``, into the packet of an event."""
    message = orjson.loads(payload)
    return b"42" + orjson.dumps([message["name"], *message["args"]])


def named_event(name: str) -> str:
    """Return the packet of an event that says nothing but its name."""
    return f"42{orjson.dumps([name]).decode()}"


def _to_packet(packet: str, revision: int) -> Answer:
    match = _PACKET.match(packet)
    if match is None:
        raise Malformed("no packet of Socket.IO that is served here")
    kind, namespace, number = match.groups(default="")
    namespace = namespace.partition("?")[0]  # revision 4 of Socket.IO has a query behind it
    if namespace not in ("", "/"):
        return _to_other_namespace(kind, namespace, revision)
    if kind == "0" and revision > 3:
        return Answer(f'{CONNECTED}{{"sid":"{_new_id()}"}}', Step.JOINS)
    if kind == "1":
        return Answer(step=Step.LEAVES)
    if kind == "2" and number:
        return Answer(f"43{number}[]")  # nobody here wants the event, and its client wants to know that it came
    return _NOTHING


def _to_other_namespace(kind: str, namespace: str, revision: int) -> Answer:
    if len(namespace) > _LONGEST_NAMESPACE:
        raise Malformed("the name of a namespace is too long")
    if kind != "0":
        return _NOTHING
    reason: object = "Invalid namespace" if revision == 3 else {"message": "Invalid namespace"}
    return Answer(f"44{namespace},{orjson.dumps(reason).decode()}")


def _new_id() -> str:
    return secrets.token_urlsafe(_ID_BYTES)
