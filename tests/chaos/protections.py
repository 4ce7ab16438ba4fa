"""Switches one protection off in the processes of a chaos run, which must then fail: a run that
cannot fail proves nothing. `BREAK` in the environment names the protection."""

import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

PROVIDER_TIMEOUT_SECONDS = 8.0
"""How long a provider may be silent here. The product's two minutes would be the whole run."""


def shorten_timeouts() -> None:
    from streaming.providers.types import Timeouts

    timeouts = fields(Timeouts)
    Timeouts.__init__.__defaults__ = (PROVIDER_TIMEOUT_SECONDS,) * len(timeouts)


def switch_off_protection() -> None:
    if protection := os.environ.get("BREAK"):
        BREAKS[protection]()


def remove_fence() -> None:
    """The journal accepts every append: from any worker, of any epoch and for any index."""
    from streaming.journal import postgresql

    postgresql.APPEND_STATEMENT = _replace_parts(
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


def _replace_parts(statement: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in statement, f"the statement has no {old!r} any more"
        statement = statement.replace(old, new)
    return statement


def publish_before_commit() -> None:
    """The writer publishes text before it commits it."""
    from streaming.hub import get_hub
    from streaming.worker import writer

    commit = writer.Writer._commit_batch

    async def publish_then_commit(
        self: Any, batch: Sequence[Any], *, is_retry: bool = False
    ) -> None:
        get_hub().publish_update([entry for _, entry in batch])
        await commit(self, batch, is_retry=is_retry)

    writer.Writer._commit_batch = publish_then_commit  # type: ignore[method-assign]
    assert hasattr(writer, "get_hub"), "the writer publishes in another way"
    writer.get_hub = SilentHub


class SilentHub:
    """Publishes nothing."""

    def publish_update(self, entries: Sequence[Any]) -> None:
        pass


def remove_refill() -> None:
    """A follower reads the journal once, when it joins. Later it depends on notifications alone."""
    from streaming.hub.recent import RecentChunks

    async def next_notified_chunks(
        self: Any, last: int, head: Any, *, joined: bool = True
    ) -> tuple[Any, list[Any] | None]:
        while not self.is_deleted:
            newest = self.head or head
            chunks = self.chunks_after(last, joined=joined)
            if chunks or newest != head:
                return newest, chunks
            await self.wait_for_change()
        return head, None

    RecentChunks.next_chunks = next_notified_chunks  # type: ignore[method-assign]


FAULTS_BY_BREAK = {
    # A worker stopped for longer than its lease continues to write in place of its successor.
    "fence": ("worker: SIGSTOP past its lease",),
    # The worker dies together with the database, while followers have the published text.
    "publish-first": ("worker: kill -9 without a database",),
}
"""Without a protection, only these faults are injected. Random ones would take too long."""

BREAKS: dict[str, Callable[[], None]] = {
    "fence": remove_fence,
    "publish-first": publish_before_commit,
    "no-refill": remove_refill,
}
