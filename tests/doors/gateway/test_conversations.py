"""Conversations with their items, what a response was made from, and deletions."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import User
from chat.api.models import IdempotentRequest
from chat.doors.gateway import items
from chat.doors.gateway.items import build_items
from chat.models import Conversation, DeletedSize, GatewayResponse, Message
from chat.replies import continue_reply
from chat.replies.handler import load_turns
from chat.replies.limits import OTHER_CHARS, ROW_CHARS
from chat.tool_parts.storage import MessageTools
from streaming import lifecycle
from streaming.lifecycle import STOPPED
from streaming.models import Kind, State, Stream, StreamChunk
from tests.doors.gateway.program import (
    Program,
    count_chars,
    create,
    find_stream,
    list_texts,
    write_response,
)

pytestmark = pytest.mark.django_db

FIRST: list[Any] = [{"role": "user", "content": "A"}, {"role": "assistant", "content": "a"}]


def test_a_conversation_is_made_read_changed_and_deleted(program: Program) -> None:
    before = int(timezone.now().timestamp())
    id = create(program, metadata={"a": "b"})
    shown = program.get(f"/conversations/{id}").data
    assert before <= shown.pop("created_at") <= before + 60
    assert shown == {"id": id, "object": "conversation", "metadata": {"a": "b"}}
    changed = program.post(f"/conversations/{id}", {"metadata": {"c": "d"}}).data
    assert changed["metadata"] == {"c": "d"}
    gone = program.send("DELETE", f"/conversations/{id}").data
    assert gone == {"id": id, "object": "conversation.deleted", "deleted": True}
    assert program.get(f"/conversations/{id}").status_code == 404


def test_a_change_without_metadata_keeps_them(program: Program) -> None:
    id = create(program, metadata={"a": "b"})
    for body in ({}, {"metadata": None}):
        error = program.post(f"/conversations/{id}", body).data["error"]
        assert (error["code"], error["param"]) == ("missing_required_parameter", "metadata")
    assert program.get(f"/conversations/{id}").data["metadata"] == {"a": "b"}
    assert program.post(f"/conversations/{id}", {"metadata": {}}).data["metadata"] == {}


def test_a_key_makes_one_conversation_and_its_items_once(program: Program) -> None:
    made, again = (
        program.post("/conversations", {"items": FIRST}, Idempotency_Key="k") for _ in range(2)
    )
    assert made.data == again.data
    assert Conversation.objects.count() == 1
    assert Message.objects.count() == 2
    path = f"/conversations/{made.data['id']}/items"
    added, repeated = (
        program.post(path, {"items": [*FIRST, *FIRST]}, Idempotency_Key="i") for _ in range(2)
    )
    assert added.status_code == 200
    assert added.data == repeated.data
    assert [item["role"] for item in added.data["data"]] == ["user", "assistant"] * 2
    assert Message.objects.count() == 6
    for key, body in (("k", {"items": FIRST}), ("i", {"items": FIRST})):
        other = program.post(path, body, Idempotency_Key=key)
        assert (other.status_code, other.data["error"]["code"]) == (409, "key_reused")
    IdempotentRequest.objects.all().delete()  # as workers do after 30 days
    assert program.post("/conversations", {"items": FIRST}, Idempotency_Key="k").data == made.data
    late = program.post(path, {"items": [*FIRST, *FIRST]}, Idempotency_Key="i")
    assert late.data == added.data
    assert Message.objects.count() == 6


def test_a_key_is_known_after_its_row_was_deleted_for_its_age(program: Program) -> None:
    first, other = (f"/conversations/{create(program)}/items" for _ in range(2))
    added = program.post(first, {"items": FIRST}, Idempotency_Key="i")
    changed = [FIRST[0], {"role": "assistant", "content": "other"}]
    for path, sent in (
        (other, FIRST),
        (first, FIRST[:1]),
        (first, [*FIRST, *FIRST]),
        (first, changed),
    ):
        IdempotentRequest.objects.all().delete()
        reused = program.post(path, {"items": sent}, Idempotency_Key="i")
        assert (reused.status_code, reused.data["error"]["code"]) == (409, "key_reused")
        again = program.post(first, {"items": FIRST}, Idempotency_Key="i")
        assert again.data == added.data
    assert Message.objects.count() == 2


def test_a_key_whose_effect_was_deleted_makes_nothing_new(program: Program) -> None:
    id = program.post("/conversations", {"items": FIRST}, Idempotency_Key="k").data["id"]
    path = f"/conversations/{id}/items"
    added = program.post(path, {"items": FIRST}, Idempotency_Key="i").data
    assert program.send("DELETE", f"{path}/{added['last_id']}").status_code == 200
    assert program.post(path, {"items": FIRST}, Idempotency_Key="i").data["error"]["code"] == "gone"
    program.send("DELETE", f"/conversations/{id}")
    again = program.post("/conversations", {"items": FIRST}, Idempotency_Key="k")
    assert again.data["error"]["code"] == "gone"
    assert Message.objects.count() == 3


def test_responses_continue_a_conversation_from_its_items(program: Program) -> None:
    id = create(program, items=FIRST)
    for number, form in enumerate((id, {"id": id})):
        shown = program.ask(f"B{number}", conversation=form)
        assert shown["conversation"] == {"id": id}
        write_response(shown["id"], (Kind.REASONING, "Hm."), f"b{number}")
    row = GatewayResponse.objects.order_by("-pk").first()
    assert row is not None
    turns = load_turns(row.conversation, row.answer_id)
    assert [turn.text for turn in turns] == ["A", "a", "B0", "b0", "B1", "b1"]
    items = program.get(f"/conversations/{id}/items?order=asc").data["data"]
    assert [item["type"] for item in items] == ["message"] * 3 + ["reasoning"] + [
        "message",
        "message",
        "reasoning",
        "message",
    ]
    output = program.get(f"/responses/{shown['id']}").data["output"]
    assert [item["id"] for item in output] == [item["id"] for item in items[-2:]]
    assert Conversation.objects.get().title == "A"


def test_developers_messages_stay_for_later_responses(program: Program) -> None:
    id = create(program)
    developer = {"role": "developer", "content": "Rhyme."}
    first = program.ask([developer, {"role": "user", "content": "A"}], conversation=id)
    write_response(first["id"], "a")
    second = program.ask("B", conversation=id)
    assert find_stream(second["id"]).arguments["system_prompt"] == "Rhyme."
    assert list_texts(program, f"/responses/{second['id']}/input_items") == [
        ("developer", "Rhyme."),
        ("user", "A"),
        ("assistant", "a"),
        ("user", "B"),
    ]


def test_items_are_added_read_and_deleted(program: Program) -> None:
    id = create(program)
    added = program.post(f"/conversations/{id}/items", {"items": FIRST}).data["data"]
    assert count_chars(id) == 2
    more = program.post(
        f"/conversations/{id}/items", {"items": [{"role": "user", "content": "Third"}]}
    )
    path = f"/conversations/{id}/items/{added[1]['id']}"
    assert program.get(path).data == added[1]
    assert program.send("DELETE", path).data["id"] == id
    assert program.get(path).status_code == 404
    assert list_texts(program, f"/conversations/{id}/items") == [("user", "A"), ("user", "Third")]
    last = more.data["data"][0]["id"]
    assert program.send("DELETE", f"/conversations/{id}/items/{last}").status_code == 200
    assert list_texts(program, f"/conversations/{id}/items") == [("user", "A")]
    assert count_chars(id) == 1


def test_a_list_has_pages(program: Program) -> None:
    items = [{"role": "user", "content": str(n)} for n in range(5)]
    path = f"/conversations/{create(program, items=items)}/items"
    page = program.get(f"{path}?limit=2").data
    assert [item["content"][0]["text"] for item in page["data"]] == ["4", "3"]
    assert page["has_more"] is True
    assert (page["first_id"], page["last_id"]) == tuple(item["id"] for item in page["data"])
    rest = program.get(f"{path}?limit=100&after={page['last_id']}").data
    assert [item["content"][0]["text"] for item in rest["data"]] == ["2", "1", "0"]
    assert rest["has_more"] is False
    for query in ("limit=0", "limit=101", "limit=x", "order=up", "after=msg_1", "made_up=1"):
        refused = program.get(f"{path}?{query}")
        assert (refused.status_code, refused.data["error"]["param"]) == (
            400,
            query.partition("=")[0],
        )


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"items": [{"role": "developer", "content": "x"}]}, "items.role"),
        ({"items": [FIRST[0]] * 21}, "items"),
        ({"items": "x"}, "items"),
        ({"metadata": 1}, "metadata"),
        ({"made_up": 1}, "made_up"),
    ],
)
def test_what_a_conversation_can_not_hold_is_named(
    program: Program, body: dict[str, Any], param: str
) -> None:
    refused = program.post("/conversations", body)
    assert (refused.status_code, refused.data["error"]["param"]) == (400, param)
    assert not Conversation.objects.exists()


def test_items_count_for_the_limit_of_stored_text(program: Program, settings: Any) -> None:
    settings.MAX_STORED_CHARS_PER_USER = 10 + 3 * ROW_CHARS
    id = create(program, items=FIRST)
    body = {"items": [{"role": "user", "content": "x" * 9}]}
    refused = program.post(f"/conversations/{id}/items", body)
    assert (refused.status_code, refused.data["error"]["type"]) == (429, "rate_limit_error")
    assert Message.objects.count() == 2


def test_a_running_answer_is_not_deleted(program: Program) -> None:
    id = create(program)
    running = program.ask("A", conversation=id)["id"]
    write_response(running, "b", ending=None)
    path = f"/conversations/{id}/items"
    item = program.get(path).data["data"][0]
    assert item["status"] == "in_progress"
    assert program.send("DELETE", f"{path}/{item['id']}").status_code == 409


# Deleted responses


def test_the_last_response_takes_its_chat_with_it(program: Program) -> None:
    id = program.ask("A")["id"]
    write_response(id, "Beca", ending=None)
    gone = program.send("DELETE", f"/responses/{id}").data
    assert gone == {"id": id, "object": "response", "deleted": True}
    assert program.get(f"/responses/{id}").status_code == 404
    assert Conversation.objects.get().deleted_at is not None
    assert find_stream(id).state == State.STOPPED


def test_a_deleted_branch_leaves_the_others(program: Program, owner: User) -> None:
    first = program.ask("A")["id"]
    write_response(first, "a")
    branches = [program.ask(f"B{n}", previous_response_id=first)["id"] for n in range(2)]
    for id in branches:
        write_response(id, "b")
    chars = Conversation.objects.get().stored_chars
    other_chars = find_stream(branches[1]).arguments[OTHER_CHARS]
    deleted = find_stream(branches[1]).uuid
    program.send("DELETE", f"/responses/{branches[1]}")
    assert {m.content for m in Message.objects.all()} == {"A", "a", "B0", "b"}
    assert Conversation.objects.get().stored_chars == (chars or 0) - 3 - 2 * ROW_CHARS - other_chars
    assert Stream.objects.count() == 2
    assert not StreamChunk.objects.exclude(stream__in=Stream.objects.all()).exists()
    assert DeletedSize.objects.get(pk=deleted).size == 2
    leaf = Conversation.objects.get().current_leaf
    assert leaf is not None
    assert leaf.content == "a"


def test_nothing_stays_of_a_response_that_another_door_has_continued(
    program: Program, owner: User
) -> None:
    id = program.ask("A", conversation=create(program))["id"]
    write_response(id, "Beca", ending=STOPPED)
    answer = Message.objects.get(stream=find_stream(id))
    more = continue_reply(owner, answer=answer, request_id=uuid4())
    assert lifecycle.claim_stream(lifecycle.register_worker("test"), more.stream)
    program.send("DELETE", f"/responses/{id}")
    assert not Message.objects.exists()
    assert not Stream.objects.exists()
    assert not StreamChunk.objects.exists()


def test_a_deleted_response_stays_in_the_context_of_those_that_continue_it(
    program: Program,
) -> None:
    first = program.ask("A")["id"]
    write_response(first, "a")
    second = program.ask("B", previous_response_id=first)["id"]
    program.send("DELETE", f"/responses/{first}")
    assert program.get(f"/responses/{first}").status_code == 404
    assert list_texts(program, f"/responses/{second}/input_items") == [
        ("user", "A"),
        ("assistant", "a"),
        ("user", "B"),
    ]


def test_a_conversation_outlives_its_responses(program: Program) -> None:
    id = create(program, items=FIRST)
    response = program.ask("B", conversation=id)["id"]
    write_response(response, "b")
    program.send("DELETE", f"/responses/{response}")
    assert list_texts(program, f"/conversations/{id}/items") == [("user", "A"), ("assistant", "a")]


# Others


def test_others_get_nothing_of_a_conversation(program: Program, colleague: User) -> None:
    id = create(program, items=FIRST)
    item = program.get(f"/conversations/{id}/items").data["data"][0]["id"]
    response = program.ask("B", conversation=id)["id"]
    stranger = Program.of(colleague)
    for method, path in (
        ("GET", f"/conversations/{id}"),
        ("POST", f"/conversations/{id}"),
        ("DELETE", f"/conversations/{id}"),
        ("GET", f"/conversations/{id}/items"),
        ("POST", f"/conversations/{id}/items"),
        ("GET", f"/conversations/{id}/items/{item}"),
        ("DELETE", f"/conversations/{id}/items/{item}"),
        ("GET", f"/responses/{response}/input_items"),
        ("DELETE", f"/responses/{response}"),
    ):
        assert stranger.send(method, path).status_code == 404, (method, path)
    body = {"model": "demo", "input": "x", "background": True, "conversation": id}
    assert stranger.post("/responses", body).status_code == 404
    references = [{"type": "item_reference", "id": item}, {"role": "user", "content": "x"}]
    refused = stranger.post("/responses", {**body, "conversation": None, "input": references})
    assert refused.data["error"]["code"] == "not_found"
    assert len(list_texts(program, f"/conversations/{id}/items")) == 4


def test_a_page_of_items_reads_no_other_texts(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = create(program, items=[{"role": "user", "content": f"A{n}"} for n in range(20)])
    asked = program.ask("B", conversation=id)
    write_response(asked["id"], "b")
    read: list[str] = []

    def record(message: Message, tools: MessageTools) -> list[dict[str, Any]]:
        read.append(message.content)
        return build_items(message, tools)

    monkeypatch.setattr(items, "build_items", record)
    for path in (f"/conversations/{id}/items", f"/responses/{asked['id']}/input_items"):
        read.clear()
        shown = list_texts(program, path, "?order=asc&limit=2")
        assert shown == [("user", "A0"), ("user", "A1")]
        assert sorted(read) == ["A0", "A1"]
