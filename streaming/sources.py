"""What the engine runs: sources, registered by name by whoever owns them.

`streaming` knows nothing of chat. An application registers three functions for its streams,
and the engine calls them at the right moments.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streaming.providers.base import Adapter, ReplyEvent, Request

if TYPE_CHECKING:
    from streaming.journal import StreamText
    from streaming.models import Stream


def ignore_unsupported_parameter(parameter: str) -> None:
    """For those who remember nothing of what was refused."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a worker iterates: an adapter, what to ask it, and the key to ask with.

    `on_unsupported_parameter` is called, in a thread, with the parameter of the request that the
    provider turned out not to take at all.
    """

    adapter: Adapter
    request: Request
    key: str = field(repr=False)
    on_unsupported_parameter: Callable[[str], None] = ignore_unsupported_parameter

    def stream_events(self) -> AsyncGenerator[ReplyEvent, None]:
        return self.adapter.stream(self.request, self.key)


@dataclass(frozen=True, slots=True)
class StreamHandler:
    """The functions of one kind of stream; all are synchronous and may use the database.

    `prepare(stream, text)` makes the source, in a thread. `text` is what the journal holds
    already: empty unless the stream is carried on after a crash or continues another one.
    It may raise a `ProviderError`, which fails the stream with its message, and is called
    again when the database went away under it.

    `finalize(stream)` runs inside the transaction that ends a stream, and keeps what the
    application shows of it true. If it raises, the ending is rolled back and made once
    more as *failed*.

    `load_text(stream)` gives what the application holds of an ended stream's text: the chunks are
    folded away once it is the same, and it is what followers get then. None: it shows nothing
    of this stream any more.
    """

    prepare: Callable[[Stream, StreamText], Source]
    finalize: Callable[[Stream], None]
    load_text: Callable[[Stream], StreamText | None]


_handlers: dict[str, StreamHandler] = {}


def register(name: str, handler: StreamHandler) -> None:
    _handlers[name] = handler


def get_handler(name: str) -> StreamHandler:
    """Raises KeyError for a source that nobody registered."""
    return _handlers[name]


# Chores

_periodic_tasks: list[Callable[[], None]] = []


def register_periodic_task(task: Callable[[], None]) -> None:
    """Have every worker do this about once a minute. It does not matter how many do it, nor how
    often; it may fail, and is done again."""
    _periodic_tasks.append(task)


def get_periodic_tasks() -> tuple[Callable[[], None], ...]:
    return tuple(_periodic_tasks)
