"""Encodes a stream as the server-sent events of a response."""

from __future__ import annotations

from collections.abc import Iterable

from chat.doors.gateway.events import (
    CREATED,
    IN_PROGRESS,
    QUEUED,
    Event,
    OutputEvents,
    encode_event,
)
from chat.doors.gateway.models import GatewayResponse
from chat.doors.gateway.objects import build_beginning, build_response
from chat.doors.gateway.output import load_output
from chat.doors.gateway.reading import mark_read
from streaming.access import StreamNotFound
from streaming.doors.answers import AnswerEncoder
from streaming.follow import Snapshot, StateChanged
from streaming.journal import Chunk
from streaming.models import Kind, State, Stream


class ResponseEncoder(AnswerEncoder):
    """It gets all rows from the first one on, and leaves out the events up to the number `after`:
    an event that closes an item has all of its text. It holds no row, because instructions and
    tools are long and a client may read for long."""

    def __init__(self, row: GatewayResponse, stream: Stream, after: int) -> None:
        self._id, self._answer_id, self._after = row.pk, row.answer_id, after
        self._beginning = build_beginning(row, stream)
        self._events = OutputEvents(row.answer_id)
        self._is_queued = stream.state == State.QUEUED
        self._has_begun = self._has_text = False

    def encode_start(self) -> bytes:
        """Each stream was queued once. A reader that comes later gets the same events."""
        created = self._build_lifecycle_event("created", CREATED)
        queued = self._build_lifecycle_event("queued", QUEUED)
        begin = b"" if self._is_queued else self._encode_begin()
        return self._encode([created, queued]) + begin

    def encode_event(self, event: Chunk | Snapshot | StateChanged) -> bytes:
        if isinstance(event, StateChanged):
            return self._encode_begin() if event.state == State.RUNNING else b""
        if isinstance(event, Snapshot) and self._has_text:
            raise StreamNotFound  # its rows were lost meanwhile; the next request gets an error
        self._has_text = True
        chunks = _split_snapshot(event) if isinstance(event, Snapshot) else [event]
        parts = [self._events.encode_chunk(chunk, self._after) for chunk in chunks]
        return self._encode_begin() + b"".join(parts)

    def encode_end(self, stream: Stream) -> bytes:
        row = GatewayResponse.objects.filter(pk=self._id).first()
        if row is None:
            raise StreamNotFound  # it was deleted just now
        mark_read(row.conversation_id)
        response = build_response(row, stream, load_output(stream, self._answer_id))
        return self._encode_begin() + self._encode(self._events.write_end(stream, response))

    def _encode_begin(self) -> bytes:
        if self._has_begun:
            return b""
        self._has_begun = True
        begin = self._encode([self._build_lifecycle_event("in_progress", IN_PROGRESS)])
        self._beginning = {}
        return begin

    def _build_lifecycle_event(self, name: str, number: int) -> Event:
        status = {"queued": "queued", "in_progress": "in_progress"}.get(name)
        response = self._beginning | ({"status": status} if status else {})
        return {"type": f"response.{name}", "response": response, "sequence_number": number}

    def _encode(self, events: Iterable[Event]) -> bytes:
        return b"".join(
            encode_event(event) for event in events if event["sequence_number"] > self._after
        )


def _split_snapshot(snapshot: Snapshot) -> list[Chunk]:
    """A stream whose rows were lost in an older version: its reasoning and its text, each as one
    row."""
    last = snapshot.index
    kinds = (Kind.REASONING, last - 1, snapshot.reasoning), (Kind.TEXT, last, snapshot.text)
    return [Chunk(index, index, kind, text, 0) for kind, index, text in kinds if text]
