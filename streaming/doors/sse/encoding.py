"""The body of the door: frames as server-sent events, in UTF-8."""

from __future__ import annotations

from collections.abc import Sequence

RETRY_MS = 1_000
"""When a client should reconnect whose response ended without an end of its stream."""
PREAMBLE = f"retry: {RETRY_MS}\n\n"
HEARTBEAT = ":\n\n"


def encode_event_block(name: str, frame: str, cursors: Sequence[int] = ()) -> str:
    """`frame` is JSON without line breaks. The id has the cursors of all streams of the request, in
    the order of the request, so that it alone says where to continue."""
    last_event_id = f"id: {','.join(map(str, cursors))}\n" if cursors else ""
    return f"event: {name}\n{last_event_id}data: {frame}\n\n"
