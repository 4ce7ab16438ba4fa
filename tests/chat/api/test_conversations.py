"""The API of conversations, messages and streams: each operation, and each way it is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, cast
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from chat.api import outputs
from chat.api.api import api
from chat.api.idempotency import delete_old_requests
from chat.conversations.deletion import delete
from chat.models import Conversation, IdempotentRequest, Message, Webhook, WebhookDelivery
from chat.replies.settings import SETTINGS
from chat.webhooks.actions import create_webhook
from streaming import lifecycle
from streaming.models import Kind, Stream
from tests.chat.api.conftest import Program
from tests.factories import Piece, run_at_once
from tests.streaming.factories import append_chunks, end_stream, reload_stream

pytestmark = pytest.mark.django_db(transaction=True)

QUESTION = {"text": "Why do tides come twice a day?", "model": "demo-fast"}


def start(program: Program, **changes: Any) -> Any:
    answer = program.post("/conversations", QUESTION | changes)
    assert answer.status_code == 201, answer.content
    return answer.data


def finish(reply: dict[str, Any], *pieces: Piece) -> Stream:
    """Write the text of the answer, and end its stream, as a worker does."""
    stream = Stream.objects.get(uuid=reply["answer"]["stream"]["id"])
    Stream.objects.filter(pk=stream.pk).update(state="running", epoch=1)
    stream.refresh_from_db()
    append_chunks(stream, *(pieces or ("The ", "moon.")))
    end_stream(stream)
    return reload_stream(stream)


def test_a_conversation_from_its_first_question_to_its_deletion(program: Program) -> None:
    reply = start(program, title="Tides", systemPrompt="Be brief.", maxTokens=50)
    assert reply["conversation"]["title"] == "Tides"
    assert reply["question"]["content"] == QUESTION["text"]
    assert (reply["answer"]["role"], reply["answer"]["content"]) == ("assistant", "")
    assert (reply["answer"]["stream"]["state"], reply["answer"]["index"]) == ("queued", -1)
    finish(reply)
    id = reply["conversation"]["id"]
    read = program.get(f"/conversations/{id}").data
    assert [message["content"] for message in read["messages"]] == [
        QUESTION["text"],
        "The moon.",
    ]
    assert (read["status"], read["earlier"], read["read"]) == ("completed", None, False)
    second = program.post(f"/conversations/{id}/messages", {"text": "And the sun?"}).data
    assert second["question"]["parentId"] == reply["answer"]["id"]
    stream = Stream.objects.get(uuid=second["answer"]["stream"]["id"])
    assert stream.arguments["system_prompt"] == "Be brief."
    assert stream.arguments["max_tokens"] == 50
    changed = program.send("PATCH", f"/conversations/{id}", {"title": "Sea", "pinned": True})
    assert (changed.data["title"], changed.data["pinned"]) == ("Sea", True)
    assert program.send("DELETE", f"/conversations/{id}").status_code == 204
    assert program.get(f"/conversations/{id}").status_code == 404
    stream.refresh_from_db()
    assert stream.state == "stopped"
    for _ in range(2):
        assert program.post(f"/conversations/{id}/restoration").data["title"] == "Sea"


def test_the_list_is_read_page_by_page(program: Program, stranger: Program) -> None:
    ids = [start(program, text=f"Question {n}")["conversation"]["id"] for n in range(5)]
    start(stranger)
    now = timezone.now()
    for number, id in enumerate(ids):  # the clock of SQLite has milliseconds
        later = now + timedelta(seconds=number)
        Conversation.objects.filter(pk=id).update(updated_at=later)
    program.send("PATCH", f"/conversations/{ids[1]}", {"pinned": True})
    found, after = [], ""
    while True:
        page = program.get(f"/conversations?limit=2{after}").data
        found += [row["id"] for row in page["conversations"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert found == [ids[1], ids[4], ids[3], ids[2], ids[0]]


def test_messages_are_read_backwards(program: Program) -> None:
    reply = start(program)
    id = reply["conversation"]["id"]
    for number in range(3):
        program.post(f"/conversations/{id}/messages", {"text": f"More {number}"})
    newest = program.get(f"/conversations/{id}/messages?limit=3").data
    assert newest["messages"][1]["content"] == "More 2"
    earlier = program.get(f"/conversations/{id}/messages?before={newest['earlier']}&limit=200").data
    assert earlier["earlier"] is None
    assert len(earlier["messages"]) == 5
    assert earlier["messages"][-1]["id"] == newest["messages"][0]["parentId"]
    assert program.get(f"/conversations/{id}/messages?before={uuid4()}").status_code == 404


def test_versions_and_continuations(program: Program) -> None:
    reply = start(program)
    question, answer = reply["question"]["id"], reply["answer"]["id"]
    edited = program.post(f"/messages/{question}/versions", {"text": "Why, really?"}).data
    assert edited["question"]["content"] == "Why, really?"
    again = program.post(f"/messages/{answer}/versions", {"model": "demo"}).data
    assert (again["question"]["id"], again["answer"]["model"]) == (question, "demo")
    read = program.get(f"/messages/{answer}").data
    assert read["versions"] == [answer, again["answer"]["id"]]
    refused = program.post(f"/messages/{answer}/continuations")
    assert (refused.status_code, refused.data["code"]) == (409, "not_cut")
    stream = Stream.objects.get(uuid=reply["answer"]["stream"]["id"])
    Stream.objects.filter(pk=stream.pk).update(state="running", epoch=1)
    append_chunks(reload_stream(stream), "The ")
    assert program.post(f"/streams/{stream.uuid}/stop").data["state"] == "stopped"
    continued = program.post(f"/messages/{answer}/continuations").data
    assert continued["answer"]["id"] == answer
    assert continued["answer"]["stream"]["id"] != str(stream.uuid)


def test_only_a_reply_is_continued(program: Program) -> None:
    reply = start(program)
    refused = program.post(f"/messages/{reply['question']['id']}/continuations")
    assert (refused.status_code, refused.data["code"]) == (409, "not_cut")
    assert "question" in refused.data["detail"]
    written = Message.objects.create(
        conversation_id=reply["conversation"]["id"],
        parent_id=reply["question"]["id"],
        role=Message.Role.ASSISTANT,
        content="A program has written this.",
    )
    refused = program.post(f"/messages/{written.pk}/continuations")
    assert (refused.status_code, refused.data["code"]) == (409, "not_cut")


def test_a_wrong_parent_is_told_to_a_program_and_not_to_a_page(program: Program) -> None:
    reply = start(program)
    path = f"/conversations/{reply['conversation']['id']}/messages"
    for parent in (reply["question"]["id"], str(uuid4())):
        refused = program.post(path, {"text": "And the sun?", "parentId": parent})
        assert (refused.status_code, refused.data["code"]) == (409, "nowhere")
        assert "parentId" in refused.data["detail"]
        assert "page" not in refused.data["detail"].lower()


def test_chunks_are_read_from_an_index(program: Program) -> None:
    stream = finish(start(program), "a", "b", "c")
    path = f"/streams/{stream.uuid}/chunks"
    read = program.get(path).data
    assert "".join(chunk["delta"] for chunk in read["chunks"]) == "abc"
    assert (read["stream"]["state"], read["stream"]["nextIndex"]) == ("completed", 3)
    assert [chunk["delta"] for chunk in program.get(f"{path}?after=1").data["chunks"]] == ["c"]
    assert program.get(f"{path}?after=2").data["chunks"] == []
    past = program.get(f"{path}?after=99").data
    assert (past["isSnapshot"], past["chunks"][-1]["index"]) == (True, 2)
    for wrong in ("-2", "x", "1.5", str(2**53), ""):
        answer = program.get(f"{path}?after={wrong}")
        assert (answer.status_code, answer.data["errors"][0]["field"]) == (422, "after")


def test_chunks_of_a_folded_stream_are_answered_byte_for_byte_as_before(
    program: Program, settings: Any
) -> None:
    settings.STREAMING_FOLD_AFTER_SECONDS = 0
    reasoning = (Kind.REASONING, "Hm. ")
    stream = finish(start(program), reasoning, "The ", "tide ", (Kind.SEAM, ""), "\N{WATER WAVE}.")
    paths = [f"/streams/{stream.uuid}/chunks?after={after}" for after in range(-1, 8)]
    before = [program.get(path).content for path in paths]
    lifecycle.fold_ended_streams()
    assert reload_stream(stream).folded_at
    assert [program.get(path).content for path in paths] == before


def test_a_stop_twice_is_answered_alike(program: Program) -> None:
    id = start(program)["answer"]["stream"]["id"]
    answers = [program.post(f"/streams/{id}/stop").data for _ in range(2)]
    assert answers[0] == answers[1] == program.get(f"/streams/{id}").data
    assert answers[0]["state"] == "stopped"


# Idempotency


@pytest.mark.parametrize("key", ["one", "\N{WATER WAVE} x" * 66, "a" * 200])
def test_the_same_key_is_one_reply(program: Program, key: str) -> None:
    header = {"Idempotency_Key": key.encode().decode("latin-1")[:200]}
    first, second = (program.post("/conversations", QUESTION, **header) for _ in range(2))
    assert (first.status_code, first.data) == (second.status_code, second.data)
    assert Conversation.objects.count() == 1


def test_a_key_with_another_body_is_refused(program: Program, stranger: Program) -> None:
    program.post("/conversations", QUESTION, Idempotency_Key="k")
    other = program.post("/conversations", QUESTION | {"text": "Other"}, Idempotency_Key="k")
    assert (other.status_code, other.data["code"]) == (409, "key_reused")
    assert stranger.post("/conversations", QUESTION, Idempotency_Key="k").status_code == 201
    assert Conversation.objects.count() == 2


def test_a_refused_request_leaves_its_key_for_a_corrected_one(program: Program) -> None:
    wrong = program.post("/conversations", QUESTION | {"model": "nothing"}, Idempotency_Key="k")
    assert wrong.data["code"] == "unknown_model"
    assert program.post("/conversations", QUESTION, Idempotency_Key="k").status_code == 201


def test_a_process_that_dies_leaves_the_key_free(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row of the key and the reply are one transaction."""

    class Died(BaseException):
        pass

    def die(*args: object) -> None:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr("chat.api.conversations.start_reply", die)
        with pytest.raises(Died):
            program.post("/conversations", QUESTION, Idempotency_Key="k")
    assert not IdempotentRequest.objects.exists()
    assert program.post("/conversations", QUESTION, Idempotency_Key="k").status_code == 201


