"""Reads and writes of a worker in the row of a stream that it runs."""

from __future__ import annotations

from streaming.models import State, Stream, split_checkpoint

MAX_TAKEOVERS = 1
"""How often a stream that has text is continued after its worker died."""
MAX_RESTARTS = 3
"""How often a stream without any text is started again after its worker died."""


def set_note(stream_id: int, epoch: int, note: str) -> bool:
    """Write a note for people. False: the stream is over, or another worker has claimed it."""
    mine = Stream.objects.filter(id=stream_id, epoch=epoch, state=State.RUNNING)
    return mine.update(note=note) > 0


def save_checkpoint(stream_id: int, epoch: int, checkpoint: str) -> bool:
    """Save a checkpoint before there is any text to commit it with. False: as for `set_note`."""
    mine = Stream.objects.filter(id=stream_id, epoch=epoch, state=State.RUNNING)
    upstream_id, cursor = split_checkpoint(checkpoint)
    return mine.update(upstream_id=upstream_id, upstream_cursor=cursor) > 0


def is_stopped_or_deleted(stream_id: int) -> bool:
    """Whether the rest of this stream is not wanted any more."""
    stream = Stream.objects.filter(id=stream_id).first()
    return stream is None or stream.state == State.STOPPED


def has_exhausted_attempts(stream: Stream) -> bool:
    """Whether it was taken over from dead workers too often to try once more."""
    return stream.attempts > (MAX_TAKEOVERS if stream.next_index else MAX_RESTARTS)
