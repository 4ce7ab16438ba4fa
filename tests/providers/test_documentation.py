"""docs/providers.md: the example in it is an adapter like any other, and its row is a provider."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streaming.events import Delta, Finish
from streaming.providers import errors
from streaming.providers.catalog import compatible
from streaming.providers.http.adapter import HttpAdapter
from streaming.providers.redaction import Secret
from streaming.providers.types import ModelInfo, Request, Turn, Usage

PAGE = Path(__file__).resolve().parents[2] / "docs" / "providers.md"
KEY = "tide-canary-0123456789"
REQUEST = Request("spring", (Turn("user", "How high?"),), max_tokens=9)


def find_code_block(language: str, after: str) -> str:
    """Return the first block of code in this language after these words of the page."""
    match = re.search(f"```{language}\n(.*?)```", PAGE.read_text().split(after, 1)[1], re.DOTALL)
    assert match
    return match.group(1)


@pytest.fixture(scope="module")
def tidal_adapter() -> type[HttpAdapter]:
    """Return the class of the example."""
    names: dict[str, Any] = {"__name__": "tidal"}
    exec(compile(find_code_block("python", "<!-- example: tidal.py -->"), str(PAGE), "exec"), names)
    example: type[HttpAdapter] = names["Tidal"]
    return example


@asynccontextmanager
async def run_server(
    status: int, *lines: Any, stall: bool = False
) -> AsyncIterator[tuple[str, Any]]:
    """Run a provider like that of the example. Yield its address, and the requests that it got. If
    it stalls, yield an event for the disconnect of the client instead of the requests."""
    requests: list[bytes] = []
    disconnected = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        requests.append(head + await reader.readexactly(int(size.group(1)) if size else 0))
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        writer.write(f"HTTP/1.1 {status} X\r\nx-request-id: t1\r\n\r\n".encode() + body)
        await writer.drain()
        if stall:
            await reader.read()
            disconnected.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, family=socket.AF_INET)
    async with server:
        yield (
            f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            disconnected if stall else requests,
        )


async def test_the_example_streams_a_reply(tidal_adapter: type[HttpAdapter]) -> None:
    lines = (
        {"thought": "Hm"},
        {"wave": "Two "},
        {"wave": "m"},
        {"ends": "ebb", "heard": 3, "said": 2},
    )
    async with run_server(200, *lines) as (url, requests):
        events = [event async for event in tidal_adapter(base_url=url).stream(REQUEST, Secret(KEY))]
    assert events == [
        Delta("Hm", "reasoning"),
        Delta("Two "),
        Delta("m"),
        Finish("stop", Usage(3, 2).to_counts(), "t1"),
    ]
    assert b'"limit":9' in requests[0]
    assert f"Bearer {KEY}".encode() in requests[0]


async def test_the_example_raises_our_errors_without_the_key(
    tidal_adapter: type[HttpAdapter],
) -> None:
    async with run_server(429, {"no": KEY}) as (url, _):
        with pytest.raises(errors.RateLimited) as caught:
            _ = [event async for event in tidal_adapter(base_url=url).stream(REQUEST, Secret(KEY))]
    assert caught.value.upstream_id == "t1"
    assert KEY not in repr(vars(caught.value))


async def test_the_example_can_be_cut_and_stopped(tidal_adapter: type[HttpAdapter]) -> None:
    async with run_server(200, {"wave": "Two "}) as (url, _):
        events = [event async for event in tidal_adapter(base_url=url).stream(REQUEST, Secret(KEY))]
    assert events == [Delta("Two ")]
    async with run_server(200, {"wave": "Two "}, stall=True) as (url, disconnected):
        stream = tidal_adapter(base_url=url).stream(REQUEST, Secret(KEY))
        assert await anext(stream) == Delta("Two ")
        await stream.aclose()
        await asyncio.wait_for(disconnected.wait(), 5)


async def test_the_example_lists_its_models(tidal_adapter: type[HttpAdapter]) -> None:
    async with run_server(200, ["spring", "neap"]) as (url, _):
        listed = await tidal_adapter(base_url=url).list_models(Secret(KEY))
    assert listed == (ModelInfo("spring"), ModelInfo("neap"))


def test_the_example_rows_are_providers() -> None:
    for row in json.loads(find_code_block("json", "## A compatible server is a row")):
        provider, models = compatible.parse_provider_config(row)
        assert provider.base_url.startswith("http")
        assert provider.needs_key or models


def test_every_file_named_on_the_page_exists() -> None:
    for path in re.findall(r"\]\((\.\./[^)#]+)\)", PAGE.read_text()):
        assert (PAGE.parent / path).exists(), path