def test_the_same_key_at_once_is_one_reply(program: Program) -> None:
    answers: list[Any] = run_at_once(
        *[partial(program.post, "/conversations", QUESTION, Idempotency_Key="k")] * 4
    )
    assert {answer.status_code for answer in answers} == {201}
    assert Conversation.objects.count() == Stream.objects.count() == 1


def test_a_repeated_request_renames_nothing_and_revives_nothing(program: Program) -> None:
    body = QUESTION | {"title": "Tides"}
    id = program.post("/conversations", body, Idempotency_Key="k").data["conversation"]["id"]
    program.send("PATCH", f"/conversations/{id}", {"title": "Sea"})
    again = program.post("/conversations", body, Idempotency_Key="k").data
    assert again["conversation"]["title"] == "Sea"
    program.send("DELETE", f"/conversations/{id}")
    gone = program.post("/conversations", body, Idempotency_Key="k")
    assert (gone.status_code, gone.data["code"]) == (410, "gone")
    delete(Conversation.objects.get(pk=id))
    assert program.post("/conversations", body, Idempotency_Key="k").status_code == 410
    assert not Conversation.objects.exists()


def test_old_keys_are_deleted(program: Program) -> None:
    program.post("/conversations", QUESTION, Idempotency_Key="k")
    delete_old_requests()
    assert IdempotentRequest.objects.exists()
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(days=31))
    delete_old_requests()
    assert not IdempotentRequest.objects.exists()


