"""Switches one protection off, in the processes of a chaos run that must fail: a run that can't
fail proves nothing. `BREAK` in the environment says which; without it everything is whole."""

import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

SILENCE = 8.0
"""Seconds after which a silent provider is given up here; two minutes would be the whole run."""


def sabotage() -> None:
    from streaming.providers.types import Timeouts

    times = fields(Timeouts)
    Timeouts.__init__.__defaults__ = (SILENCE,) * len(times)
    if broken := os.environ.get("BREAK"):
        BREAKS[broken]()


def without_fence() -> None:
    """The journal takes whatever comes, from whoever, for whichever index."""
    from streaming.journal import postgresql

    postgresql.APPEND_STATEMENT = _replaced(
        postgresql.APPEND_STATEMENT,
        (
            "AND CASE s.state WHEN 'running' THEN s.epoch = e.epoch AND s.next_index = e.first END",
            "",
        ),
        (
            "JOIN moved ON moved.id = c.stream_id",
            "JOIN moved ON moved.id = c.stream_id "
            'ON CONFLICT (stream_id, "index") DO UPDATE SET delta = EXCLUDED.delta',
        ),
    )


def _replaced(statement: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in statement, f"the statement has no {old!r} any more"
        statement = statement.replace(old, new)
    return statement


def publish_first() -> None:
    """The writer publishes, and only then commits."""
    from streaming.worker.writer import Writer

    commit, publish = Writer._commit_batch, Writer._publish

    async def publish_then_commit(self: Any, batch: Sequence[Any]) -> None:
        publish(self, [entry for _, entry in batch])
        await commit(self, batch)

    Writer._commit_batch = publish_then_commit  # type: ignore[method-assign]
    Writer._publish = lambda self, entries: None  # type: ignore[method-assign]


def without_refill() -> None:
    """A follower reads the journal when it joins, and after that only gets notifications."""
    from streaming.hub.recent import RecentChunks

    async def next_notified_chunks(self: Any, last: int, head: Any) -> tuple[Any, list[Any] | None]:
        while not self.is_deleted:
            newest = self.head or head
            chunks = self.chunks_after(last)
            if chunks or newest != head:
                return newest, chunks
            await self.wait_for_change()
        return head, None

    RecentChunks.next_chunks = next_notified_chunks  # type: ignore[method-assign]


REVEALED_BY = {
    # A worker stopped for longer than its lease continues to write in place of its successor.
    "fence": ("worker: SIGSTOP past its lease",),
    # Text that was published but not committed is noticed when neither worker nor database has it
    # any more, and its followers are still there.
    "publish-first": ("worker: kill -9 without a database",),
}
"""The faults that a run without a protection is limited to, if random ones take too long."""

BREAKS: dict[str, Callable[[], None]] = {
    "fence": without_fence,
    "publish-first": publish_first,
    "no-refill": without_refill,
}
