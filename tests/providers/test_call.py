"""The timeouts of a call, and its errors for responses that are no stream."""

import asyncio
import gzip
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import httpx2
import pytest

from streaming.events import Delta, Finish
from streaming.providers import errors
from streaming.providers.adapter import ReplyEvent
from streaming.providers.http import call as calls
from streaming.providers.http import classify
from streaming.providers.http.adapter import HttpAdapter
from streaming.providers.http.parsed import ErrorResponse, ParsedEvent, Reason
from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter
from streaming.providers.types import ModelInfo, Request, Timeouts, Turn
from tests.providers.factories import collect_events
from tests.providers.wires import WIRES, Wire
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

TIMES = Timeouts(connect=1.0, first_delta=0.5, idle=0.5, reasoning=1.2)
"""On a busy machine a keep-alive that is due every 10 ms comes up to half a second late."""


async def ask_wire(fake: Fake, wire: Wire) -> list[ReplyEvent]:
    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake))
    return await collect_events(adapter, Request(wire.model, (Turn("user", "?"),)))


# Keep-alives without content


@pytest.mark.parametrize("has_begun", [False, True], ids=["before the first word", "in the middle"])
async def test_keep_alives_extend_the_wait_but_not_without_limit(has_begun: bool) -> None:
    started = time.monotonic()
    with pytest.raises(errors.TimedOut):
        await stream_with_keep_alives(TIMES, *([Delta("Kelp")] if has_begun else []))
    assert time.monotonic() - started >= TIMES.reasoning


async def test_keep_alives_after_the_end_marker_delay_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "USAGE_WAIT_SECONDS", 0.1)
    patient = Timeouts(first_delta=60.0, idle=60.0)
    async with asyncio.timeout(10):
        events = await stream_with_keep_alives(patient, Delta("Kelp"), Reason("stop"))
    assert events == [Delta("Kelp"), Finish("stop")]


class KeepAliveAdapter(HttpAdapter):
    """A provider that sends these events, and then only keep-alives."""

    is_keyless = True

    def __init__(self, timeouts: Timeouts, base_url: str, *sent: ParsedEvent) -> None:
        super().__init__(timeouts=timeouts, base_url=base_url)
        self.sent = sent

    def create_client(self, key: Secret, http: httpx2.AsyncClient) -> httpx2.AsyncClient:
        return http

    async def send(self, client: Any, request: Request) -> None:
        await client.send(client.build_request("GET", self.base_url), stream=True)

    async def decode(self, body: AsyncGenerator[bytes, None]) -> AsyncGenerator[Any, None]:
        for number in range(len(self.sent)):
            yield {"number": number}
        while True:
            await asyncio.sleep(0.01)
            yield {}

    def parse_event(self, event: dict[str, Any]) -> Iterator[ParsedEvent]:
        yield self.sent[event["number"]]

    def error_response(self, error: Exception) -> ErrorResponse | None:
        return None

    async def fetch_models(self, client: Any) -> list[ModelInfo]:
        return []


async def stream_with_keep_alives(timeouts: Timeouts, *sent: ParsedEvent) -> list[ReplyEvent]:
    is_done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, serve: asyncio.StreamWriter) -> None:
        serve.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        await reader.read()
        serve.close()
        is_done.set()

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        adapter = KeepAliveAdapter(timeouts, url, *sent)
        try:
            return [event async for event in adapter.stream(Request("m", ()), Secret(""))]
        finally:
            await is_done.wait()


# Responses that are no stream


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_an_error_body_with_a_success_status_is_an_error(fake: Fake, wire: Wire) -> None:
    for label in ("wrong key", "no credit", "rate limited", "overloaded"):
        serve, expected = wire.failures[label]
        fake.reset()
        fake.script(Behaviour(error=ErrorAnswer(200, serve.body)))
        with pytest.raises(errors.ProviderError) as caught:
            await ask_wire(fake, wire)
        assert (label, type(caught.value)) == (label, expected)
        assert len(fake.requests()) == 1


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_an_html_page_instead_of_a_stream_is_quoted(fake: Fake, wire: Wire) -> None:
    fake.script(Behaviour(error=ErrorAnswer(200, "<html>\n\nPlease sign in.</html>")))
    with pytest.raises(errors.ProviderError, match="could not be read") as caught:
        await ask_wire(fake, wire)
    assert "No stream of events, but: b'<html>" in caught.value.detail


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_redirects_are_not_followed(fake: Fake, wire: Wire, status: int) -> None:
    """The administrator has to set the address to which the server redirects."""
    fake.script(Behaviour(error=ErrorAnswer(status, "", {"location": f"{fake.url}/elsewhere"})))
    with pytest.raises(errors.WrongAddress, match="redirects to another address") as caught:
        await ask_wire(fake, wire)
    assert (caught.value.status, caught.value.retryable) == (status, False)
    assert "https" in caught.value.message
    assert len(fake.requests()) == 1


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_a_compressed_error_is_classified_by_its_status(fake: Fake, wire: Wire) -> None:
    compressed = gzip.compress(b"{}").decode("latin-1")
    headers = {"content-encoding": "gzip", "retry-after": "7"}
    fake.script(Behaviour(error=ErrorAnswer(429, compressed, headers)))
    with pytest.raises(errors.RateLimited) as caught:
        await ask_wire(fake, wire)
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "99999999999999999999"}, classify.MAX_RETRY_AFTER_SECONDS),
        ({"retry-after-ms": "99999999999999999999"}, classify.MAX_RETRY_AFTER_SECONDS),
        ({"retry-after": "Wed, 25 Nov 2099 23:00:00 GMT"}, classify.MAX_RETRY_AFTER_SECONDS),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "٣"}, None),
    ],
    ids=str,
)
def test_a_retry_time_beyond_the_limit_is_not_retried(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert classify.parse_retry_after(headers) == seconds


# Words in place of a stream


WORDS: dict[str, type[errors.ProviderError]] = {
    "Unauthorized": errors.InvalidKey,
    "401 Unauthorized": errors.InvalidKey,
    "Forbidden\n": errors.NoPermission,
    "Too Many Requests": errors.RateLimited,
    "no healthy upstream": errors.Overloaded,
    "Error 502: Bad Gateway": errors.Overloaded,
    "upstream request timeout": errors.TimedOut,
    "The kelp is asleep.\n\nAsk it later.": errors.ProviderError,
    "Error: the model `kelp` was not found": errors.ModelNotFound,
}


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
@pytest.mark.parametrize("words", WORDS)
async def test_words_of_a_proxy_in_place_of_a_stream_are_its_error(
    fake: Fake, wire: Wire, words: str
) -> None:
    fake.script(Behaviour(error=ErrorAnswer(200, words), times=None))
    with pytest.raises(errors.ProviderError) as caught:
        await ask_wire(fake, wire)
    expected = WORDS[words]
    if expected is errors.TimedOut:
        expected = wire.silence_error
    assert type(caught.value) is expected
    assert words.removeprefix("Error: ").strip() in caught.value.detail
