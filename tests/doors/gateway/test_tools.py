"""Function tools: declared, called, answered by the next request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response
from pydantic import BaseModel
from pytest_django import Settings

from accounts.models import User
from chat import conversations
from chat.doors.gateway.events import STEP
from chat.models import Conversation, Message, ToolPart
from chat.replies.context import build_exact_context
from chat.replies.handler import load_turns, read_tools
from chat.replies.tool_turns import infer_tools
from chat.tool_parts.storage import purge_orphans
from streaming import lifecycle
from streaming.events import Finish
from streaming.journal import MAX_CHUNK_CHARS
from streaming.lifecycle import Ending
from streaming.models import Kind
from streaming.providers.tools import ToolCall, ToolOutput, Tools
from streaming.providers.types import Turn
from tests.doors.gateway.program import (
    Program,
    count_chars,
    create,
    find_stream,
    wait_for_stream,
    write_response,
    write_stream,
)
from tests.factories import Piece

pytestmark = pytest.mark.django_db(transaction=True)

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER: Any = {"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True}
CHAT_WEATHER: Any = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Rain?", "parameters": SCHEMA},
}
PARIS = ToolCall("call_1", "get_weather", '{"city": "Paris \N{WATER WAVE}\u2028"}', "google sig")
ROME = ToolCall("call_2", "get_weather", '{"city": "Rome"}')
CALLED = Ending.from_finish(Finish("tool_calls", {"input": 12, "output": 7}))


class Weather(BaseModel):
    city: str


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def write_calls(*calls: ToolCall) -> list[Piece]:
    return [(Kind.TOOL_CALL, call.to_line()) for call in calls]


def ask(program: Program, *pieces: Piece, input: Any = "Rain?", **parameters: Any) -> str:
    """A response whose reply has called."""
    asked = program.ask(input, tools=[WEATHER], **parameters)
    write_response(asked["id"], *pieces, ending=CALLED)
    return str(asked["id"])


def answer(call: ToolCall, text: str = "Rain.") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call.id, "output": text}


def load_request(id: str) -> list[Turn]:
    """The turns that the model is sent for a response."""
    row = Message.objects.select_related("conversation").get(stream=find_stream(id))
    return load_turns(row.conversation, row.parent_id)


def list_types(program: Program, path: str) -> list[tuple[str, str]]:
    """The type and the content of the items of a list, oldest first."""
    items = program.get(f"{path}?order=asc").data["data"]
    return [(item["type"], find_content(item)) for item in items]


def find_content(item: dict[str, Any]) -> str:
    for name in ("arguments", "output"):
        if name in item:
            return str(item[name])
    return "".join(part["text"] for part in item.get("content", item.get("summary", [])))


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
    id = ask(program, *pieces)

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


# Its output


def test_the_next_request_answers_a_call(program: Program) -> None:
    first = ask(program, "Let me look.", *write_calls(PARIS, ROME))
    outputs = [answer(ROME, "Sun."), answer(PARIS), {"role": "user", "content": "And wind?"}]
    second = program.ask(outputs, previous_response_id=first, tools=[WEATHER])
    turns = load_request(second["id"])
    assert turns == [
        Turn("user", "Rain?"),
        Turn("assistant", "Let me look.", calls=(PARIS, ROME)),
        Turn(
            "user",
            "And wind?",
            outputs=(ToolOutput("call_2", "Sun."), ToolOutput("call_1", "Rain.")),
        ),
    ]
    assert build_exact_context(turns).turns == tuple(turns)
    write_response(second["id"], "No.")
    items = list_types(program, f"/responses/{second['id']}/input_items")
    assert items == [
        ("message", "Rain?"),
        ("message", "Let me look."),
        ("function_call", PARIS.arguments),
        ("function_call", ROME.arguments),
        ("function_call_output", "Sun."),
        ("function_call_output", "Rain."),
        ("message", "And wind?"),
    ]


def test_a_program_that_sends_everything_gets_the_states_of_its_calls_back(
    program: Program, colleague: User
) -> None:
    first = ask(program, *write_calls(PARIS))
    output = program.get(f"/responses/{first}").data["output"]
    history = [{"role": "user", "content": "Rain?"}, *output, answer(PARIS)]
    second = program.ask(history, tools=[WEATHER])
    assert load_request(second["id"])[1] == Turn("assistant", "", calls=(PARIS,))
    stranger = Program.of(colleague)
    theirs = stranger.ask(history, tools=[WEATHER])
    assert load_request(theirs["id"])[1].calls[0].state == ""


def test_items_stand_for_all_of_their_message(program: Program) -> None:
    first = ask(program, "Let me look.", *write_calls(PARIS, ROME))
    output = program.get(f"/responses/{first}").data["output"]
    history = [
        {"role": "user", "content": "Rain?"},
        *({"type": "item_reference", "id": item["id"]} for item in output),
        answer(PARIS),
        answer(ROME),
    ]
    turns = load_request(program.ask(history, tools=[WEATHER])["id"])
    assert turns[1] == Turn("assistant", "Let me look.", calls=(PARIS, ROME))
    assert len(turns) == 3


def test_a_copy_of_a_conversation_has_its_calls(program: Program, owner: User) -> None:
    first = ask(program, *write_calls(PARIS))
    body = {
        "model": "demo",
        "input": [answer(PARIS)],
        "previous_response_id": first,
        "store": False,
        "stream": True,
    }
    program.post("/responses", body).close()
    stream = wait_for_stream(owner)
    message = Message.objects.get(stream=stream)
    turns = load_turns(message.conversation, message.parent_id)
    assert [turn.calls for turn in turns] == [(), (PARIS,), ()]
    assert message.conversation.title == "Rain?"


@pytest.mark.parametrize(
    ("input", "words"),
    [
        ("And wind?", "No tool output found for function call call_1"),
        ([answer(ROME)], "No tool output found for function call call_1"),
        ([answer(PARIS), answer(ROME)], "call_id call_2"),
        ([answer(PARIS), {"role": "user", "content": "x"}, answer(PARIS)], "call_id call_1"),
    ],
)
def test_calls_and_outputs_must_belong_together(program: Program, input: Any, words: str) -> None:
    first = ask(program, *write_calls(PARIS))
    body = {"model": "demo", "input": input, "previous_response_id": first, "tools": [WEATHER]}
    refused = program.post("/responses", body)
    assert refused.status_code == 400
    assert words in refused.data["error"]["message"]
    assert refused.data["error"]["param"] == "input"
    assert Message.objects.count() == 2


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


# What is refused


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"tools": [{**WEATHER, "name": "get weather"}]}, "tools[0].name"),
        ({"tools": [{**WEATHER, "parameters": []}]}, "tools[0].parameters"),
        ({"tools": [{**WEATHER, "strict": 1}]}, "tools[0].strict"),
        ({"tools": [{**WEATHER, "cache": True}]}, "tools[0].cache"),
        ({"tools": [WEATHER, WEATHER]}, "tools"),
        ({"tools": [WEATHER] * 129}, "tools"),
        ({"tools": [{**WEATHER, "description": "x" * 100_000}]}, "tools"),
        ({"tools": "all"}, "tools"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "f"}}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": "always"}, "tool_choice"),
        ({"input": [{"type": "function_call", "call_id": "x", "name": "f"}]}, "input[0].arguments"),
        ({"input": [{"type": "function_call", "name": "f", "arguments": ""}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "x"}]}, "input[0].output"),
    ],
    ids=str,
)
def test_odd_tools_are_named(program: Program, changed: dict[str, Any], param: str) -> None:
    body = {"model": "demo", "input": "Rain?", "background": True} | changed
    refused = program.post("/responses", body)
    assert refused.status_code == 400, refused.data
    assert refused.data["error"]["param"] == param
    assert not Conversation.objects.exists()


def test_a_schema_is_stored_as_any_database_can(program: Program) -> None:
    odd = {"type": "object", "description": "\0\ud800", "properties": {"\0": {"const": 1.5}}}
    shown = program.ask(tools=[{**WEATHER, "parameters": odd}])
    assert "\0" not in json.dumps(shown["tools"], ensure_ascii=False)
    deep: Any = {}
    for _ in range(200):
        deep = {"properties": {"x": deep}}
    for schema in (deep, {"maximum": 1e400}):
        body = json.dumps(
            {"model": "demo", "input": "x", "tools": [{**WEATHER, "parameters": schema}]}
        )
        refused = program.client.generic(
            "POST",
            "/v1/responses",
            body.replace("Infinity", "1e400"),
            "application/json",
            headers=program.headers,
        )
        assert refused.json()["error"]["param"] == "tools[0].parameters"


# What is stored


def test_calls_are_counted_and_deleted_with_their_message(program: Program) -> None:
    into = create(program)
    first = ask(program, "a", *write_calls(PARIS), conversation=into)
    chars = count_chars(into)
    second = program.ask([answer(PARIS, "x" * 50)], conversation=into)["id"]
    write_response(second, "b")
    assert count_chars(into) == chars + len("call_1") + 50 + 1
    kinds = set(ToolPart.objects.values_list("kind", flat=True))
    assert kinds == {"call", "output"}
    assert program.send("DELETE", f"/responses/{second}").status_code == 200
    assert count_chars(into) == chars
    assert [part.kind for part in ToolPart.objects.all()] == ["call"]
    conversations.delete(Conversation.objects.get())
    assert not ToolPart.objects.exists()
    assert program.get(f"/responses/{first}").status_code == 404


def test_rows_that_an_older_version_left_are_deleted(program: Program) -> None:
    ask(program, *write_calls(PARIS))
    Conversation.objects.update(current_leaf=None)
    Message.objects.filter(role="assistant")._raw_delete("default")
    purge_orphans()
    assert not ToolPart.objects.exists()


def test_a_history_of_calls_without_declared_tools_gets_definitions(program: Program) -> None:
    first = ask(program, *write_calls(PARIS))
    second = program.ask([answer(PARIS)], previous_response_id=first)["id"]
    assert read_tools(find_stream(second)) is None
    inferred = infer_tools(load_request(second))
    assert isinstance(inferred, Tools)
    assert ([tool.name for tool in inferred.functions], inferred.choice) == (
        ["get_weather"],
        "none",
    )
