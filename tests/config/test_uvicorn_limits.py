"""Uvicorn limits the time and the size of headers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from config import uvicorn_limits
from config.chunk_limits import MAX_SMALL_CHUNKS, PIECE_BYTES
from config.header_limits import MAX_HEADER_BYTES
from config.uvicorn_limits import LimitedH11Protocol, LimitedHttpToolsProtocol

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]
HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
WHOLE = HEAD + b"\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

both = pytest.mark.parametrize("kind", [LimitedHttpToolsProtocol, LimitedH11Protocol])


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn_limits, "HEADER_TIMEOUT_SECONDS", 0.3)


body_sizes: list[int] = []
"""Of each message that `slow_echo` got."""


async def slow_echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers after the body with the path, after a second if the path requests it, and the
    headers."""
    body_sizes.clear()
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    if scope["path"] == "/early":
        await send({"type": "http.response.start", "status": 200, "headers": []})
    while (message := await receive()).get("more_body"):
        body_sizes.append(len(message["body"]))
    if scope["path"] == "/slow":
        await asyncio.sleep(1)
    names = b",".join(name for name, _ in scope["headers"])
    headers = [(b"content-length", b"%d" % len(names))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": names})


@asynccontextmanager
async def served(kind: type[asyncio.Protocol], **more: Any) -> AsyncIterator[Line]:
    """Connect to a server of its own."""
    config = uvicorn.Config(
        slow_echo, port=0, http=kind, lifespan="off", log_config=None, proxy_headers=False, **more
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await server.shutdown()


async def is_closed(reader: asyncio.StreamReader, within: float = 2) -> bool:
    """Return whether the server closes the connection, whatever it sends before."""
    try:
        async with asyncio.timeout(within):
            while await reader.read(4000):
                pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


@both
@pytest.mark.parametrize("beginning", [b"", b"\r\n", b"GET", HEAD + b"X-Slow: "])
async def test_a_client_that_sends_no_headers_is_disconnected(kind: Any, beginning: bytes) -> None:
    async with served(kind) as (reader, writer):
        writer.write(beginning)
        assert await is_closed(reader)


@both
async def test_slow_headers_do_not_extend_the_time_limit(kind: Any) -> None:
    async with served(kind) as (reader, writer):
        writer.write(HEAD + b"X-Slow: ")
        for _ in range(10):
            writer.write(b"x")
            await asyncio.sleep(0.05)
        assert await is_closed(reader, within=0.2)


@both
async def test_the_server_waits_for_its_keep_alive_time_between_requests(kind: Any) -> None:
    async with served(kind, timeout_keep_alive=30) as (reader, writer):
        for _ in range(2):
            writer.write(WHOLE)
            assert (await reader.readuntil(b"host")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.6)
        writer.write(b"GET")
        assert await is_closed(reader)


@both
async def test_a_slow_response_is_not_cut(kind: Any) -> None:
    async with served(kind, timeout_keep_alive=1) as (reader, writer):
        writer.write(WHOLE.replace(b"/ ", b"/slow ", 1) + b"GET")
        assert (await reader.readuntil(b"host")).startswith(b"HTTP/1.1 200")
        assert await is_closed(reader)


LONG = {
    "a name": HEAD + b"x" * 150_000,
    "a value": HEAD + b"X-Long: " + b"x" * 150_000,
    "many": HEAD + b"X-Many: x\r\n" * 15_000,
    "whole": HEAD + b"X-Many: x\r\n" * 15_000 + b"\r\n",
    "an address": b"GET /" + b"x" * 150_000,
    "a trailer": CHUNKED + b"0\r\nX-Long: " + b"x" * 150_000,
    "an extension": CHUNKED + b"1;x=" + b"x" * 150_000,
    "empty lines": b"\r\n" * 75_000,
}


@both
@pytest.mark.parametrize("data", LONG.values(), ids=LONG)
async def test_headers_that_are_too_long_are_refused(
    kind: Any, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uvicorn_limits, "HEADER_TIMEOUT_SECONDS", 20)
    async with served(kind) as (reader, writer):
        for start in range(0, len(data), 30_000):
            writer.write(data[start : start + 30_000])
            await asyncio.sleep(0.01)
        assert await is_closed(reader)


async def test_long_headers_and_a_long_body_are_accepted() -> None:
    async with served(LimitedHttpToolsProtocol) as (reader, writer):
        value = b"x" * (MAX_HEADER_BYTES - 1000)
        writer.write(CHUNKED[:-2] + b"X-Long: " + value + b"\r\n\r\n")
        for _ in range(30):
            writer.write(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
        writer.write(b"0\r\n\r\n")
        assert (await reader.readuntil(b"x-long")).startswith(b"HTTP/1.1 200")


async def test_trailers_do_not_become_headers() -> None:
    async with served(LimitedHttpToolsProtocol) as (reader, writer):
        writer.write(CHUNKED + b"1\r\nx\r\n0\r\nX-Forwarded-For: 203.0.113.1\r\n\r\n")
        answer = await reader.readuntil(b"transfer-encoding")
        assert answer.endswith(b"host,transfer-encoding")
        writer.write(WHOLE)
        assert b"200" in await reader.readuntil(b"host")


# Several requests at once


async def test_wrong_bytes_behind_a_waiting_request_are_not_answered_inside_an_answer() -> None:
    async with served(LimitedHttpToolsProtocol) as (reader, writer):
        writer.write(CHUNKED.replace(b"/ ", b"/early ", 1))
        answer = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"0\r\n\r\n" + WHOLE + b"wrong\r\n")
        answer += await reader.read()
        assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_socket_after_an_earlier_request_outlives_the_time_of_an_idle_connection() -> None:
    handshake = (
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    options = {"timeout_keep_alive": 0.2, "ws": "websockets-sansio"}
    async with served(LimitedHttpToolsProtocol, **options) as (reader, writer):
        writer.write(WHOLE + handshake)
        await reader.readuntil(b"HTTP/1.1 101 ")
        assert not await is_closed(reader, within=0.6)


# Bodies in chunks

SMALL_CHUNK = b"1\r\nx\r\n"


@both
async def test_a_body_of_small_chunks_is_read_in_pieces(kind: Any) -> None:
    """Others have their turns between two of them, and nothing more is read meanwhile."""
    async with served(kind) as (reader, writer):
        for _ in range(2):
            writer.write(CHUNKED + SMALL_CHUNK * 3_000 + b"0\r\n\r\n")
            answer = await reader.readuntil(b"transfer-encoding")
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert len(body_sizes) >= 3_000 * len(SMALL_CHUNK) // PIECE_BYTES
            assert max(body_sizes) <= PIECE_BYTES // len(SMALL_CHUNK) + 1


@both
async def test_a_body_of_too_many_small_chunks_is_refused(kind: Any) -> None:
    async with served(kind) as (reader, writer):
        writer.write(CHUNKED + SMALL_CHUNK * (MAX_SMALL_CHUNKS + 100))
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
        assert await is_closed(reader)


@both
async def test_a_wrong_chunk_during_an_answer_gets_no_second_answer(kind: Any) -> None:
    async with served(kind) as (reader, writer):
        writer.write(CHUNKED.replace(b"/ ", b"/early ", 1) + SMALL_CHUNK)
        answer = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"wrong\r\n")
        answer += await reader.read()
        assert answer.count(b"HTTP/1.1 ") == 1
