"""The interface of a subject of the benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from benchmarks.client.wires import Spec


@dataclass(frozen=True, slots=True)
class Plan:
    """Streams that run at once, each with `rate` tokens a second from `start` on (seconds of the
    monotonic clock), `count` in all. The tokens of the streams are spread evenly over time."""

    streams: int
    rate: float
    start: float
    count: int
    before: int = 0
    """Tokens that arrive at once when the stream begins; Holdfast only."""

    def list_start_times(self) -> list[float]:
        apart = 1 / self.rate / self.streams
        return [self.start + number * apart for number in range(self.streams)]


class Subject(Protocol):
    """One way to stream text. It runs while it is open; streams are started repeatedly."""

    @property
    def name(self) -> str: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    @property
    def processes(self) -> dict[str, int]:
        """Return the pids of all processes that do the subject's work, by their tasks."""
        ...

    def start_streams(self, plan: Plan) -> Sequence[Spec]:
        """Start these streams. Return for each the spec of a client that reads it."""
        ...

    def wait_until_idle(self) -> None:
        """Return when no stream runs any more."""
        ...

    def create_replayable(self, tokens: int, streams: int) -> Sequence[Spec]:
        """Start streams that have a number of tokens and continue. Return the specs of clients that
        read the text so far."""
        ...
