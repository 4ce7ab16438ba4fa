"""A source of streams that makes tokens at a steady rate, in the worker that runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from benchmarks.tokens import metronome, token
from streaming.events import Delta, Finish, SourceEvent, StreamText
from streaming.models import Stream
from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter
from streaming.providers.reply_source import ReplySource
from streaming.providers.types import Request, Turn
from streaming.sources import Source, StreamHandler, register

SOURCE = "benchmark"
KEY = Secret("sk-benchmark")
ASKED = Request("gpt-4o-mini", (Turn("user", "Tell me about kelp."),))


class Steady:
    """Makes tokens at a rate. Its arguments are those of `tokens.steady`, and how many tokens come
    at once before them."""

    def __init__(self, start: float, rate: float, count: int, before: int = 0) -> None:
        self._start, self._rate, self._count, self._before = start, rate, count, before

    async def events(
        self, so_far: StreamText, checkpoint: str
    ) -> AsyncGenerator[SourceEvent, None]:
        for index in range(self._before):
            yield Delta(token(index))
            await asyncio.sleep(0)  # others have their turn, as they do between two packets
        # Not `tokens.steady`: a source is one generator, not one around another.
        at = metronome().at
        for number in range(self._count):
            await at(self._start + number / self._rate)
            yield Delta(token(self._before + number))
        yield Finish("stop")

    async def cancel(self, checkpoint: str) -> None:
        """Nothing goes on without its generator."""


def prepare(stream: Stream, text: StreamText) -> Source:
    """Tokens that are made here, or those of a provider at the address that is given."""
    if url := stream.arguments.get("openai"):
        return ReplySource(get_adapter("openai", base_url=url), ASKED, KEY)
    return Steady(**stream.arguments)


def recall(stream: Stream) -> StreamText | None:
    return None


def register_source() -> None:
    register(SOURCE, StreamHandler(prepare=prepare, load_text=recall))
