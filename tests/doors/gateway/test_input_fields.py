"""Fields of messages: those that count, those that clients send back, and all others."""

from __future__ import annotations

from typing import Any

import pytest

from chat.models import Conversation
from chat.replies.handler import load_turns
from tests.doors.gateway.program import Program, find_stream
from tests.doors.gateway.tool_program import WEATHER

pytestmark = pytest.mark.django_db

USER = {"role": "user", "content": "B"}
PART = {"type": "input_text", "text": "B"}
CALL: dict[str, Any] = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "1"}
CHAT_CALL: dict[str, Any] = {
    "id": "c",
    "type": "function",
    "function": {"name": "f", "arguments": "{}"},
}
ANSWER = {"role": "assistant", "content": "a"}

REFUSED: list[tuple[Any, str]] = [
    ({**USER, "name": "Ann"}, "name"),
    ({**USER, "weird": 1}, "weird"),
    ({**USER, "cache_control": {"type": "ephemeral"}}, "cache_control"),
    ({**USER, "tool_call_id": "c"}, "tool_call_id"),
    ({**USER, "tool_calls": [CHAT_CALL]}, "tool_calls"),
    ({**ANSWER, "prefix": True}, "prefix"),
    ({**ANSWER, "name": "Bob"}, "name"),
    ({**ANSWER, "audio": {"id": "x"}}, "audio"),
    ({**ANSWER, "function_call": {"name": "f", "arguments": ""}}, "function_call"),
    ({**ANSWER, "refusal": "No."}, "refusal"),
    ({**ANSWER, "tool_calls": [{**CHAT_CALL, "weird": 1}]}, "tool_calls[0].weird"),
    ({**ANSWER, "tool_calls": [{**CHAT_CALL, "type": "custom"}]}, "tool_calls[0]"),
    ({**USER, "content": [{**PART, "weird": 1}]}, "content[0].weird"),
    ({**USER, "content": [{**PART, "prompt_cache_options": {}, "image": 1}]}, "content[0].image"),
    ({**USER, "content": [{"type": {}, "text": "B"}]}, "content[0].type"),
    ({**USER, "role": []}, "role"),
    ({**CALL, "namespace": "n"}, "namespace"),
    ({**OUTPUT, "weird": "n"}, "weird"),
    ({"type": "item_reference", "id": "msg_1", "role": "user"}, "role"),
]
SENT_BACK: list[dict[str, Any]] = [
    {
        **ANSWER,
        "id": "msg_1",
        "type": "message",
        "status": "completed",
        "phase": None,
        "content": [
            {
                "type": "output_text",
                "text": "a",
                "annotations": [],
                "logprobs": [],
                "parsed": None,
            }
        ],
    },
    {
        **ANSWER,
        "refusal": None,
        "annotations": [],
        "audio": None,
        "function_call": None,
        "tool_calls": [],
        "reasoning_content": "Hm.",
        "reasoning": "Hm.",
        "parsed": {"city": "Paris"},
        "name": None,
        "weird": None,
    },
    {**ANSWER, "content": None, "refusal": "a"},
    {**ANSWER, "content": [{"type": "refusal", "refusal": "a"}]},
]


@pytest.mark.parametrize(("item", "field"), REFUSED, ids=str)
def test_a_field_that_would_be_missed_is_named(program: Program, item: Any, field: str) -> None:
    body = {"model": "demo", "input": [USER, item, USER], "background": True}
    error = program.post("/responses", body).data["error"]
    assert (error["code"], error["param"]) == ("unsupported_parameter", f"input[1].{field}")
    if "role" in item and item.get("type") != "item_reference":
        body = {"model": "demo", "messages": [USER, item, USER]}
        error = program.post("/chat/completions", body).data["error"]
        assert (error["code"], error["param"]) == ("unsupported_parameter", f"messages[1].{field}")
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("item", SENT_BACK, ids=str)
def test_what_clients_send_back_is_accepted(program: Program, item: dict[str, Any]) -> None:
    shown = program.ask([USER, item, USER])
    conversation = Conversation.objects.get()
    message = conversation.messages.get(stream=find_stream(shown["id"]))
    turns = load_turns(conversation, message.parent_id)
    assert [turn.text for turn in turns] == ["B", "a", "B"]


def test_calls_that_clients_send_back_are_accepted(program: Program) -> None:
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}
    call: Any = {
        **CALL,
        "id": "fc_1",
        "status": "completed",
        "parsed_arguments": {},
        "namespace": None,
    }
    output = {**OUTPUT, "id": "fco_1", "status": "completed", "name": "f"}
    program.ask([USER, reasoning, call, output], tools=[WEATHER])
    called = {**CHAT_CALL, "index": 0, "function": {**CHAT_CALL["function"], "parsed_arguments": 1}}
    answered = {"role": "tool", "tool_call_id": "c", "content": "1", "name": "f"}
    messages = [USER, {"role": "assistant", "content": None, "tool_calls": [called]}, answered]
    body = {"model": "demo", "messages": messages, "stream": True}
    answer = program.post("/chat/completions", body)
    assert answer.status_code == 200
    answer.close()
