"""The calls and outputs that a program sends back, and those that it refers to or deletes."""

from __future__ import annotations

from typing import Any

import pytest

from chat.doors.gateway.tool_input import MAX_ARGUMENTS_CHARS
from chat.models import Message, ToolPart
from streaming.models import Kind
from streaming.providers.tools import MAX_FUNCTION_NAME_CHARS, ToolCall, ToolOutput
from streaming.providers.types import Turn
from tests.doors.gateway.program import Program, create
from tests.doors.gateway.tool_program import (
    PARIS,
    ROME,
    WEATHER,
    answer_call,
    ask_with_tool,
    load_request,
    write_calls,
)

pytestmark = pytest.mark.django_db(transaction=True)

QUESTION = {"role": "user", "content": "Rain?"}


def build_call(call: ToolCall) -> dict[str, Any]:
    fields = {"call_id": call.id, "name": call.name, "arguments": call.arguments}
    return {"type": "function_call", **fields}


def refer(id: str) -> dict[str, str]:
    return {"type": "item_reference", "id": id}


# Sent back


@pytest.mark.parametrize(
    "call",
    [
        ToolCall("x", "default_api.get_weather", "{}"),
        ToolCall("x", "\u00e9" * MAX_FUNCTION_NAME_CHARS, "{}"),
        ToolCall("x", "f", "y" * 500_000),
    ],
    ids=["point", "long name", "long arguments"],
)
def test_a_program_can_send_back_whatever_a_reply_called(program: Program, call: ToolCall) -> None:
    first = ask_with_tool(program, *write_calls(call))
    [item] = program.get(f"/responses/{first}").data["output"]
    again = program.ask([QUESTION, item, answer_call(call)], tools=[WEATHER])
    assert load_request(again["id"])[1].calls == (call,)


def test_a_chat_completion_can_have_a_name_that_a_model_made_up(program: Program) -> None:
    call = ToolCall("x", "default_api.get_weather", "{}")
    function = {"name": call.name, "arguments": call.arguments}
    called = {"role": "assistant", "tool_calls": [{"id": "x", "function": function}]}
    answered = {"role": "tool", "tool_call_id": "x", "content": "1"}
    body = {"model": "demo", "messages": [QUESTION, called, answered], "stream": True}
    response = program.post("/chat/completions", body)
    response.close()
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("call", "param"),
    [
        (ToolCall("x", "f" * (MAX_FUNCTION_NAME_CHARS + 1), "{}"), "input[1].name"),
        (ToolCall("x", "", "{}"), "input[1].name"),
        (ToolCall("x", "f", "y" * (MAX_ARGUMENTS_CHARS + 1)), "input[1].arguments"),
    ],
    ids=["long name", "no name", "long arguments"],
)
def test_a_call_that_no_reply_can_have_is_refused(
    program: Program, call: ToolCall, param: str
) -> None:
    items = [QUESTION, build_call(call), answer_call(call)]
    refused = program.post("/responses", {"model": "demo", "input": items})
    assert (refused.status_code, refused.data["error"]["param"]) == (400, param)


def test_outputs_and_arguments_are_not_changed(program: Program) -> None:
    text = "a\r\nb\rc\n"
    call = ToolCall("x", "f", text)
    parts = [{"type": "input_text", "text": text}, {"type": "input_text", "text": "\0"}]
    output = {"type": "function_call_output", "call_id": "x", "output": parts}
    id = program.ask([QUESTION, build_call(call), output])["id"]
    turns = load_request(id)
    assert turns[1].calls == (call,)
    assert turns[2].outputs == (ToolOutput("x", text + "\ufffd"),)
    messages = [
        QUESTION,
        {
            "role": "assistant",
            "tool_calls": [{"id": "y", "function": {"name": "f", "arguments": text}}],
        },
        {"role": "tool", "tool_call_id": "y", "content": text},
    ]
    program.post(
        "/chat/completions", {"model": "demo", "messages": messages, "stream": True}
    ).close()
    stored = ToolPart.objects.filter(call_id="y").values_list("text", flat=True)
    assert list(stored) == [text, text]


# Referred to


def test_a_reference_to_the_text_leaves_the_calls_out(program: Program) -> None:
    first = ask_with_tool(program, "Let me look.", *write_calls(PARIS))
    text = program.get(f"/responses/{first}").data["output"][0]
    assert text["type"] == "message"
    again = program.ask([QUESTION, refer(text["id"]), {"role": "user", "content": "And?"}])
    assert load_request(again["id"])[1] == Turn("assistant", "Let me look.")


def test_a_reference_to_one_of_two_calls_takes_that_call(program: Program) -> None:
    first = ask_with_tool(
        program, (Kind.REASONING, "Hm."), "Let me look.", *write_calls(PARIS, ROME)
    )
    *_, second = program.get(f"/responses/{first}").data["output"]
    again = program.ask([QUESTION, refer(second["id"]), answer_call(ROME)], tools=[WEATHER])
    assert load_request(again["id"])[1] == Turn("assistant", "", calls=(ROME,))


def test_a_reference_to_one_of_two_outputs_takes_that_output(program: Program) -> None:
    first = ask_with_tool(program, *write_calls(PARIS, ROME))
    outputs = [answer_call(PARIS, "Rain."), answer_call(ROME, "Sun.")]
    second = program.ask(outputs, previous_response_id=first)["id"]
    items = program.get(f"/responses/{second}/input_items?order=asc").data["data"]
    *_, rome, _paris_output, rome_output = items
    again = program.ask([QUESTION, refer(rome["id"]), refer(rome_output["id"])])
    assert load_request(again["id"])[1:] == [
        Turn("assistant", "", calls=(ROME,)),
        Turn("user", "", outputs=(ToolOutput("call_2", "Sun."),)),
    ]


# Deleted


def test_the_first_item_of_a_message_without_text_deletes_it(program: Program) -> None:
    items = [QUESTION, build_call(PARIS), build_call(ROME), answer_call(PARIS), answer_call(ROME)]
    path = f"/conversations/{create(program, items=items)}/items"
    listed = program.get(f"{path}?order=asc").data["data"]
    _question, call, other_call, output, other_output = (item["id"] for item in listed)
    for first, second in ((output, other_output), (call, other_call)):
        refused = program.send("DELETE", f"{path}/{second}")
        assert refused.status_code == 400
        assert first in refused.data["error"]["message"]
        assert program.send("DELETE", f"{path}/{first}").status_code == 200
        assert program.get(f"{path}/{second}").status_code == 404
    assert Message.objects.count() == 1
    assert not ToolPart.objects.exists()


def test_the_text_of_a_message_deletes_it(program: Program) -> None:
    said = {"role": "assistant", "content": "Let me look."}
    items = [QUESTION, said, build_call(PARIS), answer_call(PARIS)]
    path = f"/conversations/{create(program, items=items)}/items"
    _question, text, call, _output = program.get(f"{path}?order=asc").data["data"]
    refused = program.send("DELETE", f"{path}/{call['id']}")
    assert refused.status_code == 400
    assert text["id"] in refused.data["error"]["message"]
    assert program.send("DELETE", f"{path}/{text['id']}").status_code == 200
    assert Message.objects.count() == 2
