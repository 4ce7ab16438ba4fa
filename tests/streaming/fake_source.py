"""A source of streams whose events a test decides, one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from django.db import connection

from streaming import journal, sources
from streaming.events import Delta, DeltaKind, Finish, StreamText
from streaming.models import State, Stream
from streaming.providers.adapter import ReplyEvent
from streaming.providers.redaction import Secret
from streaming.providers.reply_source import ReplySource
from streaming.providers.types import FinishReason, ModelInfo, Request, Usage
from streaming.sources import StreamHandler
from tests.streaming.factories import SOURCE

CUT = object()
"""Ends a source without an end marker."""


class SourceScript:
    """The events of one stream's source. The source waits until the test adds the next one."""

    def __init__(self) -> None:
        self._steps: asyncio.Queue[ReplyEvent | Exception | object] = asyncio.Queue()
        self.calls = 0
        self.closed = 0

    def write(self, *texts: str, kind: DeltaKind = "text") -> None:
        for text in texts:
            self._steps.put_nowait(Delta(text, kind))

    def finish(self, reason: FinishReason = "stop", usage: Usage | None = None) -> None:
        self._steps.put_nowait(Finish(reason, usage.to_counts() if usage else None))

    def fail(self, error: Exception) -> None:
        self._steps.put_nowait(error)

    def break_off(self) -> None:
        self._steps.put_nowait(CUT)

    @property
    def is_consumed(self) -> bool:
        """Whether the worker has taken all events so far."""
        return self._steps.empty()

    async def stream(self, request: Request, key: Secret) -> AsyncGenerator[ReplyEvent, None]:
        self.calls += 1
        try:
            while (step := await self._steps.get()) is not CUT:
                if isinstance(step, Exception):
                    raise step
                assert isinstance(step, Delta | Finish)
                yield step
        finally:
            self.closed += 1

    async def models(self, key: Secret) -> tuple[ModelInfo, ...]:
        return ()


@dataclass
class FakeSource:
    """The source of scripted streams. It records what the engine calls."""

    scripts: dict[str, SourceScript] = field(default_factory=dict)
    prepared: list[tuple[int, StreamText]] = field(default_factory=list)
    finalized: list[tuple[int, State]] = field(default_factory=list)
    stored_texts: dict[int, StreamText | None] = field(default_factory=dict)
    on_prepare: Callable[[Stream], None] = lambda stream: None
    on_finalize: Callable[[Stream], None] = lambda stream: None

    def script(self, name: str = "") -> SourceScript:
        """Return the script of all streams whose argument `script` is this name."""
        return self.scripts.setdefault(name, SourceScript())

    def prepare(self, stream: Stream, text: StreamText) -> ReplySource:
        self.prepared.append((stream.pk, text))
        self.on_prepare(stream)
        script = self.scripts[stream.arguments.get("script", "")]
        return ReplySource(script, Request(model="scripted", turns=()), key=Secret(""))

    def finalize(self, stream: Stream) -> None:
        assert connection.in_atomic_block
        self.on_finalize(stream)
        self.finalized.append((stream.pk, State(stream.state)))
        self.stored_texts[stream.pk] = journal.read_text(stream.pk)

    def load_text(self, stream: Stream) -> StreamText | None:
        return self.stored_texts.get(stream.pk, StreamText())

    def register(self) -> None:
        handler = StreamHandler(
            prepare=self.prepare, finalize=self.finalize, load_text=self.load_text
        )
        sources.register(SOURCE, handler)
