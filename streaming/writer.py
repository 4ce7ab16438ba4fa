"""The group commit: what the streams of a worker have to say is written in one statement.

While one batch is being committed the next one gathers, so with few streams the commit itself is
the clock; the more there are, the longer the beat, so that a row holds more than a token.
One thread and one connection do all of it, and nothing is published before it is committed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from streaming import journal, upstream
from streaming.database import UNANSWERED, Threads, keeping
from streaming.journal import Entry, Text
from streaming.models import Kind, Stream
from streaming.outage import outage
from streaming.providers.base import Upstream

logger = logging.getLogger(__name__)

PENDING_BYTES = 256 * 1024
"""How much of one stream may wait for its commit before its source is held back."""
MAX_STREAM_CHARS = 2_000_000
"""About the most characters of text and thoughts that a stream may have: four times what the
models with the longest replies write. A source that never ends is ended there."""
BEAT_PER_STREAM = 0.0013
LONGEST_BEAT = 0.075
"""Seconds from one round of commits to the next: nothing that anybody sees, and with many streams
half of the cost."""
STREAMS_PER_COMMIT = 128
"""With more of them, the first ones' text is already on its way while the last ones' is written."""


class Pen:
    """One running stream as the writer sees it: where it stands, and what is not yet written."""

    def __init__(self, stream: Stream, text: Text) -> None:
        self.stream = stream
        self.first_index = self.next_index = text.next_index
        self.offsets = {Kind.TEXT: len(text.text), Kind.REASONING: len(text.reasoning)}
        self.pending: list[tuple[Kind, list[str]]] = []
        self.place = upstream.left_at(stream)
        self.size, self.most = 0, PENDING_BYTES
        self.too_long = False
        self.in_flight = False
        self.refused = False
        self.broken = False
        self.changed = asyncio.Event()

    @property
    def used(self) -> bool:
        """Whether anything was written with it, or waits to be."""
        return self.next_index > self.first_index or bool(self.pending)

    @property
    def full(self) -> bool:
        return self.size >= self.most

    def add(self, kind: Kind, delta: str, place: Upstream | None = None) -> None:
        """Text that comes without a place leaves the provider's copy behind: nobody could say
        any more where in it the journal stands."""
        if self.pending and self.pending[-1][0] == kind != Kind.SEAM:
            self.pending[-1][1].append(delta)
        else:
            self.pending.append((kind, [delta]))
        if place is not None:
            self.place = upstream.storable(place)
        elif self.place is not None and kind != Kind.SEAM:
            self.place = replace(self.place, cursor="")
        self.size += 4 * len(delta)  # at most, in UTF-8

    def take(self) -> Entry | None:
        """What is pending as an entry: neighbours of a kind are one chunk."""
        if not self.pending:
            return None
        chunks: list[journal.Chunk] = []
        for kind, run in self.pending:
            delta = "".join(run)
            offset = self.offsets[Kind.TEXT if kind == Kind.SEAM else kind]
            chunks += journal.cut(kind, delta, self.next_index + len(chunks), offset)
            if kind != Kind.SEAM:
                self.offsets[kind] += len(delta)
        self.pending, self.size = [], 0
        self.next_index += len(chunks)
        if sum(self.offsets.values()) >= MAX_STREAM_CHARS:
            self.too_long, self.most = True, 0  # looked at once a commit, and not for every delta
        stream = self.stream
        return Entry(stream.id, stream.uuid, stream.epoch, tuple(chunks), self.place)


class Writer:
    """Commits for all pens of a worker. `written` is told of every entry after its commit;
    `lost` of every pen whose entry was refused: the stream was stopped or replaced, or its
    text can't be stored."""

    def __init__(
        self, written: Callable[[Sequence[Entry]], None], lost: Callable[[Pen], None]
    ) -> None:
        self._written = written
        self._lost = lost
        self._pens: dict[int, Pen] = {}
        self._threads = Threads("writer", 1, keeping)
        self._wake = asyncio.Event()
        self._urgent = asyncio.Event()

    def open(self, stream: Stream, text: Text) -> Pen:
        pen = self._pens[stream.id] = Pen(stream, text)
        return pen

    def write(self, pen: Pen, kind: Kind, delta: str, place: Upstream | None = None) -> None:
        """Take a delta, and where it stands at the provider. Who writes more than a pen holds waits
        for room."""
        if pen.next_index == 0 and not pen.pending:
            self._urgent.set()
        pen.add(kind, delta, place)
        self._wake.set()

    async def room(self, pen: Pen) -> None:
        """Wait while too much of this stream waits already."""
        while pen.full and not (pen.refused or pen.too_long):
            pen.changed.clear()
            await pen.changed.wait()

    async def close(self, pen: Pen) -> Entry | None:
        """Take a pen out of the batches; what it had not written yet is the caller's to write."""
        while pen.in_flight:
            pen.changed.clear()
            await pen.changed.wait()
        self._forget(pen)
        return None if pen.refused else pen.take()

    async def flush(self, pens: Sequence[Pen]) -> None:
        """Return once everything that these pens hold now is written or refused."""
        self._wake.set()
        self._urgent.set()
        for pen in pens:
            while (pen.pending or pen.in_flight) and not pen.refused:
                pen.changed.clear()
                await pen.changed.wait()

    def drop(self, pen: Pen) -> None:
        """Forget a pen with what it had not written: its stream is over, or another's."""
        self._forget(pen)
        pen.pending, pen.size = [], 0

    def _forget(self, pen: Pen) -> None:
        """The stream may have another pen already: lost, and claimed again at once."""
        if self._pens.get(pen.stream.id) is pen:
            del self._pens[pen.stream.id]

    async def run(self) -> None:
        """Commit round after round, for as long as the worker lives."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._urgent.clear()
            began = asyncio.get_running_loop().time()
            pens = [*self._pens.values()]
            taken = ((pen, e) for pen in pens if not pen.refused and (e := pen.take()) is not None)
            while batch := [*islice(taken, STREAMS_PER_COMMIT)]:
                await self._commit(batch)
            await self._pause(began, len(pens))

    async def _commit(self, batch: Sequence[tuple[Pen, Entry]]) -> None:
        for pen, _ in batch:
            pen.in_flight = True
        accepted, unstorable = await self._append([entry for _, entry in batch])
        self._written([entry for _, entry in batch if entry.stream_id in accepted])
        for pen, entry in batch:
            pen.in_flight = False
            pen.refused = entry.stream_id not in accepted
            pen.broken = entry.stream_id in unstorable
            pen.changed.set()
            if pen.refused:
                self._lost(pen)

    async def _append(self, entries: Sequence[Entry]) -> tuple[set[int], set[int]]:
        """Try until the database took the batch or refused it; never another batch first.
        The streams it was written for, and those whose text can't be stored."""
        again = False
        while True:
            try:
                return await self._threads.run(journal.append, entries, again=again), set()
            except UNANSWERED as error:
                if not outage.explains(error):
                    logger.warning("The journal can't be written (%s); trying again", error)
                again = True
                await asyncio.sleep(0.2)
            except Exception:  # whatever it is, all streams of the worker depend on this task
                return await self._append_apart(entries)

    async def _append_apart(self, entries: Sequence[Entry]) -> tuple[set[int], set[int]]:
        """One stream's text that the database can't store must not cost the others theirs."""
        if len(entries) > 1:
            results = [await self._append([entry]) for entry in entries]
            return set().union(*(r[0] for r in results)), set().union(*(r[1] for r in results))
        logger.exception("Stream %s has text that can't be stored", entries[0].uuid)
        return set(), {entries[0].stream_id}

    async def _pause(self, began: float, streams: int) -> None:
        """The more streams, the slower the beat; a first delta or an ending waits for none."""
        beat = min(streams * BEAT_PER_STREAM, LONGEST_BEAT)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(began + beat):
                await self._urgent.wait()

    def stop(self) -> None:
        self._threads.close()
