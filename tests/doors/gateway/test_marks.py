"""Text that turns out to be reasoning after it was sent as text."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from openai import OpenAI
from pytest_django import Settings

from accounts.models import User
from chat.doors.gateway.chat_objects import ChatEncoder
from chat.doors.gateway.events import STEP
from chat.doors.gateway.models import GatewayResponse
from chat.doors.gateway.response_encoder import ResponseEncoder
from streaming import lifecycle
from streaming.access import StreamNotFound
from streaming.follow import Snapshot
from streaming.journal import Chunk
from streaming.models import Kind
from streaming.providers.reasoning_mark import REASONING_MARK, TEXT_MARK
from tests.doors.gateway.program import Program, wait_for_stream, write_response, write_stream
from tests.doors.gateway.tool_program import PARIS, answer_call, write_calls
from tests.factories import Piece

pytestmark = pytest.mark.django_db(transaction=True)

THOUGHT, ANSWER = "I should answer 4.\n", "The answer is 4."
LATE: tuple[Piece, ...] = ("I should ", f"answer 4.\n{REASONING_MARK}", "The answer", " is 4.")
ALONE: tuple[Piece, ...] = (THOUGHT, REASONING_MARK, "The answer ", "is 4.")
TWICE: tuple[Piece, ...] = (
    (Kind.REASONING, "Hm."),
    f"I should {REASONING_MARK}answer 4.",
    (Kind.REASONING, "And?"),
    f"{REASONING_MARK}The answer is 4.",
)
MISTAKEN: tuple[Piece, ...] = ((Kind.REASONING, ANSWER), f"{ANSWER}{TEXT_MARK}")
CALLING: tuple[Piece, ...] = (THOUGHT, f"{REASONING_MARK}Let me look.", *write_calls(PARIS))
MARKS = (REASONING_MARK, TEXT_MARK, *(json.dumps(one)[1:-1] for one in (REASONING_MARK, TEXT_MARK)))


def describe(output: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The type of each item, and its text."""
    return [
        (item["type"], "".join(part["text"] for part in item.get("content") or item["summary"]))
        if item["type"] != "function_call"
        else (item["type"], item["name"])
        for item in output
    ]


@pytest.mark.parametrize(
    ("pieces", "items"),
    [
        (LATE, [("reasoning", THOUGHT.strip()), ("message", ANSWER)]),
        (ALONE, [("reasoning", THOUGHT.strip()), ("message", ANSWER)]),
        (TWICE, [("reasoning", "Hm.And?\n\nI should \n\nanswer 4."), ("message", ANSWER)]),
        (MISTAKEN, [("message", ANSWER)]),
        (
            CALLING,
            [
                ("reasoning", THOUGHT.strip()),
                ("message", "Let me look."),
                ("function_call", "get_weather"),
            ],
        ),
    ],
    ids=["late", "alone", "twice", "mistaken", "calling"],
)
def test_the_object_tells_reasoning_apart_at_every_address(
    program: Program,
    client: OpenAI,
    settings: Settings,
    pieces: tuple[Piece, ...],
    items: list[tuple[str, str]],
) -> None:
    id = program.ask()["id"]
    write_response(id, *pieces)

    def replay(after: int | None = None) -> list[dict[str, Any]]:
        options: dict[str, Any] = {} if after is None else {"starting_after": after}
        events = client.responses.retrieve(id, stream=True, **options)
        return [json.loads(event.to_json()) for event in events]

    shown = program.get(f"/responses/{id}").data
    assert describe(shown["output"]) == items
    whole = replay()
    assert whole[-1]["response"] == shown
    deltas = [event for event in whole if event["type"].endswith("_text.delta")]
    assert all(event["delta"] for event in deltas)
    for mark in MARKS:
        assert mark not in json.dumps([whole, shown], ensure_ascii=False)
    outputs = [answer_call(PARIS)] if pieces == CALLING else []
    question = {"role": "user", "content": "And?"}
    following = program.ask([*outputs, question], previous_response_id=id)["id"]
    inputs = program.get(f"/responses/{following}/input_items?order=asc").data["data"]
    ids = [item["id"] for item in inputs]
    assert ids[1 : len(items) + 1] == [item["id"] for item in shown["output"]]
    settings.STREAMING_FOLD_AFTER_SECONDS = 0
    lifecycle.fold_ended_streams()
    assert program.get(f"/responses/{id}").data == shown
    for number in [None, STEP, *(event["sequence_number"] for event in whole)]:
        rest = [event for event in whole if number is None or event["sequence_number"] > number]
        assert replay(number) == rest


def test_each_item_that_was_streamed_can_be_named(program: Program, client: OpenAI) -> None:
    id = program.ask()["id"]
    write_response(id, *TWICE)
    added = [
        event.item.id
        for event in client.responses.retrieve(id, stream=True)
        if event.type == "response.output_item.added"
    ]
    assert [str(one)[-2:] for one in added].count("_2") == 2
    for one in added:
        question = {"role": "user", "content": "And?"}
        program.ask([{"type": "item_reference", "id": one}, question])


def test_a_row_that_is_only_a_mark_has_no_event(program: Program, client: OpenAI) -> None:
    id = program.ask()["id"]
    write_response(id, *ALONE)
    events = [*client.responses.retrieve(id, stream=True)]
    rows = [e.sequence_number // STEP - 1 for e in events if e.type == "response.output_text.delta"]
    assert rows == [0, 2, 3]
    first = program.ask()["id"]
    write_response(first, REASONING_MARK, ANSWER)
    types = [event.type for event in client.responses.retrieve(first, stream=True)]
    assert types.count("response.output_item.added") == 1


def test_a_completion_tells_reasoning_apart_only_at_its_end(client: OpenAI, owner: User) -> None:
    question: Any = [{"role": "user", "content": "2 + 2?"}]
    chunks = client.chat.completions.create(model="demo", messages=question, stream=True)
    write_stream(wait_for_stream(owner), *ALONE)
    deltas = [chunk.choices[0].delta.content for chunk in chunks]
    assert deltas == ["", THOUGHT, "The answer ", "is 4.", None]
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.chat.completions.create, model="demo", messages=question)
        write_stream(wait_for_stream(owner), *ALONE)
        message = asked.result(20).choices[0].message
    assert message.content == ANSWER
    assert message.reasoning_content == THOUGHT.strip()  # type: ignore[attr-defined]


def test_text_that_a_client_has_is_not_sent_again(program: Program) -> None:
    """The rows of a stream can be lost while a slow client reads them. Then the body breaks."""
    program.ask()
    row = GatewayResponse.objects.select_related("stream").get()
    for encoder in (
        ChatEncoder(row, row.stream, includes_usage=False),
        ResponseEncoder(row, row.stream, -1),
    ):
        assert b"Beca" in encoder.encode_event(Chunk(0, 0, Kind.TEXT, "Beca", 0))
        with pytest.raises(StreamNotFound):
            encoder.encode_event(Snapshot(1, "Because", "", ()))
