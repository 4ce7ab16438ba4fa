"""The events of a response as a function of its rows."""

from __future__ import annotations

import typing
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent

from chat.doors.gateway.events import STEP, Event, OutputEvents, encode_event, find_row
from chat.doors.gateway.output import build_items, build_runs
from streaming.models import Kind, State, Stream
from tests.factories import Piece, build_chunks

ANSWER = UUID("5c9d3f9e-7b3c-4ab0-9d7e-0a4d4ce2c7c1")
SHORT = st.text(min_size=1, max_size=5)
PIECES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([Kind.TEXT, Kind.REASONING]), SHORT),
        st.just((Kind.SEAM, "")),
    ),
    max_size=12,
)


def write_events(pieces: list[Piece]) -> list[Event]:
    events = OutputEvents(ANSWER)
    chunks = build_chunks(pieces)
    written = [event for chunk in chunks for event in events.write_chunk(chunk)]
    stream = Stream(state=State.COMPLETED, next_index=len(chunks))
    return [*written, *events.write_end(stream, {"status": "completed"})]


def list_types(union: Any) -> set[str]:
    """The `type` of each event that the SDK knows."""
    members = typing.get_args(typing.get_args(union)[0])
    return {typing.get_args(member.model_fields["type"].annotation)[0] for member in members}


@given(PIECES)
def test_numbers_rise_and_name_their_row(pieces: list[Piece]) -> None:
    events = write_events(pieces)
    numbers = [event["sequence_number"] for event in events]
    assert numbers == sorted(set(numbers))
    rows = [
        find_row(event["sequence_number"]) for event in events if event["type"].endswith(".delta")
    ]
    shown = [n for n, piece in enumerate(pieces) if piece[0] != Kind.SEAM]
    assert rows == shown
    assert find_row(numbers[-1]) == len(pieces) - 1
    assert numbers[0] >= STEP or len(pieces) == 0


@given(PIECES)
def test_deltas_and_closed_items_have_the_text_of_the_rows(pieces: list[Piece]) -> None:
    items: dict[int, dict[str, Any]] = {}
    texts: dict[int, str] = {}
    for event in write_events(pieces):
        index = event.get("output_index", -1)
        if event["type"] == "response.output_item.added":
            assert index not in items
            items[index], texts[index] = event["item"], ""
        elif event["type"].endswith(".delta"):
            texts[index] += event["delta"]
        elif event["type"].endswith("_text.done"):
            assert event["text"] == texts[index]
        elif event["type"] == "response.output_item.done":
            assert event["item"]["id"] == items[index]["id"]
            items[index] = event["item"]
    runs = build_runs(build_chunks(pieces), ANSWER)
    assert [*items.values()] == build_items(runs, "completed")
    assert [*texts.values()] == [run.text for run in runs]
    assert len({item["id"] for item in items.values()}) == len(items)


@given(PIECES, st.integers(-1, 16 * 14))
def test_the_bytes_are_those_of_the_events_behind_a_number(pieces: list[Piece], after: int) -> None:
    events, encoder = OutputEvents(ANSWER), OutputEvents(ANSWER)
    for chunk in build_chunks(pieces):
        behind = [e for e in events.write_chunk(chunk) if e["sequence_number"] > after]
        assert encoder.encode_chunk(chunk, after) == b"".join(map(encode_event, behind))


@given(PIECES)
def test_a_replay_of_fewer_rows_is_the_beginning_of_the_whole(pieces: list[Piece]) -> None:
    whole = write_events(pieces)
    for count in range(len(pieces)):
        events = OutputEvents(ANSWER)
        begun = [e for chunk in build_chunks(pieces[:count]) for e in events.write_chunk(chunk)]
        assert begun == whole[: len(begun)]


def test_every_event_is_one_of_the_sdk() -> None:
    pieces: list[Piece] = ["a", (Kind.REASONING, "b"), (Kind.SEAM, ""), "c"]
    used = {event["type"] for event in write_events(pieces)}
    assert len(used) > 8
    assert used <= list_types(ResponseStreamEvent)
