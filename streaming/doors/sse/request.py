"""The requests of the door: the address of one stream, or that of several."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs
from uuid import UUID

from streaming.doors.frames import FrameRejected, build_not_found
from streaming.follow import MAX_CURSOR, START_CURSOR

MAX_FOLLOWS = 100
"""Streams that one response may follow, as many as a socket."""
CURSOR_PATTERN = re.compile(r"-1|0|[1-9][0-9]{0,15}")


@dataclass(frozen=True, slots=True)
class EventRequest:
    """The streams that a client wants to read. `is_single` means the address of one stream, whose
    response ends with the stream. Without `waits` the response ends after what there is."""

    streams: tuple[UUID, ...]
    cursors: tuple[int, ...]
    is_single: bool
    waits: bool


def parse_request(name: str | None, query: str, last_event_id: str) -> EventRequest:
    """`name` is the stream in the address, None at the address of several streams. Raises
    FrameRejected."""
    fields = parse_qs(query, keep_blank_values=True)
    waits = _parse_wait(fields.get("wait"))
    if name is not None:
        stream = _parse_stream(name)
        if stream is None:
            raise build_not_found(None)
        follows = {stream: _parse_cursors(fields.get("after", ["-1"]), stream)}
    else:
        follows = _parse_follows(fields.get("follow", []))
    cursors = _apply_last_event_id([*follows.values()], last_event_id)
    return EventRequest(tuple(follows), tuple(cursors), name is not None, waits)


def _parse_wait(values: Sequence[str] | None) -> bool:
    if values not in (None, ["0"]):
        raise FrameRejected("bad_frame", "“wait” can only be 0.")
    return values is None


def _parse_follows(values: Sequence[str]) -> dict[UUID, int]:
    if len(values) > MAX_FOLLOWS:
        raise FrameRejected("too_many", f"A request may follow up to {MAX_FOLLOWS} streams.")
    follows: dict[UUID, int] = {}
    for value in values:
        name, separator, cursor = value.partition(":")
        stream = _parse_stream(name)
        if stream is None or stream in follows:
            raise FrameRejected("bad_frame", "“follow” must be the ids of different streams.")
        follows[stream] = _parse_cursors([cursor if separator else "-1"], stream)
    return follows


def _parse_stream(name: str) -> UUID | None:
    try:
        return UUID(name) if len(name) == 36 else None
    except ValueError:
        return None


def _parse_cursors(values: Sequence[str], stream: UUID) -> int:
    cursor = parse_cursor(values[0]) if len(values) == 1 else None
    if cursor is None:
        raise FrameRejected("bad_cursor", "“after” must be a whole number from -1 on.", stream)
    return cursor


def parse_cursor(text: str) -> int | None:
    """None unless the text is a cursor as we write it: no sign but that of -1, no leading zero."""
    cursor = int(text) if CURSOR_PATTERN.fullmatch(text) else MAX_CURSOR + 1
    return cursor if cursor <= MAX_CURSOR else None


def _apply_last_event_id(cursors: Sequence[int], last_event_id: str) -> list[int]:
    """A browser that reconnects repeats its first address, so the larger cursor is the newer one.
    An id that is not ours counts as none."""
    parts = [parse_cursor(part) for part in last_event_id.split(",")]
    if len(parts) != len(cursors) or None in parts:
        return [*cursors]
    return [
        max(own, START_CURSOR if newer is None else newer)
        for own, newer in zip(cursors, parts, strict=True)
    ]
