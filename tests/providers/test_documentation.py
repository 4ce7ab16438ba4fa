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
ASKED = Request("spring", (Turn("user", "How high?"),), max_tokens=9)


def fenced(language: str, after: str) -> str:
    """The first block of code in this language after these words of the page."""
    found = re.search(f"```{language}\n(.*?)```", PAGE.read_text().split(after, 1)[1], re.DOTALL)
    assert found
    return found.group(1)


@pytest.fixture(scope="module")
def tidal() -> type[HttpAdapter]:
    """The example's class."""
    names: dict[str, Any] = {"__name__": "tidal"}
    exec(compile(fenced("python", "<!-- example: tidal.py -->"), str(PAGE), "exec"), names)
    example: type[HttpAdapter] = names["Tidal"]
    return example


@asynccontextmanager
async def serving(status: int, *lines: Any, stall: bool = False) -> AsyncIterator[tuple[str, Any]]:
    """A provider like the example's: its address with the requests it got, or if it stalls, with
    an event for when it is left."""
    seen: list[bytes] = []
    gone = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        seen.append(head + await reader.readexactly(int(size.group(1)) if size else 0))
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        writer.write(f"HTTP/1.1 {status} X\r\nx-request-id: t1\r\n\r\n".encode() + body)
        await writer.drain()
        if stall:
            await reader.read()
            gone.set()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, family=socket.AF_INET)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", gone if stall else seen


async def test_the_example_streams_a_reply(tidal: type[HttpAdapter]) -> None:
    said = (
        {"thought": "Hm"},
        {"wave": "Two "},
        {"wave": "m"},
        {"ends": "ebb", "heard": 3, "said": 2},
    )
    async with serving(200, *said) as (url, seen):
        events = [event async for event in tidal(base_url=url).stream(ASKED, Secret(KEY))]
    assert events == [
        Delta("Hm", "reasoning"),
        Delta("Two "),
        Delta("m"),
        Finish("stop", Usage(3, 2).to_counts(), "t1"),
    ]
    assert b'"limit":9' in seen[0]
    assert f"Bearer {KEY}".encode() in seen[0]


async def test_the_example_raises_our_errors_without_the_key(tidal: type[HttpAdapter]) -> None:
    async with serving(429, {"no": KEY}) as (url, _):
        with pytest.raises(errors.RateLimited) as caught:
            _ = [event async for event in tidal(base_url=url).stream(ASKED, Secret(KEY))]
    assert caught.value.upstream_id == "t1"
    assert KEY not in repr(vars(caught.value))


async def test_the_example_can_be_cut_and_stopped(tidal: type[HttpAdapter]) -> None:
    async with serving(200, {"wave": "Two "}) as (url, _):
        events = [event async for event in tidal(base_url=url).stream(ASKED, Secret(KEY))]
    assert events == [Delta("Two ")]
    async with serving(200, {"wave": "Two "}, stall=True) as (url, gone):
        stream = tidal(base_url=url).stream(ASKED, Secret(KEY))
        assert await anext(stream) == Delta("Two ")
        await stream.aclose()
        await asyncio.wait_for(gone.wait(), 5)


async def test_the_example_lists_its_models(tidal: type[HttpAdapter]) -> None:
    async with serving(200, ["spring", "neap"]) as (url, _):
        listed = await tidal(base_url=url).list_models(Secret(KEY))
    assert listed == (ModelInfo("spring"), ModelInfo("neap"))


def test_the_example_rows_are_providers() -> None:
    for row in json.loads(fenced("json", "## A compatible server is a row")):
        provider, models = compatible.parse_provider_config(row)
        assert provider.base_url.startswith("http")
        assert provider.needs_key or models


def test_every_file_named_on_the_page_exists() -> None:
    for path in re.findall(r"\]\((\.\./[^)#]+)\)", PAGE.read_text()):
        assert (PAGE.parent / path).exists(), path
