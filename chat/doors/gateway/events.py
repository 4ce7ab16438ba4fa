"""The events of a response, as a pure function of the rows of its journal.

The number of an event follows from the row that it belongs to, so that each replay has the same
numbers, and from each number follows what comes after it. Row `i` has the numbers from
16 · (i + 1): first the events that close an item and open another one, then its text, and, if it
is the last row, the events of the end. The numbers below 16 belong to the beginning.

Text that turns out to be reasoning was sent as text (docs/decisions/0017). It stays in its item
here; only the object of the response tells it apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from chat.doors.gateway.objects import Outcome, find_outcome
from chat.doors.gateway.output import (
    ITEM_KINDS,
    MARKED_KINDS,
    OutputRun,
    build_item,
    build_item_id,
    build_part,
    ends_call,
)
from chat.doors.gateway.tool_objects import build_call_events
from chat.doors.marks import has_marks, remove_marks
from streaming.journal import Chunk
from streaming.models import Kind, Stream

STEP = 16
CREATED, QUEUED, IN_PROGRESS = 0, 1, 2
CLOSING_SLOT, OPENING_SLOT, DELTA_SLOT = 0, 4, 8
LAST_CLOSING_SLOT, TERMINAL_SLOT = 9, 15
CALL_SLOTS = (OPENING_SLOT, DELTA_SLOT, DELTA_SLOT + 1, DELTA_SLOT + 2)

Event = dict[str, Any]


def encode_event(event: Event) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


_quote_json = json.encoder.encode_basestring_ascii


def find_row(sequence_number: int) -> int:
    """The index of the row that an event belongs to; -1 for the beginning."""
    return sequence_number // STEP - 1


class OutputEvents:
    """Writes the events of rows that come in order, from the first one on."""

    def __init__(self, answer_id: UUID) -> None:
        self._answer_id = answer_id
        self._closed: list[OutputRun] = []
        self._open: OutputRun | None = None
        self._texts: list[str] = []
        self._delta_parts = ("", "")
        """The bytes of each delta of the open item, before and behind its text."""
        self._call_line = ""
        """The chunks of a tool call so far, which may be several."""

    def encode_chunk(self, chunk: Chunk, after: int) -> bytes:
        """The bytes of the events of a row, without those up to the number `after`. Marks are left
        out, and with them a row that has nothing else."""
        if chunk.kind in MARKED_KINDS and has_marks(chunk.delta):
            chunk = replace(chunk, delta=remove_marks(chunk.delta))
            if not chunk.delta:
                return b""
        if self._open is None or self._open.kind != chunk.kind:
            events = self.write_chunk(chunk)
            return b"".join(encode_event(e) for e in events if e["sequence_number"] > after)
        self._texts.append(chunk.delta)
        number = STEP * (chunk.index + 1) + DELTA_SLOT
        if number <= after:
            return b""
        # Nearly all events are deltas of the open item. Encoding a dict takes 3.1 µs of CPU instead
        # of 0.3.
        before, behind = self._delta_parts
        return f"{before}{_quote_json(chunk.delta)}{behind}{number}}}\n\n".encode()

    def write_chunk(self, chunk: Chunk) -> Iterator[Event]:
        if chunk.kind not in ITEM_KINDS:
            return
        base = STEP * (chunk.index + 1)
        if chunk.kind == Kind.TOOL_CALL:
            yield from self._write_call(chunk, base)
            return
        if self._open is None or self._open.kind != chunk.kind:
            yield from self._close_item("completed", base + CLOSING_SLOT)
            yield from self._open_item(chunk.kind, base + OPENING_SLOT)
        self._texts.append(chunk.delta)
        yield self._build_delta(chunk.delta, base + DELTA_SLOT)

    def _write_call(self, chunk: Chunk, base: int) -> Iterator[Event]:
        """A tool call opens and closes its item with its last row."""
        yield from self._close_item("completed", base + CLOSING_SLOT)
        self._call_line += chunk.delta
        if not ends_call(chunk.kind, chunk.delta):
            return
        item_id = build_item_id(chunk.kind, self._answer_id, self._closed)
        run = OutputRun(chunk.kind, self._call_line, item_id)
        self._call_line = ""
        events = build_call_events(run.id, len(self._closed), run.call)
        for event, number in zip(events, CALL_SLOTS, strict=True):
            yield {**event, "sequence_number": base + number}
        self._closed.append(run)

    def write_end(self, stream: Stream, response: Mapping[str, Any]) -> Iterator[Event]:
        """The events after the last row of an ended stream, whose object is `response`."""
        outcome: Outcome = find_outcome(stream)
        base = STEP * stream.next_index
        yield from self._close_item(outcome.item_status, base + LAST_CLOSING_SLOT)
        yield {
            "type": outcome.event_type,
            "response": dict(response),
            "sequence_number": base + TERMINAL_SLOT,
        }

    def _open_item(self, kind: str, number: int) -> Iterator[Event]:
        item_id = build_item_id(kind, self._answer_id, self._closed)
        self._open = run = OutputRun(kind, "", item_id)
        self._delta_parts = _split_delta(self._build_delta("", 0))
        item = {"output_index": len(self._closed), "item": build_item(run, "in_progress")}
        yield {"type": "response.output_item.added", **item, "sequence_number": number}
        yield self._build_part_event("added", run, number + 1)

    def _close_item(self, status: str, number: int) -> Iterator[Event]:
        if self._open is None:
            return
        run = OutputRun(self._open.kind, "".join(self._texts), self._open.id)
        item = {"output_index": len(self._closed), "item": build_item(run, status)}
        yield {
            "type": f"{_name_text(run)}.done",
            **self._locate(run),
            "text": run.text,
            **_build_logprobs(run),
            "sequence_number": number,
        }
        yield self._build_part_event("done", run, number + 1)
        yield {"type": "response.output_item.done", **item, "sequence_number": number + 2}
        self._closed.append(run)
        self._open, self._texts = None, []

    def _build_delta(self, delta: str, number: int) -> Event:
        run = self._open
        assert run is not None
        return {
            "type": f"{_name_text(run)}.delta",
            **self._locate(run),
            "delta": delta,
            **_build_logprobs(run),
            "sequence_number": number,
        }

    def _build_part_event(self, moment: str, run: OutputRun, number: int) -> Event:
        name = "reasoning_summary_part" if run.kind == Kind.REASONING else "content_part"
        return {
            "type": f"response.{name}.{moment}",
            **self._locate(run),
            "part": build_part(run),
            "sequence_number": number,
        }

    def _locate(self, run: OutputRun) -> dict[str, Any]:
        index = "summary_index" if run.kind == Kind.REASONING else "content_index"
        return {"item_id": run.id, "output_index": len(self._closed), index: 0}


def _split_delta(event: Event) -> tuple[str, str]:
    before, _, behind = encode_event(event).decode().rpartition('"delta": ""')
    return before + '"delta": ', behind.removesuffix("0}\n\n")


def _name_text(run: OutputRun) -> str:
    is_reasoning = run.kind == Kind.REASONING
    return "response.reasoning_summary_text" if is_reasoning else "response.output_text"


def _build_logprobs(run: OutputRun) -> dict[str, Any]:
    return {} if run.kind == Kind.REASONING else {"logprobs": []}