def test_a_page_of_long_messages_is_cut(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "MAX_PAGE_CHARS", 250)
    reply = start(program, text="x" * 100)
    id = reply["conversation"]["id"]
    for _ in range(3):
        program.post(f"/conversations/{id}/messages", {"text": "x" * 100})
    texts, before = 0, ""
    for _ in range(10):
        page = program.get(f"/conversations/{id}/messages?limit=200{before}").data
        found = sum(len(message["content"]) for message in page["messages"])
        assert page["messages"]
        texts += found
        if page["earlier"] is None:
            break
        before = f"&before={page['earlier']}"
    assert texts == 400
    monkeypatch.setattr(outputs, "MAX_PAGE_CHARS", 1)
    assert len(program.get(f"/conversations/{id}").data["messages"]) == 1


def test_a_list_costs_the_same_for_many_conversations(
    program: Program, django_assert_num_queries: Any
) -> None:
    for number in range(20):
        start(program, text=f"Question {number}")
    program.get("/conversations")
    with CaptureQueriesContext(connection) as few:
        program.get("/conversations?limit=2")
    with django_assert_num_queries(len(few)):
        assert len(program.get("/conversations?limit=20").data["conversations"]) == 20


def test_a_key_that_is_too_long_is_refused_by_every_post(program: Program, owner: User) -> None:
    reply = start(program)
    create_webhook(owner, "https://hooks.example/")
    finish(reply)
    ids = {
        "/api/conversations": reply["conversation"]["id"],
        "/api/messages": reply["answer"]["id"],
        "/api/streams": reply["answer"]["stream"]["id"],
        "/api/webhooks": Webhook.objects.get().pk,
        "/api/webhooks/deliveries": WebhookDelivery.objects.get().pk,
    }
    bodies = {
        "/api/conversations": QUESTION,
        "/api/conversations/{id}/messages": {"text": "Why?"},
        "/api/webhooks": {"address": "https://other.example/"},
        "/api/messages/{id}/versions": {},
    }
    rows = IdempotentRequest.objects.count()
    paths = [
        path for path, methods in api.get_openapi_schema()["paths"].items() if "post" in methods
    ]
    assert len(paths) >= 9
    for path in paths:
        filled = path.removeprefix("/api").replace("{id}", str(ids[path.split("/{id}")[0]]))
        answer = program.post(filled, bodies.get(path), Idempotency_Key="a" * 201)
        assert (answer.status_code, answer.data["code"]) == (422, "bad_key"), path
    assert IdempotentRequest.objects.count() == rows


