"""A slow server of one's own is asked once, also if a proxy in words or a closed connection tells
its silence."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncGenerator

import pytest

from streaming.providers import errors
from streaming.providers.http import classify
from streaming.providers.http.classify import Endpoint, to_provider_error
from streaming.providers.openai.chat_completions import CompatibleAdapter
from streaming.providers.openai.client import parse_error
from streaming.providers.types import Request, Turn
from tests.providers.factories import collect_until_error
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

SLOW = Endpoint("Lab", str, is_keyless=True, retries_silence=False)
PATIENT = Endpoint("OpenAI", str)
REQUEST = Request("kelp", (Turn("user", "?"),))
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"c\r\n: computing\n\r\n"
)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (408, "litellm.Timeout: APITimeoutError - Request timed out."),
        (408, "late"),
        (500, "Request timed out."),
        (500, "The request timed out after 600 seconds"),
        (500, "HTTPConnectionPool(host='kelp', port=1): Read timed out. (read timeout=600)"),
        (500, "litellm.APIError: ReadTimeout"),
        (503, "upstream request timeout"),
        (400, "Timed out waiting for the model to respond"),
        (500, "timeout awaiting response headers"),
    ],
)
async def test_a_silence_that_a_proxy_tells_is_one_too(
    fake: Fake, status: int, message: str
) -> None:
    body = {"error": {"message": message, "type": None, "code": str(status)}}
    fake.script(Behaviour(error=ErrorAnswer(status, body)))
    lab = CompatibleAdapter(base_url=fake.openai, name="Lab")
    events, error = await collect_until_error(lab, REQUEST, key="")
    assert (events, type(error)) == ([], errors.NoResponse)
    assert error
    assert not error.retryable
    assert "raise the proxy’s time limit" in error.message
    assert type(to_provider_error(parse_error(body, status), PATIENT)) is errors.TimedOut


@pytest.mark.parametrize(
    "message",
    [
        "connect timed out",
        "Connection timed out while connecting to upstream",
        "Timed out waiting for a free slot",
        "Request timed out while connecting to the backend",
    ],
)
def test_a_server_that_was_not_reached_was_not_silent(message: str) -> None:
    assert to_provider_error(parse_error(message, 503), SLOW).retryable


@pytest.mark.parametrize("resets", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("head", [b"", STREAM_HEAD], ids=["no byte", "headers alone"])
async def test_a_connection_that_is_closed_after_a_silence_tells_the_silence(
    monkeypatch: pytest.MonkeyPatch, head: bytes, resets: bool
) -> None:
    monkeypatch.setattr(classify, "MIN_SILENCE_SECONDS", 0.1)
    for silence, kind in ((0.2, errors.NoResponse), (0.0, errors.ConnectionFailed)):
        async with serve_silence(head, silence, resets=resets) as url:
            lab = CompatibleAdapter(base_url=url, name="Lab")
            events, error = await collect_until_error(lab, REQUEST, key="")
        assert (events, type(error)) == ([], kind)
        assert error
        assert error.retryable is (kind is errors.ConnectionFailed)


@contextlib.asynccontextmanager
async def serve_silence(head: bytes, silence: float, *, resets: bool) -> AsyncGenerator[str]:
    """Yield the address of a server that takes a request, sends `head`, and closes later."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        await writer.drain()
        await asyncio.sleep(silence)
        if resets:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
