"""A source of streams that makes tokens at a steady rate, in the worker that runs it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from benchmarks.tokens import steady
from streaming.journal import Text
from streaming.models import Stream
from streaming.providers.base import Delta, Event, Finish, ListedModel, Request
from streaming.sources import Registration, Source, register

SOURCE = "benchmark"


class Steady:
    """Stands where a provider's adapter does. Its arguments are those of `tokens.steady`."""

    def __init__(self, start: float, rate: float, count: int) -> None:
        self._tokens = steady(start, rate, count)

    async def stream(self, request: Request, key: str) -> AsyncGenerator[Event, None]:
        async for token in self._tokens:
            yield Delta(token)
        yield Finish("stop")

    async def models(self, key: str) -> tuple[ListedModel, ...]:
        return ()


def prepare(stream: Stream, text: Text) -> Source:
    return Source(Steady(**stream.arguments), Request(SOURCE, ()), key="")


def settle(stream: Stream) -> None:
    """These streams write no message."""


def recall(stream: Stream) -> Text | None:
    return None


def register_source() -> None:
    register(SOURCE, Registration(prepare, settle, recall))
