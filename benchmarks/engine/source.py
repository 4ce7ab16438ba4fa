"""A source of streams that makes tokens at a steady rate, in the worker that runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from benchmarks.tokens import get_metronome, make_token
from streaming.events import Delta, Finish, SourceEvent, StreamText
from streaming.models import Stream
from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter
from streaming.providers.reply_source import ReplySource
from streaming.providers.types import Request, Turn
from streaming.sources import Source, StreamHandler, register

SOURCE = "benchmark"
KEY = Secret("sk-benchmark")
REQUEST = Request("gpt-4o-mini", (Turn("user", "Tell me about kelp."),))


class SteadySource:
    """Makes tokens at a rate. Its arguments are those of `tokens.generate_tokens`, and the number
    of tokens that come at once before them."""

    def __init__(self, start: float, rate: float, count: int, before: int = 0) -> None:
        self._start, self._rate, self._count, self._before = start, rate, count, before

    async def events(
        self, so_far: StreamText, checkpoint: str
    ) -> AsyncGenerator[SourceEvent, None]:
        for index in range(self._before):
            yield Delta(make_token(index))
            await asyncio.sleep(0)  # lets other tasks run, as between two packets
        # Not `tokens.generate_tokens`: a source is one generator, not one around another.
        sleep_until = get_metronome().sleep_until
        for number in range(self._count):
            await sleep_until(self._start + number / self._rate)
            yield Delta(make_token(self._before + number))
        yield Finish("stop")

    async def cancel(self, checkpoint: str) -> None:
        """Do nothing: the source ends with its generator."""


def prepare(stream: Stream, text: StreamText) -> Source:
    """Return a source that makes tokens here, or the source of a provider at an address."""
    if url := stream.arguments.get("openai"):
        return ReplySource(get_adapter("openai", base_url=url), REQUEST, KEY)
    return SteadySource(**stream.arguments)


def recall(stream: Stream) -> StreamText | None:
    return None


def register_source() -> None:
    register(SOURCE, StreamHandler(prepare=prepare, load_text=recall))
