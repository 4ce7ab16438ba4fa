"""A minimal provider on loopback: every reply has the same bytes, which are built once.

`python -m benchmarks.provider '{"rate": 50, "count": 300}'` prints its port, and ends with its
input.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass

from benchmarks.tokens import PAIRS, get_metronome
from tools.fake_provider.behaviour import Behaviour, Piece, Usage
from tools.fake_provider.openai_responses import OpenAIResponses
from tools.fake_provider.wire import Reply

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class RenderedReply:
    """A reply over OpenAI's Responses, event by event."""

    start: bytes
    deltas: tuple[bytes, ...]
    end: bytes


def render_reply(count: int) -> RenderedReply:
    wire, reply = OpenAIResponses(), Reply("gpt-4o-mini", {}, Behaviour())
    start = HEAD + wire.format_start(reply)
    texts = (f" {PAIRS[n % len(PAIRS)]}{PAIRS[-n % len(PAIRS)]}" for n in range(count))
    deltas = tuple(wire.format_delta(reply, Piece(text)) for text in texts)
    return RenderedReply(start, deltas, wire.format_end(reply, "stop", Usage(10, count)))


async def serve(rate: float, count: int) -> None:
    reply = render_reply(count)

    async def send_reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"POST"):
            writer.write(NOT_FOUND)
            writer.close()
            return
        began = time.monotonic()
        writer.write(reply.start)
        for number, event in enumerate(reply.deltas):
            await get_metronome().sleep_until(began + number / rate)
            writer.write(event)
        writer.write(reply.end)
        writer.close()

    server = await asyncio.start_server(send_reply, "127.0.0.1", 0, backlog=1024)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve(**json.loads(sys.argv[1])))
