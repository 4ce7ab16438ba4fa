"""Function tools that are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts.models import User
from chat.models import Conversation, DeletedSize, Message
from chat.replies.handler import load_turns
from chat.replies.limits import ROW_CHARS
from streaming.providers.tools import MAX_CALLS
from tests.doors.gateway.program import Program, find_stream
from tests.doors.gateway.tool_program import WEATHER

CHOSEN = {"type": "function", "name": "get_weather"}

pytestmark = pytest.mark.django_db(transaction=True)


# Refused tools


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
        ({"tools": [WEATHER], "tool_choice": {**CHOSEN, "mode": "x"}}, "tool_choice.mode"),
        (
            {"tools": [WEATHER], "tool_choice": {**CHOSEN, "function": {"name": "get_weather"}}},
            "tool_choice.name",
        ),
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


def test_a_schema_of_any_depth_is_refused_in_words(program: Program) -> None:
    """Reading takes less of the stack than writing."""
    for depth in range(700, 1_000):
        schema = '{"x":' * depth + "1" + "}" * depth
        tool = f'{{"type": "function", "name": "f", "parameters": {schema}}}'
        refused = program.client.generic(
            "POST",
            "/v1/responses",
            f'{{"model": "demo", "input": "x", "tools": [{tool}]}}',
            "application/json",
            headers=program.headers,
        )
        assert refused.status_code == 400, depth


def test_text_between_calls_and_their_outputs_belongs_to_the_reply(program: Program) -> None:
    calls = [
        {"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"} for id in "ab"
    ]
    outputs = [{"type": "function_call_output", "call_id": id, "output": "1"} for id in "ab"]
    said = {"role": "assistant", "content": "Let me look."}
    id = program.ask([{"role": "user", "content": "?"}, calls[0], said, calls[1], *outputs])["id"]
    message = Message.objects.get(stream=find_stream(id))
    turns = load_turns(message.conversation, message.parent_id)
    assert [turn.text for turn in turns] == ["?", "Let me look.", ""]
    assert [call.id for call in turns[1].calls] == ["a", "b"]


def test_each_row_of_a_call_counts(program: Program, owner: User) -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": ""}}

    def ask(count: int) -> Any:
        ids = [f"c{number}" for number in range(count)]
        called = {"role": "assistant", "tool_calls": [call | {"id": id} for id in ids]}
        answers = [{"role": "tool", "tool_call_id": id, "content": ""} for id in ids]
        history = [{"role": "user", "content": "?"}, called, *answers]
        body = {"model": "demo", "messages": history, "stream": True, "store": True}
        response = program.post("/chat/completions", body)
        response.close()
        return response

    assert ask(MAX_CALLS).status_code == 200
    assert DeletedSize.objects.get(user_id=owner.pk).size >= ROW_CHARS * (2 * MAX_CALLS + 2)
    assert ask(MAX_CALLS + 1).data["error"]["param"] == "messages[1].tool_calls"
