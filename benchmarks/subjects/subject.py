"""What a subject of the benchmark can be asked for, whatever it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from benchmarks.client.wires import Spec


@dataclass(frozen=True, slots=True)
class Plan:
    """So many streams at once, each with `rate` tokens a second from `start` on (seconds of the
    monotonic clock), `count` in all. The streams' tokens come evenly spread over time."""

    streams: int
    rate: float
    start: float
    count: int
    before: int = 0
    """Tokens that come at once, as soon as the stream begins; Holdfast only."""

    def starts(self) -> list[float]:
        apart = 1 / self.rate / self.streams
        return [self.start + number * apart for number in range(self.streams)]


class Subject(Protocol):
    """One way to stream text. It runs while it is open; streams are begun again and again."""

    @property
    def name(self) -> str: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    @property
    def processes(self) -> dict[str, int]:
        """The pids of all processes whose work is the subject's, by what they do."""
        ...

    def begin(self, plan: Plan) -> Sequence[Spec]:
        """Start these streams; how a client reads each of them."""
        ...

    def settle(self) -> None:
        """Return once nothing runs any more."""
        ...

    def replayable(self, tokens: int, streams: int) -> Sequence[Spec]:
        """Streams that have so many tokens and go on; how a client reads all there is so far."""
        ...
