"""Calls of function tools, as both APIs show them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from asgiref.sync import async_to_sync
from openai import OpenAI
from openai.types.responses import Response
from pydantic import BaseModel
from pytest_django import Settings

from accounts.models import User
from chat.doors.gateway.events import STEP
from chat.models import Message
from chat.replies.handler import load_turns, read_tools
from streaming import hub as hubs
from streaming import lifecycle
from streaming.follow import follow_stream
from streaming.journal import MAX_CHUNK_CHARS, Chunk
from streaming.models import Kind
from streaming.providers.tools import ToolCall, ToolOutput
from streaming.providers.types import Turn
from tests.doors.gateway.program import (
    Program,
    find_stream,
    wait_for_stream,
    write_stream,
)
from tests.doors.gateway.tool_program import (
    CALLED,
    PARIS,
    ROME,
    SCHEMA,
    WEATHER,
    ask_with_tool,
    write_calls,
)
from tests.factories import Piece

pytestmark = pytest.mark.django_db(transaction=True)

CHAT_WEATHER: Any = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Rain?", "parameters": SCHEMA},
}


class Weather(BaseModel):
    city: str


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


# A call


def test_a_call_is_streamed_as_an_item_of_its_own(client: OpenAI, owner: User) -> None:
    streaming: Any = client.responses.create(
        model="demo",
        input="Rain?",
        tools=[WEATHER],
        stream=True,
    )
    pieces: list[Piece] = [(Kind.REASONING, "Hm."), "Let me look. ", *write_calls(PARIS, ROME)]
    write_stream(wait_for_stream(owner), *pieces, ending=CALLED)
    events = [json.loads(event.to_json()) for event in streaming]
    types = [event["type"] for event in events]
    first = types.index("response.function_call_arguments.delta") - 1
    assert types[first : first + 4] == [
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
    ]
    assert types[first - 1] == "response.output_item.done", "the text is closed before"
    assert types[-1] == "response.completed"
    opened, delta, done, closed = events[first : first + 4]
    assert opened["item"]["arguments"] == ""
    assert (delta["delta"], done["arguments"]) == (PARIS.arguments, PARIS.arguments)
    assert done["name"] == "get_weather"
    assert {event["output_index"] for event in events[first : first + 4]} == {2}
    item = closed["item"]
    assert item == {
        "id": item["id"],
        "type": "function_call",
        "status": "completed",
        "call_id": "call_1",
        "name": "get_weather",
        "arguments": PARIS.arguments,
    }
    output = events[-1]["response"]["output"]
    assert [one["type"] for one in output] == [
        "reasoning",
        "message",
        "function_call",
        "function_call",
    ]
    assert output[2] == item
    assert output[3]["call_id"] == "call_2"
    assert output[3]["id"] != item["id"]
    assert "google sig" not in json.dumps(events), "no other provider can use the state"


def test_each_number_resumes_and_folding_changes_nothing(
    program: Program, client: OpenAI, settings: Settings
) -> None:
    long = ToolCall("call_3", "get_weather", json.dumps({"city": "x" * 2 * MAX_CHUNK_CHARS}))
    lines = long.to_line()
    rows = [lines[at : at + MAX_CHUNK_CHARS] for at in range(0, len(lines), MAX_CHUNK_CHARS)]
    pieces = ["a", *((Kind.TOOL_CALL, row) for row in rows), *write_calls(PARIS)]
    id = ask_with_tool(program, *pieces)

    def replay(after: int | None = None) -> list[dict[str, Any]]:
        options: dict[str, Any] = {} if after is None else {"starting_after": after}
        events = client.responses.retrieve(id, stream=True, **options)
        return [json.loads(event.to_json()) for event in events]

    whole = replay()
    numbers = [event["sequence_number"] for event in whole]
    assert numbers == sorted(set(numbers))
    assert [item.get("call_id") for item in whole[-1]["response"]["output"]] == [
        None,
        "call_3",
        "call_1",
    ]
    for number in numbers:
        assert replay(number) == [e for e in whole if e["sequence_number"] > number]
    assert replay(STEP * 2 + 3) == [e for e in whole if e["sequence_number"] > STEP * 2 + 3]
    settings.STREAMING_FOLD_AFTER_SECONDS = 0
    lifecycle.fold_ended_streams()
    assert replay() == whole
    assert program.get(f"/responses/{id}").data == whole[-1]["response"]


def test_the_helper_of_the_sdk_parses_the_arguments(client: OpenAI, owner: User) -> None:
    tool: Any = openai.pydantic_function_tool(Weather, name="get_weather")
    flat: Any = {"type": "function", **tool["function"]}
    with client.responses.stream(model="demo", input="Rain?", tools=[flat]) as stream:
        write_stream(wait_for_stream(owner), *write_calls(PARIS), ending=CALLED)
        final = stream.get_final_response()
    call = final.output[0]
    assert call.type == "function_call"
    assert json.loads(call.arguments) == json.loads(PARIS.arguments)


def test_the_object_shows_the_tools_and_the_choice(program: Program) -> None:
    forced = {"type": "function", "name": "get_weather"}
    shown = program.ask(tools=[WEATHER], tool_choice=forced, parallel_tool_calls=False)
    assert shown["tools"] == [{**WEATHER, "description": None}]
    assert (shown["tool_choice"], shown["parallel_tool_calls"]) == (forced, False)
    tools = read_tools(find_stream(shown["id"]))
    assert tools is not None
    assert (tools.forced_name, tools.parallel) == ("get_weather", False)
    assert tools.functions[0].strict is True
    Response.model_validate(shown)


# Chat completions


def test_a_completion_calls_and_is_answered(
    program: Program, client: OpenAI, owner: User, pool: ThreadPoolExecutor
) -> None:
    question: Any = [{"role": "user", "content": "Rain?"}]
    asked = pool.submit(
        client.chat.completions.create, model="demo", messages=question, tools=[CHAT_WEATHER]
    )
    stream = wait_for_stream(owner)
    tools = read_tools(stream)
    assert tools is not None
    assert tools.functions[0].strict is False, "the usual value of this API"
    write_stream(stream, *write_calls(PARIS, ROME), ending=CALLED)
    choice = asked.result(20).choices[0]
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    calls = choice.message.tool_calls
    assert calls is not None
    assert [(call.id, call.function.arguments) for call in calls if call.type == "function"] == [
        ("call_1", PARIS.arguments),
        ("call_2", ROME.arguments),
    ]
    messages: list[Any] = [
        {"role": "user", "content": "Rain?"},
        choice.message.to_dict(),
        {"role": "tool", "tool_call_id": "call_1", "content": "Rain."},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "Sun."}]},
    ]
    streaming = client.chat.completions.create(
        model="demo", messages=messages, tools=[CHAT_WEATHER], stream=True
    )
    stream = wait_for_stream(owner)
    message = Message.objects.get(stream=stream)
    assert load_turns(message.conversation, message.parent_id)[1:] == [
        Turn("assistant", "", calls=(PARIS, ROME)),
        Turn("user", "", outputs=(ToolOutput("call_1", "Rain."), ToolOutput("call_2", "Sun."))),
    ]
    write_stream(stream, "So: ", *write_calls(PARIS, ROME), ending=CALLED)
    deltas = [chunk.choices[0].delta.to_dict() for chunk in streaming if chunk.choices]
    called = [delta["tool_calls"] for delta in deltas if delta.get("tool_calls")]
    assert [(calls[0]["index"], calls[0]["id"]) for calls in called] == [  # type: ignore[index]
        (0, "call_1"),
        (1, "call_2"),
    ]


def test_a_folded_call_is_followed_as_before(program: Program, settings: Settings) -> None:
    """A snapshot, which answers the other protocols, has no calls, so they come behind it."""

    def read_calls(id: str) -> str:
        stream = find_stream(id)

        async def follow() -> str:
            try:
                events = [event async for event in follow_stream(stream)]
            finally:
                await hubs.close()
            return "".join(e.delta for e in events if isinstance(e, Chunk) if e.kind == "tool_call")

        return async_to_sync(follow)()

    for text in ((), ("Let me look.",)):
        id = ask_with_tool(program, *text, *write_calls(PARIS, ROME))
        whole = read_calls(id)
        assert whole == PARIS.to_line() + ROME.to_line()
        settings.STREAMING_FOLD_AFTER_SECONDS = 0
        lifecycle.fold_ended_streams()
        assert read_calls(id) == whole
