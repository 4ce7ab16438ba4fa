"""A tab of one person, through whichever door, and the frames that it got."""

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from tests.chaos.programs import AnnouncedReply

RECONNECT_SECONDS = (0.1, 1.0)
DISTURBANCE_SECONDS = (4.0, 25.0)
"""Seconds between two disturbances of a connection: minimum and maximum."""
FREEZE_SECONDS = (2.0, 40.0)
RECONNECTS = "reconnects: "
"""Begins the name of their count, before that of the door."""
ALL_KINDS = ("text", "reasoning", "seam")


class Reading:
    """The frames that one tab got of one stream, in their order. `kinds` are those that its door
    shows.

    After `follow` was sent again from the start on the same socket, earlier frames may still
    arrive: they are skipped until the first of the new ones.
    """

    def __init__(self, stream: str, kinds: Sequence[str] = ALL_KINDS) -> None:
        self.stream = stream
        self.kinds = kinds
        self.is_skipping = False
        self.early_ends = 0
        self.restart()

    def restart(self) -> None:
        """Begin again, on a connection that shows nothing of the one before. A page that was
        reloaded just after the end has to read the end again, too."""
        self.end: dict[str, Any] | None = None
        self.cursor = -1
        self.frames: list[list[Any]] = []
        self.snapshots = 0

    def count_early_end(self) -> None:
        """The body ended properly and the reply did not, at a door where that means success."""
        self.early_ends += 1

    def add_frame(self, frame: dict[str, Any]) -> None:
        if self.is_skipping and frame.get("first") != 0:
            return
        self.is_skipping = False
        if frame["type"] == "chunk":
            self.frames.append([frame[n] for n in ("first", "index", "kind", "delta", "offset")])
            self.cursor = max(self.cursor, frame["index"])
        elif frame["type"] == "snapshot":
            self.snapshots += 1
            self.cursor = frame["index"]
        elif frame["type"] == "end":
            self.end = {"state": frame["state"], "next": frame["next"]}

    def add_text(self, index: int, kind: str, text: str, offset: int | None = None) -> None:
        """Add a frame of a door that names no first index, and an offset only sometimes."""
        if text:
            self.frames.append([None, index, kind, text, offset])
        self.cursor = index

    def add_unnumbered_text(self, kind: str, text: str) -> None:
        """Add a frame of a door that names no indexes."""
        if text:
            self.frames.append([None, None, kind, text, None])

    def join_text(self, kind: str) -> str:
        return "".join(frame[3] for frame in self.frames if frame[2] == kind)

    def to_json(self, tab: str, door: str) -> str:
        return json.dumps(
            {
                "tab": tab,
                "door": door,
                "stream": self.stream,
                "kinds": self.kinds,
                "frames": self.frames,
                "snapshots": self.snapshots,
                "early_ends": self.early_ends,
                "end": self.end,
            }
        )


@dataclass(frozen=True, slots=True)
class TabOptions:
    """`write` records a line. A tab that never reads follows only for the server's sake."""

    name: str
    webs: list[str]
    cookie: str
    token: str
    seed: str
    counts: Counter[str]
    write: Callable[[str], None]
    never_reads: bool = False


class FollowerTab(ABC):
    """Follows all streams that it is given, each to its end, over any number of connections. At
    random times it disturbs them."""

    door: ClassVar[str]
    kinds: ClassVar[Sequence[str]] = ALL_KINDS
    needs_own_replies: ClassVar[bool] = False
    """Whether the door shows only replies that were asked for through it."""

    def __init__(self, options: TabOptions) -> None:
        self.options = options
        self.counts = options.counts
        self.has_disturbances = True
        self._random = Random(options.seed)
        self._readings: dict[str, Reading] = {}

    @property
    def unfinished_count(self) -> int:
        return len(self._readings)

    def can_follow(self, reply: AnnouncedReply) -> bool:
        return not self.needs_own_replies or reply.door == self.door

    @abstractmethod
    async def follow(self, reply: AnnouncedReply) -> None:
        """Begin to follow the stream of a reply."""

    @abstractmethod
    async def run(self) -> None:
        """Read until the process ends."""

    def count_reconnect(self, is_one: bool) -> None:
        self.counts[f"{RECONNECTS}{self.door}"] += is_one

    def record(self, reading: Reading) -> None:
        """Record a reading that is complete."""
        self._write(reading)
        del self._readings[reading.stream]

    def record_unfinished(self) -> None:
        """Record the frames of the streams that never ended."""
        for reading in self._readings.values():
            self._write(reading)

    def _write(self, reading: Reading) -> None:
        self.options.write(reading.to_json(self.options.name, self.door))

    def _choose_web(self) -> str:
        return self._random.choice(self.options.webs)
