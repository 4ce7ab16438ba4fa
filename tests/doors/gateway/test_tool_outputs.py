"""The outputs of function tools, and all that is stored of their use."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from chat import conversations
from chat.models import Conversation, Message, ToolPart
from chat.replies.context import build_context, build_exact_context
from chat.replies.handler import load_turns, read_tools
from chat.replies.limits import OTHER_CHARS
from chat.replies.tool_turns import infer_tools
from streaming.providers.tools import ToolCall, ToolOutput, Tools
from streaming.providers.types import Turn
from tests.doors.gateway.program import (
    Program,
    count_chars,
    create,
    find_stream,
    wait_for_stream,
    write_response,
)
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


def list_types(program: Program, path: str) -> list[tuple[str, str]]:
    """The type and the content of the items of a list, oldest first."""
    items = program.get(f"{path}?order=asc").data["data"]
    return [(item["type"], find_content(item)) for item in items]


def find_content(item: dict[str, Any]) -> str:
    for name in ("arguments", "output"):
        if name in item:
            return str(item[name])
    return "".join(part["text"] for part in item.get("content", item.get("summary", [])))


def build_call(id: str) -> dict[str, str]:
    return {"type": "function_call", "call_id": id, "name": "get_weather", "arguments": "{}"}


# Its output


def test_the_next_request_answers_a_call(program: Program) -> None:
    first = ask_with_tool(program, "Let me look.", *write_calls(PARIS, ROME))
    outputs = [
        answer_call(ROME, "Sun."),
        answer_call(PARIS),
        {"role": "user", "content": "And wind?"},
    ]
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
    first = ask_with_tool(program, *write_calls(PARIS))
    output = program.get(f"/responses/{first}").data["output"]
    history = [{"role": "user", "content": "Rain?"}, *output, answer_call(PARIS)]
    second = program.ask(history, tools=[WEATHER])
    assert load_request(second["id"])[1] == Turn("assistant", "", calls=(PARIS,))
    stranger = Program.of(colleague)
    theirs = stranger.ask(history, tools=[WEATHER])
    assert load_request(theirs["id"])[1].calls[0].state == ""


def test_items_stand_for_all_of_their_message(program: Program) -> None:
    first = ask_with_tool(program, "Let me look.", *write_calls(PARIS, ROME))
    output = program.get(f"/responses/{first}").data["output"]
    history = [
        {"role": "user", "content": "Rain?"},
        *({"type": "item_reference", "id": item["id"]} for item in output),
        answer_call(PARIS),
        answer_call(ROME),
    ]
    turns = load_request(program.ask(history, tools=[WEATHER])["id"])
    assert turns[1] == Turn("assistant", "Let me look.", calls=(PARIS, ROME))
    assert len(turns) == 3


def test_a_copy_of_a_conversation_has_its_calls(program: Program, owner: User) -> None:
    first = ask_with_tool(program, *write_calls(PARIS))
    body = {
        "model": "demo",
        "input": [answer_call(PARIS)],
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
        ([answer_call(ROME)], "No tool output found for function call call_1"),
        ([answer_call(PARIS), answer_call(ROME)], "call_id call_2"),
        ([answer_call(PARIS), answer_call(PARIS)], "More than one tool output found for"),
        ([], "No tool output found for function call call_1"),
        (
            [answer_call(PARIS), build_call("call_3"), build_call("call_3")],
            "Two function calls have the id call_3",
        ),
        (
            [answer_call(PARIS), build_call("call_3")],
            "No tool output found for function call call_3",
        ),
        (
            [answer_call(PARIS), {"role": "user", "content": "x"}, answer_call(PARIS)],
            "call_id call_1",
        ),
    ],
)
def test_calls_and_outputs_must_belong_together(program: Program, input: Any, words: str) -> None:
    first = ask_with_tool(program, *write_calls(PARIS))
    body = {"model": "demo", "input": input, "previous_response_id": first, "tools": [WEATHER]}
    refused = program.post("/responses", body)
    assert refused.status_code == 400
    assert words in refused.data["error"]["message"]
    assert refused.data["error"]["param"] == "input"
    assert Message.objects.count() == 2


# Stored rows


def test_calls_are_counted_and_deleted_with_their_message(program: Program) -> None:
    into = create(program)
    first = ask_with_tool(program, "a", *write_calls(PARIS), conversation=into)
    chars = count_chars(into)
    second = program.ask([answer_call(PARIS, "x" * 50)], conversation=into)["id"]
    write_response(second, "b")
    other_chars = find_stream(second).arguments[OTHER_CHARS]
    assert count_chars(into) == chars + len("call_1") + 50 + 1 + other_chars
    kinds = set(ToolPart.objects.values_list("kind", flat=True))
    assert kinds == {"call", "output"}
    assert program.send("DELETE", f"/responses/{second}").status_code == 200
    assert count_chars(into) == chars
    assert [part.kind for part in ToolPart.objects.all()] == ["call"]
    conversations.delete(Conversation.objects.get())
    assert not ToolPart.objects.exists()
    assert program.get(f"/responses/{first}").status_code == 404


def test_rows_that_an_older_version_left_are_deleted(program: Program) -> None:
    ask_with_tool(program, *write_calls(PARIS))
    Conversation.objects.update(current_leaf=None)
    Message.objects.filter(role="assistant")._raw_delete("default")
    assert not ToolPart.objects.exists()


def test_a_history_of_calls_without_declared_tools_gets_definitions(program: Program) -> None:
    first = ask_with_tool(program, *write_calls(PARIS))
    second = program.ask([answer_call(PARIS)], previous_response_id=first)["id"]
    assert read_tools(find_stream(second)) is None
    inferred = infer_tools(load_request(second))
    assert isinstance(inferred, Tools)
    assert ([tool.name for tool in inferred.functions], inferred.choice) == (
        ["get_weather"],
        "none",
    )


# On the page


def test_a_page_shows_the_calls_and_outputs_of_a_program(
    program: Program, owner: User, as_owner: Client
) -> None:
    first = ask_with_tool(program, *write_calls(PARIS, ToolCall("x", "<b>", "y" * 30_000)))
    outputs = [answer_call(PARIS, "<script>"), {**answer_call(PARIS, "2"), "call_id": "x"}]
    second = program.ask(outputs, previous_response_id=first)
    write_response(second["id"], "It rains.")
    conversation = Conversation.objects.get()
    shown = as_owner.get(f"/c/{conversation.pk}/").content.decode()
    assert "Called get_weather" in shown
    assert "Called &lt;b&gt;" in shown
    assert "Paris \N{WATER WAVE}" in shown
    assert "&lt;script&gt;" in shown
    assert "y" * 20_000 not in shown
    assert "google sig" not in shown


def test_a_reply_without_tools_gets_calls_as_sentences(program: Program) -> None:
    first = ask_with_tool(program, "Let me look.", *write_calls(PARIS))
    second = program.ask([answer_call(PARIS, "It rains.")], previous_response_id=first)
    write_response(second["id"], "Take an umbrella.")
    conversation = Conversation.objects.get()
    history = [*load_turns(conversation, conversation.current_leaf_id), Turn("user", "Why?")]
    turns = build_context(history).turns
    assert [turn.text for turn in turns] == [
        "Rain?",
        f"Let me look.\n\n[Called get_weather with {PARIS.arguments}]",
        "[Output of get_weather: It rains.]",
        "Take an umbrella.",
        "Why?",
    ]
    assert not any(turn.calls or turn.outputs for turn in turns)
