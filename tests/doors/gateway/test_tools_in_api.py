"""The JSON API shows the calls and outputs of a chat of the gateway."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.tokens.models import Scope
from chat.api import outputs
from chat.api.outputs import build_message_page
from chat.models import Conversation, Message
from tests.doors.gateway.program import Program, write_response
from tests.doors.gateway.tool_program import PARIS, answer_call, ask_with_tool, write_calls

pytestmark = pytest.mark.django_db(transaction=True)

CALL = {"id": PARIS.id, "name": PARIS.name, "arguments": PARIS.arguments}


def read_api(owner: User, path: str) -> Any:
    reader = Program.of(owner, Scope.READ)
    answer: Any = reader.client.get(f"/api{path}", headers=reader.headers)
    assert answer.status_code == 200
    return answer.json()


def test_messages_have_their_calls_and_outputs(program: Program, owner: User) -> None:
    first = ask_with_tool(program, *write_calls(PARIS))
    second = program.ask([answer_call(PARIS)], previous_response_id=first)
    write_response(second["id"], "It rains.")
    chat = Conversation.objects.get()
    messages = read_api(owner, f"/conversations/{chat.pk}/messages")["messages"]
    output = {"callId": PARIS.id, "output": "Rain."}
    assert [(one["toolCalls"], one["toolOutputs"]) for one in messages] == [
        ([], []),
        ([CALL], []),
        ([], [output]),
        ([], []),
    ]
    for message in messages:
        assert read_api(owner, f"/messages/{message['id']}") == message
    assert "google sig" not in str(messages)


def test_a_new_version_of_an_answer_shows_the_outputs_before_it(
    program: Program, owner: User
) -> None:
    first = ask_with_tool(program, *write_calls(PARIS))
    second = program.ask([answer_call(PARIS)], previous_response_id=first)
    write_response(second["id"], "It rains.")
    writer = Program.of(owner, Scope.READ, Scope.WRITE)
    answer_id = Conversation.objects.get().current_leaf_id
    made: Any = writer.client.post(
        f"/api/messages/{answer_id}/versions",
        "{}",
        content_type="application/json",
        headers=writer.headers,
    )
    assert made.status_code == 201
    assert made.json()["question"]["toolOutputs"] == [{"callId": PARIS.id, "output": "Rain."}]


def test_calls_and_outputs_count_towards_the_size_of_a_page(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask_with_tool(program, *write_calls(PARIS))
    second = program.ask([answer_call(PARIS, "x" * 100)], previous_response_id=first)
    write_response(second["id"], "It rains.")
    monkeypatch.setattr(outputs, "MAX_PAGE_CHARS", 100)
    page = build_message_page(Conversation.objects.get(), None, 10)
    assert [message.content for message in page.messages] == ["It rains."]


def test_a_chat_of_the_pages_needs_no_query_for_tools(program: Program) -> None:
    ask_with_tool(program, *write_calls(PARIS))
    Conversation.objects.update(door="")
    with CaptureQueriesContext(connection) as queries:
        page = build_message_page(Conversation.objects.get(), None, 10)
    assert len(page.messages) == Message.objects.count()
    assert not any("toolpart" in query["sql"] for query in queries)
