"""What the engine runs: sources, registered by name by whoever owns them.

`streaming` knows nothing of chat. An application registers three functions for its streams,
and the engine calls them at the right moments.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streaming.providers.base import Adapter, Event, Request

if TYPE_CHECKING:
    from streaming.journal import Text
    from streaming.models import Stream


def forget(parameter: str) -> None:
    """For those who remember nothing of what was refused."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a worker iterates: an adapter, what to ask it, and the key to ask with.

    `refused` is called, in a thread, with the parameter of the request that the provider turned
    out not to take at all.
    """

    adapter: Adapter
    request: Request
    key: str = field(repr=False)
    refused: Callable[[str], None] = forget

    def events(self) -> AsyncGenerator[Event, None]:
        return self.adapter.stream(self.request, self.key)


@dataclass(frozen=True, slots=True)
class Registration:
    """The functions of one kind of stream; all are synchronous and may use the database.

    `prepare(stream, text)` makes the source, in a thread. `text` is what the journal holds
    already: empty unless the stream is carried on after a crash or continues another one.
    It may raise a `ProviderError`, which fails the stream with its message, and is called
    again when the database went away under it.

    `settle(stream)` runs inside the transaction that ends a stream, and keeps what the
    application shows of it true. If it raises, the ending is rolled back and made once
    more as *failed*.

    `recall(stream)` gives what the application holds of an ended stream's text: the chunks are
    folded away once it is the same, and it is what followers get then. None: it shows nothing
    of this stream any more.
    """

    prepare: Callable[[Stream, Text], Source]
    settle: Callable[[Stream], None]
    recall: Callable[[Stream], Text | None]


_registered: dict[str, Registration] = {}


def register(name: str, registration: Registration) -> None:
    _registered[name] = registration


def registered(name: str) -> Registration:
    """Raises KeyError for a source that nobody registered."""
    return _registered[name]


# Chores

_chores: list[Callable[[], None]] = []


def keep_house(chore: Callable[[], None]) -> None:
    """Have every worker do this about once a minute. It does not matter how many do it, nor how
    often; it may fail, and is done again."""
    _chores.append(chore)


def chores() -> tuple[Callable[[], None], ...]:
    return tuple(_chores)
