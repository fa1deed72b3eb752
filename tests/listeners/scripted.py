"""A server on a real socket that says what it is told to, for what no mail server at hand would say."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

CAPABILITY = "* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN\r\n"
SILENCE = "-"
END, RESET = "-end", "-reset"
CUT = "-cut-"
_CUT_S = 0.005
GREETING = "* OK ready\r\n"


@asynccontextmanager
async def scripted(
    greeting: str = GREETING,
    answers: Mapping[str, str | Iterator[str]] | None = None,
    *,
    pause_s: float = 0.0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[int, list[str]]]:
    """Serve on a port of 127.0.0.1; yield it and the lines that clients send.

    ``answers`` has what is said to a command, TAG being its tag, and under ``""`` to a line without one; where that is
    empty, or END, the connection ends, and with RESET it is torn down. With a pause everything drips, a character at a
    time, and with a CUT in it an answer comes in two segments. An iterator has one answer after the other.
    """
    said = {"CAPABILITY": f"{CAPABILITY}TAG OK done\r\n", "LOGOUT": "* BYE\r\nTAG OK done\r\n", **(answers or {})}
    heard: list[str] = []
    ending: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        ending.append(task)
        tag = ""
        try:
            await _send(writer, greeting, pause_s)
            while line := (await reader.readline()).decode(errors="replace"):
                heard.append(line.rstrip())
                words = line.split()
                if len(words) > 1:
                    tag = words[0]
                answer = said.get(words[1].upper() if len(words) > 1 else "", "TAG BAD what?\r\n")
                if not isinstance(answer, str):
                    answer = next(answer)
                if not answer:
                    return
                if answer != SILENCE:
                    await _send(writer, answer.replace("TAG", tag), pause_s)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client has what it came for, or the test is over
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending)


async def _send(writer: asyncio.StreamWriter, text: str, pause_s: float) -> None:
    if text == END:
        raise ConnectionError
    if text == RESET:
        linger = struct.pack("ii", 1, 0)  # on, for no time: what is under way is dropped, and RST is sent
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        raise ConnectionError
    for piece in text if pause_s else text.split(CUT):
        writer.write(piece.encode())
        await writer.drain()
        if pause_s or CUT in text:
            await asyncio.sleep(pause_s or _CUT_S)  # this is the situation, not a wait for something
