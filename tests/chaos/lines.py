"""A source of another kind than replies: numbered lines, each with a checkpoint.

It is made with the names of `streaming` that any project uses, and no page or model knows it. A
source that began again, or continued from the wrong place, would double or lose a line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streaming.events import Delta, Finish, SourceEvent, StreamText
from streaming.sources import Source, StreamHandler, register

if TYPE_CHECKING:
    from streaming.models import Stream

LINES_SOURCE = "chaos lines"


@dataclass(frozen=True)
class NumberedLines(Source):
    """`count` lines with a name, one every `delay` seconds."""

    name: str
    count: int
    delay: float

    @property
    def text(self) -> str:
        return "".join(map(self.format_line, range(self.count)))

    def format_line(self, number: int) -> str:
        return f"{self.name}:{number} {'🪸' * (number % 3)}\n"

    async def events(
        self, so_far: StreamText, checkpoint: str
    ) -> AsyncGenerator[SourceEvent, None]:
        for number in range(int(checkpoint or 0), self.count):
            await asyncio.sleep(self.delay)
            yield Delta(self.format_line(number), checkpoint=str(number + 1))
        yield Finish()


def prepare(stream: Stream, text: StreamText) -> Source:
    return NumberedLines(**stream.arguments)


def load_text(stream: Stream) -> StreamText:
    return StreamText(NumberedLines(**stream.arguments).text[: stream.length])


def register_lines() -> None:
    register(LINES_SOURCE, StreamHandler(prepare=prepare, load_text=load_text))
