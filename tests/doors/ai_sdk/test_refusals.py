"""Requests that the door does not take."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db.models import F

from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.models import ClientThread, Conversation
from streaming.conf import engine_settings
from streaming.models import State, Stream
from tests.chat.factories import claim_reply
from tests.doors.ai_sdk.client import (
    build_body,
    build_message,
    build_path,
)
from tests.doors.ai_sdk.conftest import Ask
from tests.doors.ai_sdk.replies import QUESTION, find_newest_reply, finish_newest
from tests.streaming.factories import reload_stream

pytestmark = pytest.mark.django_db(transaction=True)


OTHER_PARTS: list[dict[str, Any]] = [
    {"type": "data-x", "data": {"a": 1}},
    {"type": "tool-weather", "toolCallId": "c", "state": "output-available", "output": 4},
    {"type": "source-url", "sourceId": "s", "url": "https://example.org"},
    {"type": "reasoning", "text": "Hm."},
    {"text": "without a type"},
]


def add_part(part: dict[str, Any]) -> dict[str, Any]:
    return QUESTION | {"parts": [*QUESTION["parts"], part]}


def test_each_refusal_has_a_status_and_a_sentence(call: Ask, owner: User) -> None:
    file = {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,"}
    pictures = QUESTION | {"parts": [*QUESTION["parts"], file]}
    answer = build_message("msg-2", "Because.", "assistant")
    cases: list[tuple[Any, int, str]] = [
        (build_body("", QUESTION), 400, "invalid"),
        (build_body("c" * 201, QUESTION), 400, "invalid"),
        (build_body("c"), 400, "invalid"),
        (build_body("c", {"id": "x", "role": "user"}), 400, "invalid"),
        (build_body("c", {**QUESTION, "parts": [{"type": "text", "text": 3}]}), 400, "invalid"),
        (build_body("c", {**QUESTION, "parts": [{"type": ["text"]}]}), 400, "unsupported"),
        *((build_body("c", add_part(part)), 400, "unsupported") for part in OTHER_PARTS),
        (build_body("c", QUESTION, answer, build_message("m", "Hi")), 400, "unknown_history"),
        (build_body("c", QUESTION, answer), 400, "invalid"),
        (build_body("c", QUESTION, trigger="steal"), 400, "invalid"),
        (build_body("c", QUESTION, temperature=9), 400, "invalid"),
        (build_body("c", {"id": "\ud800", "role": "user", "parts": []}), 400, "bad_request"),
        (build_body("c", build_message("m", " ")), 400, "empty"),
        (build_body("c", build_message("m", "x", "system"), QUESTION), 400, "unsupported"),
        (build_body("c", pictures), 400, "unsupported"),
        (build_body("c", QUESTION, tools={"weather": {}}), 400, "unsupported"),
        (build_body("c", QUESTION, model="no-such-model"), 400, "unknown_model"),
        (build_body("c", QUESTION, model="openai/gpt-5"), 400, "no_key"),
        ([], 400, "invalid"),
    ]
    for body, status, code in cases:
        error = call("POST", "/api/chat", body).read_error()
        assert (error["status"], error["code"]) == (status, code), body
        assert error["error"].endswith(".")
    assert not Stream.objects.exists()
    assert not ClientThread.objects.exists()


def test_who_may_not_come_in_is_told_why(call: Ask, owner: User) -> None:
    reader = create_token(owner, "Reader", [Scope.READ], None)[1]
    gateway = create_token(owner, "Gateway", [Scope.GATEWAY], None)[1]
    body = build_body("c", QUESTION)
    cases = [("hft_none", 401, "signed_out"), (reader, 403, "missing_right")]
    for token, status, code in cases:
        error = call("POST", "/api/chat", body, token=token).read_error()
        assert (error["status"], error["code"]) == (status, code)
        error = call("POST", build_path("c", "stop"), token=token).read_error()
        assert (error["status"], error["code"]) == (status, code)
    error = call("GET", build_path("c", "stream"), token=gateway).read_error()
    assert (error["status"], error["code"]) == (403, "missing_right")
    assert call("GET", build_path("c", f"stream?token={reader}"), token="").status == 401


def test_errors_outside_of_the_views_have_the_same_shape(call: Ask) -> None:
    for method, path, status in [
        ("DELETE", "/api/chat", 405),
        ("GET", "/api/chat", 405),
        ("POST", build_path("c", "stream"), 405),
        ("GET", "/api/chat/c/elsewhere", 404),
    ]:
        assert call(method, path).read_error()["status"] == status, path
    assert "type" in call("GET", "/api/chatter").read_json()  # the API's own


def test_a_chat_of_another_person_is_as_unknown_as_none(
    call: Ask, ask: Ask, colleague: User
) -> None:
    theirs = create_token(colleague, "Front end", [Scope.READ, Scope.WRITE], None)[1]
    ask("chat-1")
    reply = find_newest_reply()
    claim_reply(reply)
    assert call("GET", build_path("chat-1", "stream"), token=theirs).status == 204
    assert call("POST", build_path("chat-1", "stop"), token=theirs).status == 204
    assert call("GET", build_path("chat-1", "messages"), token=theirs).read_json() == {
        "messages": []
    }
    assert reload_stream(reply.stream).state == State.RUNNING
    body = build_body("chat-1", build_message(str(reply.question.pk), "Mine?"))
    call("POST", "/api/chat", body | {"trigger": "regenerate-message"}, token=theirs)
    assert find_newest_reply().conversation.user == colleague
    assert find_newest_reply().question.content == "Mine?"


def test_a_deleted_chat_is_gone(call: Ask, ask: Ask) -> None:
    ask("chat-1")
    finish_newest()
    Conversation.objects.update(deleted_at=F("created_at"))
    assert ask("chat-1").read_error()["status"] == 404
    assert ask("chat-1", build_message("msg-2", "And now?")).read_error()["status"] == 404
    for method, what in (("GET", "stream"), ("GET", "messages"), ("POST", "stop")):
        error = call(method, build_path("chat-1", what)).read_error()
        assert (error["status"], error["code"]) == (404, "not_found"), what


def test_an_answer_that_is_not_of_the_chat_is_refused(ask: Ask) -> None:
    """The model would not get it, and nothing else would say so."""
    ask("chat-1")
    finish_newest()
    ask("chat-2", build_message("other", "Another question"))
    foreign = str(finish_newest().answer.pk)
    for id in ("made-up", str(uuid4()), foreign):
        answer = build_message(id, "Because.", "assistant")
        for fields in ({}, {"trigger": "regenerate-message"}):
            error = ask("chat-1", answer, QUESTION, **fields).read_error()
            assert (error["status"], error["code"]) == (400, "unknown_history"), id
    assert Stream.objects.count() == 2


def test_a_setting_that_the_model_does_not_take_is_refused(ask: Ask) -> None:
    for field, value in (("temperature", 0.5), ("reasoningEffort", "high")):
        error = ask("chat-1", **{field: value}).read_error()
        assert (error["status"], error["code"]) == (400, "invalid")
        assert field in error["error"]
    assert not Stream.objects.exists()
    assert ask("chat-1", temperature=1, reasoningEffort="", maxTokens=None).status == 200


def test_too_many_open_answers_are_refused(ask: Ask) -> None:
    responses = [ask("chat-1") for _ in range(engine_settings.MAX_SOCKETS_PER_USER)]
    assert {response.status for response in responses} == {200}
    error = ask("chat-1").read_error()
    assert (error["status"], error["code"]) == (429, "too_many")
