"""Rows that programs store without a reply count for the limits, and requests that meet a deletion
change nothing."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from chat import conversations
from chat.doors.gateway import starting
from chat.doors.gateway.message_input import ItemReference
from chat.doors.gateway.references import resolve_references
from chat.doors.gateway.removal import remove_message
from chat.models import Conversation, Message
from chat.replies.handler import load_turns
from chat.replies.limits import ROW_CHARS
from streaming.models import Kind
from tests.doors.gateway.program import Program, count_chars, create, write_response

pytestmark = pytest.mark.django_db


def expect_too_much(program: Program, path: str, body: Any, reason: str = "a lot of text") -> None:
    response = program.post(path, body)
    assert response.status_code == 429, response.data
    assert reason in response.data["error"]["message"]


def test_messages_without_a_reply_count_for_the_limits_of_time(
    program: Program, settings: Settings
) -> None:
    settings.MAX_CHARS_PER_MINUTE = 1_000
    id = create(program, items=[{"role": "user", "content": "x" * 700}])
    program.send("DELETE", f"/conversations/{id}")  # makes no room
    expect_too_much(program, "/conversations", {"items": [{"role": "user", "content": "x" * 300}]})
    body = {"model": "demo", "input": "x" * 300, "background": True}
    expect_too_much(program, "/responses", body)


def test_rows_without_text_count_for_the_limits_of_time(
    program: Program, settings: Settings
) -> None:
    settings.MAX_CHARS_PER_MINUTE = 20 * ROW_CHARS
    empty = {"items": [{"role": "user", "content": ""}] * 15}
    id = create(program)
    assert program.post(f"/conversations/{id}/items", empty).status_code == 200
    expect_too_much(program, f"/conversations/{id}/items", empty)
    expect_too_much(program, "/conversations", {"metadata": {"a": "x" * 200}})
    history = [*empty["items"], {"role": "user", "content": "Why?"}]
    body = {"model": "demo", "messages": history, "stream": True}
    expect_too_much(program, "/chat/completions", body)


def test_changed_metadata_count_for_the_limits_of_time_and_as_stored(
    program: Program, settings: Settings
) -> None:
    """Rows of a conversation without messages count, too."""
    id = create(program)
    noted = {"metadata": dict.fromkeys("ab", "x" * 300)}
    for _ in range(2):
        assert program.post(f"/conversations/{id}", noted).status_code == 200
        assert 600 < count_chars(id) < 650
    settings.MAX_STORED_CHARS_PER_USER = 600 + ROW_CHARS
    expect_too_much(program, "/conversations", {}, "the limit of stored text")
    expect_too_much(program, f"/conversations/{id}", noted, "the limit of stored text")
    settings.MAX_STORED_CHARS_PER_USER = 10_000
    settings.MAX_CHARS_PER_MINUTE = 2_000
    expect_too_much(program, f"/conversations/{id}", noted)
    settings.MAX_CHARS_PER_MINUTE = 10_000
    assert program.post(f"/conversations/{id}", {"metadata": {}}).status_code == 200
    assert count_chars(id) == 0


def test_what_a_response_notes_counts_for_the_limits_of_time(
    program: Program, settings: Settings
) -> None:
    settings.MAX_CHARS_PER_MINUTE = 1_000
    noted = {"metadata": dict.fromkeys("ab", "x" * 300)}
    program.ask("A", **noted)
    expect_too_much(
        program, "/responses", {"model": "demo", "input": "A", "background": True} | noted
    )


def test_what_a_request_stores_beside_its_text_counts_as_stored(
    program: Program, settings: Settings
) -> None:
    """Its tools, its parameters, and what its developer says. They go with the response."""
    id = create(program)
    tool = {"type": "function", "name": "look", "description": "x" * 3_000, "parameters": {}}
    asked = {
        "conversation": id,
        "tools": [tool],
        "metadata": {"a": "y" * 500},
        "input": [
            {"role": "developer", "content": "z" * 2_000},
            {"role": "user", "content": "Why?"},
        ],
    }
    first = program.ask(**asked)["id"]
    stored = 3_000 + 500 + 2 * 2_000  # what the developer says is inherited, and a prompt
    assert stored < count_chars(id) < stored + 1_000
    settings.MAX_STORED_CHARS_PER_USER = 10_000
    body = {"model": "demo", "background": True} | asked
    expect_too_much(program, "/responses", body, "the limit of stored text")
    for _ in range(3):
        assert program.send("DELETE", f"/responses/{first}").status_code == 200
        assert count_chars(id) == 0
        first = program.ask(**asked)["id"]


TURNS: list[Any] = [{"role": "user", "content": "A"}, {"role": "assistant", "content": "a"}]


def test_a_message_that_another_request_has_deleted_is_deleted_once(program: Program) -> None:
    id = create(program, items=TURNS)
    conversation = Conversation.objects.get()
    first, second = conversation.messages.order_by("role", "pk")[::-1]
    remove_message(conversation, first)
    with pytest.raises(Message.DoesNotExist):
        remove_message(conversation, first)
    assert count_chars(id) == 1
    remove_message(conversation, second)  # found when the first one was still its parent
    assert Conversation.objects.get().current_leaf is None
    assert not Message.objects.exists()


def test_a_message_whose_parent_is_deleted_meanwhile_is_refused(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = create(program)
    first = program.ask("A", conversation=id)["id"]
    write_response(first, "a")

    def delete_first(*given: Any) -> Any:
        program.send("DELETE", f"/responses/{first}")
        return choose_settings(*given)

    choose_settings = starting._choose_settings
    monkeypatch.setattr(starting, "_choose_settings", delete_first)
    body = {"model": "demo", "input": "B", "background": True, "previous_response_id": first}
    answer = program.post("/responses", body)
    assert answer.status_code == 404, answer.data
    assert "was deleted" in answer.data["error"]["message"]


def test_no_response_is_accepted_in_a_conversation_that_is_being_deleted(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = program.ask("A")["id"]
    body = {"model": "demo", "input": "B", "background": True, "previous_response_id": first}
    refused: list[Any] = []

    def ask_before(conversation: Conversation) -> None:
        refused.append(program.post("/responses", body))
        soft_delete(conversation)

    soft_delete = conversations.soft_delete
    monkeypatch.setattr(conversations, "soft_delete", ask_before)
    assert program.send("DELETE", f"/responses/{first}").status_code == 200
    assert [answer.data["error"]["code"] for answer in refused] == ["previous_response_not_found"]


def test_references_to_messages_read_no_journal(
    program: Program, owner: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    references = []
    for number in range(5):
        id = program.ask(f"Q{number}")["id"]
        write_response(id, (Kind.REASONING, "Hm"), f"A{number}")
        items = program.get(f"/responses/{id}").data["output"]
        references += [ItemReference(item["id"], "input") for item in items]
    with django_assert_num_queries(2):  # messages, and their tool calls and outputs
        turns = resolve_references(owner, references)
    assert [turn.text for turn in turns] == [f"A{number}" for number in range(5)]


def test_the_turns_of_a_conversation_are_read_by_two_queries(
    program: Program, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    create(program, items=[{"role": "user", "content": f"A{n}"} for n in range(20)])
    conversation = Conversation.objects.get()
    with django_assert_num_queries(2):  # messages, and their tool calls and outputs
        turns = load_turns(conversation, conversation.current_leaf_id)
    assert len(turns) == 20
