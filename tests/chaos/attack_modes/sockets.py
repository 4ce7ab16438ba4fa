"""Attacks over sockets and event streams."""

from __future__ import annotations

import asyncio
import json
from uuid import uuid4

from tests.chaos.attack_modes.client import WRITE_BYTES, Attackers, build_frame

FRAMES_PER_SOCKET = 2_000
MAX_FRAME_CHARS = 4_096
BAD_HANDSHAKES: tuple[dict[str, str], ...] = (
    {"Sec-WebSocket-Key": "short"},
    {"Sec-WebSocket-Key": ""},
    {"Sec-WebSocket-Key": "x" * 3_000},
    {"Sec-WebSocket-Version": "99"},
    {"Sec-WebSocket-Extensions": "permessage-deflate; " * 200},
    {"Sec-WebSocket-Protocol": "a, " * 500},
    {"Origin": "null"},
    {"Origin": "http://evil.test"},
    {"Upgrade": "h2c"},
)


async def _send_frames(attackers: Attackers, label: str, frames: list[bytes]) -> None:
    """Send these frames again and again, and read the answers."""
    async with attackers.open_socket(label, attackers.account) as (reader, writer):
        reading = asyncio.create_task(attackers.read_to_end(label, reader, 20))
        try:
            for number in range(FRAMES_PER_SOCKET):
                writer.write(frames[number % len(frames)])
                await writer.drain()
                if reading.done():
                    break
        finally:
            reading.cancel()


def _encode(**fields: object) -> bytes:
    return build_frame(json.dumps(fields).encode())


async def follow_unknown_streams(attackers: Attackers) -> None:
    frames = [_encode(type="follow", stream=str(uuid4()), after=-1) for _ in range(200)]
    await _send_frames(attackers, "follow unknown streams", frames)


async def send_hellos(attackers: Attackers) -> None:
    await _send_frames(attackers, "hellos", [_encode(type="hello")])


async def send_pings(attackers: Attackers) -> None:
    ping, control = _encode(type="ping", n=1), build_frame(b"p" * 125, 9)
    await _send_frames(attackers, "pings", [ping, control])


async def send_long_frames(attackers: Attackers) -> None:
    frames = [build_frame(b"x" * MAX_FRAME_CHARS), build_frame(b"[" * MAX_FRAME_CHARS)]
    await _send_frames(attackers, "frames of the greatest length", frames)


async def send_fragments(attackers: Attackers) -> None:
    """One message in frames of a byte each, which never ends."""
    async with attackers.open_socket("a message in fragments", attackers.account) as (
        reader,
        writer,
    ):
        writer.write(build_frame(b"x", 1, final=False))
        for _ in range(FRAMES_PER_SOCKET * 10):
            writer.write(build_frame(b"x" * 100, 0, final=False))
            await writer.drain()
        await attackers.read_to_end("a message in fragments", reader, 3)


async def read_old_cursors(attackers: Attackers) -> None:
    """Follow one stream from its start again and again, so that the journal is read each time."""
    if (chat := await attackers.get_chat(attackers.account)) is None:
        return
    frames = [
        _encode(type="follow", stream=chat.stream, after=-1),
        _encode(type="follow", stream=chat.stream, after=0),
        _encode(type="unfollow", stream=chat.stream),
    ]
    async with attackers.open_socket("old cursors", chat.session) as (reader, writer):
        reading = asyncio.create_task(attackers.read_to_end("old cursors", reader, 20))
        for number in range(FRAMES_PER_SOCKET):
            writer.write(frames[number % 3])
            await writer.drain()
            if reading.done():
                break
        reading.cancel()


async def follow_and_read_nothing(attackers: Attackers) -> None:
    if (chat := await attackers.get_chat(attackers.account)) is None:
        return
    async with attackers.open_socket("follow and read nothing", chat.session) as (_, writer):
        for _ in range(FRAMES_PER_SOCKET):
            writer.write(_encode(type="follow", stream=chat.stream, after=-1))
            await asyncio.wait_for(writer.drain(), 5)
        await asyncio.sleep(5)


async def shake_hands_badly(attackers: Attackers) -> None:
    headers = attackers.generator.choice(BAD_HANDSHAKES)
    session = attackers.generator.choice(("", attackers.account))
    async with attackers.open_socket("a bad handshake", session, headers) as (reader, _):
        async with asyncio.timeout(2):
            await reader.read(WRITE_BYTES)


async def open_many_sockets(attackers: Attackers) -> None:
    """All sockets of one person."""
    async with attackers.open_socket("one more socket", attackers.order.accounts[0]) as (reader, _):
        await attackers.read_to_end("one more socket", reader, 10)


async def open_events_and_read_nothing(attackers: Attackers) -> None:
    path = attackers.generator.choice(
        ("/api/streams/events", f"/api/streams/{uuid4()}/events?after=-1")
    )
    async with attackers.connect() as (reader, writer):
        writer.write(attackers.build_head("GET", path, attackers.account))
        async with asyncio.timeout(10):
            status = (await reader.readline())[9:12].decode("latin-1")
        attackers.counts[f"an event stream that is not read: {status or 'closed'}"] += 1
        await asyncio.sleep(5)


async def request_events(attackers: Attackers) -> None:
    """Event streams that are left at once."""
    async with attackers.connect() as (reader, writer):
        writer.write(attackers.build_head("GET", "/api/streams/events", attackers.account))
        async with asyncio.timeout(10):
            status = (await reader.readline())[9:12].decode("latin-1")
        attackers.counts[f"an event stream: {status or 'closed'}"] += 1