# Refusals


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"text": "", "model": "demo-fast"}, "empty"),
        ({"text": "Hi", "model": "nothing"}, "unknown_model"),
        ({"text": "Hi", "model": "gpt-4o-mini"}, "no_key"),
        ({"text": "Hi"}, "invalid"),
        ({"text": "Hi", "model": "demo-fast", "temperature": 3}, "invalid"),
        ({"text": "Hi", "model": "demo-fast", "tools": []}, "invalid"),
        ({"text": "Hi", "model": "demo-fast", "maxTokens": "5"}, "invalid"),
        ({"text": "Hi", "model": "demo-fast", "temperature": 0.5}, "invalid"),
        ({"text": "Hi", "model": "demo-fast", "reasoningEffort": "bogus"}, "invalid"),
        ({"text": 1, "model": "demo-fast"}, "invalid"),
        ({"text": "x" * 400_001, "model": "demo-fast"}, "invalid"),
        ([], "invalid"),
    ],
)
def test_a_refused_question_stores_nothing(program: Program, body: Any, code: str) -> None:
    answer = program.post("/conversations", body)
    assert (answer.status_code, answer.data["code"]) == (422, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.data["detail"]
    assert not Message.objects.exists()
    assert not Conversation.objects.exists()


def test_a_setting_that_the_model_does_not_take_is_named(program: Program) -> None:
    reply = start(program, temperature=1, reasoningEffort="", maxTokens=None)
    path = f"/conversations/{reply['conversation']['id']}/messages"
    for field, value in (("temperature", 0.5), ("reasoningEffort", "high")):
        refused = program.post(path, {"text": "And then?", field: value})
        assert (refused.status_code, refused.data["code"]) == (422, "invalid")
        assert [error["field"] for error in refused.data["errors"]] == [field]
        assert field in refused.data["detail"]


def test_a_setting_of_another_model_that_was_chosen_earlier_is_left_out(program: Program) -> None:
    reply = start(program)
    Conversation.objects.update(temperature=0.5, reasoning_effort="high")
    path = f"/conversations/{reply['conversation']['id']}/messages"
    sent = program.post(path, {"text": "And then?"})
    assert sent.status_code == 201
    stream = Stream.objects.get(uuid=sent.data["answer"]["stream"]["id"])
    settings = stream.arguments["temperature"], stream.arguments["reasoning_effort"]
    assert settings == (None, "")


def test_the_same_request_again_is_the_same_reply_whatever_its_model_takes_by_now(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = QUESTION | {"maxTokens": 50}
    first = program.post("/conversations", body, Idempotency_Key="a")
    refuse_all = replace(SETTINGS["max_tokens"], is_supported=lambda model: False)
    monkeypatch.setitem(cast(Any, SETTINGS), "max_tokens", refuse_all)
    again = program.post("/conversations", body, Idempotency_Key="a")
    assert (again.status_code, again.data) == (201, first.data)
    assert program.post("/conversations", body).status_code == 422


def test_an_unknown_field_is_refused_by_each_operation(program: Program) -> None:
    reply = start(program)
    conversation, answer = reply["conversation"]["id"], reply["answer"]
    stream = Stream.objects.get(uuid=answer["stream"]["id"])
    for path in (
        f"/conversations/{conversation}/restoration",
        f"/conversations/{conversation}/messages",
        f"/messages/{answer['id']}/versions",
        f"/messages/{answer['id']}/continuations",
        f"/streams/{stream.uuid}/stop",
    ):
        refused = program.post(path, {"text": "Hi", "x": 1})
        assert "x" in [error["field"] for error in refused.data["errors"]], path
    assert reload_stream(stream).state == "queued"
    assert program.post(f"/streams/{stream.uuid}/stop", {}).status_code == 200


def test_nothing_marks_a_conversation_as_unread(program: Program) -> None:
    path = f"/conversations/{start(program)['conversation']['id']}"
    for value in (False, 1, "true"):
        refused = program.send("PATCH", path, {"read": value})
        assert [error["field"] for error in refused.data["errors"]] == ["read"], value
    assert program.send("PATCH", path, {"read": True}).data["read"] is True


def test_a_body_that_is_no_json_is_refused(program: Program) -> None:
    answer = program.client.post(
        "/api/conversations", "{", content_type="application/json", headers=program.headers
    )
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_request"


def test_others_find_nothing(program: Program, stranger: Program, owner: User) -> None:
    reply = start(program)
    conversation, answer = reply["conversation"]["id"], reply["answer"]
    unknown = stranger.get(f"/conversations/{uuid4()}")
    for method, path, body in (
        ("GET", f"/conversations/{conversation}", None),
        ("PATCH", f"/conversations/{conversation}", {"title": "Mine"}),
        ("DELETE", f"/conversations/{conversation}", None),
        ("GET", f"/conversations/{conversation}/messages", None),
        ("POST", f"/conversations/{conversation}/messages", {"text": "Hi"}),
        ("POST", f"/conversations/{conversation}/restoration", None),
        ("GET", f"/messages/{answer['id']}", None),
        ("POST", f"/messages/{answer['id']}/versions", {}),
        ("POST", f"/messages/{answer['id']}/continuations", None),
        ("GET", f"/streams/{answer['stream']['id']}", None),
        ("GET", f"/streams/{answer['stream']['id']}/chunks", None),
        ("POST", f"/streams/{answer['stream']['id']}/stop", None),
    ):
        refused = stranger.send(method, path, body)
        assert (refused.status_code, refused.content) == (404, unknown.content), path
    assert Conversation.objects.get().title != "Mine"
    assert Stream.objects.get().state == "queued"
