"""Sources that the engine runs, and the handlers that make them, registered by name.

The engine does not know what it streams. An application registers a handler for each kind of
stream that it has, and the engine calls it at the right moments.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from streaming.events import SourceEvent, StreamText

if TYPE_CHECKING:
    from streaming.models import Stream


class Source(Protocol):
    """Makes the text of one stream. A subclass inherits a `cancel` that does nothing."""

    def events(self, so_far: StreamText, checkpoint: str) -> AsyncGenerator[SourceEvent, None]:
        """Yield what comes after `so_far`, and a `Finish` at the end.

        `checkpoint` is the last one that was committed; empty if there is none. Without a `Finish`
        the stream counts as interrupted. Raises `SourceError`. The engine closes the generator, or
        cancels it, when the stream was stopped or belongs to another worker now.
        """
        ...

    async def cancel(self, checkpoint: str) -> None:
        """Called with a checkpoint after the stream was stopped: stop work that would continue
        elsewhere, such as at a provider. Raises `SourceError`."""
        return


def _ignore_ending(stream: Stream) -> None:
    pass


def _keep_text(text: StreamText) -> StreamText:
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamHandler:
    """The functions of one kind of stream. All are synchronous and may use the database.

    `prepare(stream, text)` makes the source, in a thread. `text` is what the journal holds: empty
    unless the stream continues after a crash, or continues another one. It may raise a
    `SourceError`, which fails the stream with its message. It is called again if the database went
    away.

    `finalize(stream)` runs in the transaction that ends a stream, and updates what the application
    shows of it. If it raises, the ending is rolled back, and the stream ends as *failed*. By
    default it does nothing.

    `load_text(stream)` returns the text of an ended stream that the application holds. Once it
    has the journal's, the chunks are folded, and followers get this text. Text may be added to its
    end later; if it changes, its chunks can't be built again. None means that the application
    shows nothing of the stream any more.

    `convert_text(text)` returns a text of the journal as the application holds it, by default
    unchanged.
    """

    prepare: Callable[[Stream, StreamText], Source]
    load_text: Callable[[Stream], StreamText | None]
    finalize: Callable[[Stream], None] = _ignore_ending
    convert_text: Callable[[StreamText], StreamText] = _keep_text


_handlers: dict[str, StreamHandler] = {}


def register(name: str, handler: StreamHandler) -> None:
    """Register a handler under the name that streams hold as their `source`."""
    _handlers[name] = handler


def get_handler(name: str) -> StreamHandler:
    """Raises KeyError for a name that is not registered."""
    return _handlers[name]


Task = Callable[[], None]

_periodic_tasks: list[Task] = []
_follow_ups: list[Task] = []


def register_periodic_task(task: Task) -> None:
    """Every worker runs the task about once a minute. Several workers may run it at the same time;
    if it fails, it runs again."""
    _periodic_tasks.append(task)


def register_follow_up(task: Task) -> None:
    """Workers run the task soon after a stream has ended, and every few seconds, because the worker
    that ended the stream may have died. It must return soon. Otherwise as a periodic task."""
    _follow_ups.append(task)


def get_periodic_tasks() -> tuple[Task, ...]:
    return tuple(_periodic_tasks)


def get_follow_ups() -> tuple[Task, ...]:
    return tuple(_follow_ups)
