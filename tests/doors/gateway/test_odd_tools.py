"""Function tools that are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat.models import Conversation
from tests.doors.gateway.program import (
    Program,
)
from tests.doors.gateway.tool_program import (
    WEATHER,
)

pytestmark = pytest.mark.django_db(transaction=True)


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
