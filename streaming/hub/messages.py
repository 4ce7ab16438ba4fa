"""The messages between processes: what each holds, and how other versions read it.

During a deployment, processes of two versions share one channel layer. So every part of a message
has a name, and a reader ignores names that it does not know. A message also has the lowest
`version` of a reader that can read it; adding a name does not raise it. A reader of an older
version drops the message, and its followers get the text from the database within a second.
docs/decisions/0015 describes how a form is replaced.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from streaming.journal import Append, Chunk, StreamHead
from streaming.models import KIND_NUMBERS, KINDS_BY_NUMBER

Notification = dict[str, Any]

VERSION = 2
MAX_NOTIFICATION_CHARS = 65_536
"""About how much text one notification carries. Further notifications carry the rest of a
commit."""

STREAMS_GROUP = "streams"
"""The group of all processes with followers."""
WORKERS_GROUP = "workers"
PROBE_GROUP = "probe"
"""A group without members, to test the layer."""

CHUNK_COLUMNS = ("stream_id", "index", "kind", "delta", "offset")
"""The columns of version 1, in this order, which did not name them."""
HEAD_FIELDS = (
    *("id", "epoch", "state", "note", "next_index"),
    *("finish_reason", "error_class", "error", "is_folded"),
)
"""The fields of a head of version 1, in this order. Fields that are added later are not in it."""


def user_group(user_id: object) -> str:
    return f"user.{user_id}"


def build_envelope(group: str, body: Notification) -> dict[str, Any]:
    """The message has the name of its group, because a process reads the messages of all its groups
    from one channel."""
    return {"type": "notification", "group": group, "body": body}


# To workers


def build_queued_notification() -> Notification:
    return {"type": "stream.queued"}


def build_ended_notification(stream_id: int) -> Notification:
    return {"type": "stream.ended", "stream_id": stream_id}


# To the doors, for a user


def build_sessions_notification() -> Notification:
    """Sessions of this user may have ended."""
    return {"sessions": True}


def build_revision_notification(revision: int, topic: str = "") -> Notification:
    """Something of this user that is no stream has changed. `topic` names it for pages that fetch
    only what changed; the engine passes it on."""
    return {"revision": revision, "topic": topic} if topic else {"revision": revision}


# To followers


def split_appends(entries: Sequence[Append]) -> Iterator[Sequence[Append]]:
    """Split appends into parts that fit a notification. There is always a last part."""
    part: list[Append] = []
    size = 0
    for entry in entries:
        if size > MAX_NOTIFICATION_CHARS:
            yield part
            part, size = [], 0
        part.append(entry)
        size += sum(len(chunk.delta) for chunk in entry.chunks)
    yield part


def build_stream_notification(
    entries: Sequence[Append] = (), head: StreamHead | None = None
) -> Notification:
    """Chunks are sent as columns: a list for each chunk would cost every receiving process more
    than the text."""
    body: Notification = {"version": VERSION}
    if entries:
        rows = (
            (entry.stream_id, chunk.index, KIND_NUMBERS[chunk.kind], chunk.delta, chunk.offset)
            for entry in entries
            for chunk in entry.chunks
        )
        body["columns"] = CHUNK_COLUMNS
        body["chunks"] = [list(column) for column in zip(*rows, strict=True)]
    if head:
        body["stream"] = fields = head.to_wire()
        # For processes of version 1, which would fail at a head with names.
        body["head"] = [fields[name] for name in HEAD_FIELDS]
    return body


def is_readable(body: Notification) -> bool:
    version = body.get("version", 1)
    return type(version) is int and version <= VERSION


def decode_chunks(body: Notification, wanted: Container[int]) -> Iterator[tuple[int, list[Chunk]]]:
    """Yield the id of each wanted stream with its new chunks."""
    if "chunks" not in body:
        return
    columns = dict(zip(body.get("columns", CHUNK_COLUMNS), body["chunks"], strict=True))
    rows = zip(*(columns[name] for name in CHUNK_COLUMNS), strict=True)
    for stream_id, of_stream in groupby(rows, itemgetter(0)):
        if stream_id in wanted:
            yield (
                stream_id,
                [
                    Chunk(index, index, KINDS_BY_NUMBER[number], delta, offset)
                    for _, index, number, delta, offset in of_stream
                ],
            )


def decode_head(body: Notification) -> StreamHead | None:
    if "stream" in body:
        return StreamHead.from_wire(body["stream"])
    if "head" in body:  # version 1
        return StreamHead.from_wire(dict(zip(HEAD_FIELDS, body["head"], strict=True)))
    return None
