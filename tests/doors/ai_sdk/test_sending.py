"""Messages that are sent, and sent again: which parts come, and which reply they are."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User
from chat.models import ClientThread, Conversation
from streaming.events import Finish
from streaming.lifecycle import Ending
from streaming.models import Kind, Stream
from tests.chat.factories import claim_reply, write_reply
from tests.doors.ai_sdk.client import (
    UIMessageResponse,
    build_body,
    build_message,
    build_path,
    open_response,
)
from tests.doors.ai_sdk.conftest import Ask
from tests.doors.ai_sdk.replies import QUESTION, TEXT, end_stream, find_newest_reply, finish_newest
from tests.streaming.factories import append_chunks
from tools.deployment.deployment import Web

pytestmark = pytest.mark.django_db(transaction=True)

ODD_NAMES = ["../a/b/stream", "%2F?x#z", "\N{WATER WAVE}\nend"]


def read_kinds(response: UIMessageResponse) -> list[str]:
    kinds = [part["type"] for part in response.read_parts()]
    return [kind for n, kind in enumerate(kinds) if not n or kind != kinds[n - 1]]


# Sending


def test_a_message_is_answered_by_the_parts_of_a_message(ask: Ask) -> None:
    response = ask("chat-1")
    assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert response.headers["Content-Type"] == "text/event-stream"
    reply = find_newest_reply()
    stream = claim_reply(reply)
    append_chunks(stream, (Kind.REASONING, "Hm, "), (Kind.REASONING, "the sea."), "Be")
    append_chunks(stream, (Kind.SEAM, ""), "cause.")
    usage = {"input": 12, "output": 30, "reasoning": 5, "cached": 4}
    end_stream(stream, Ending.from_finish(Finish("length", usage)))
    message = response.read_message()
    assert message.id == str(reply.answer.pk)
    assert [(part["type"], part["text"], part["state"]) for part in message.parts] == [
        ("reasoning", "Hm, the sea.", "done"),
        ("text", "Because.", "done"),
    ]
    assert (message.status, message.finish_reason) == ("ready", "length")
    assert message.metadata == {
        "conversationId": str(reply.conversation.pk),
        "streamId": str(stream.uuid),
        "model": "demo",
        "provider": "demo",
        "state": "completed",
        "usage": {
            "inputTokens": 12,
            "outputTokens": 30,
            "totalTokens": 42,
            "inputTokenDetails": {"cacheReadTokens": 4},
            "outputTokenDetails": {"reasoningTokens": 5},
        },
    }


def test_the_parts_come_in_the_order_of_the_sdks_own_streams(ask: Ask) -> None:
    response = ask("chat-1")
    stream = claim_reply(find_newest_reply())
    append_chunks(stream, (Kind.REASONING, "a"), "b", (Kind.REASONING, "c"), "d")
    end_stream(stream)
    pair = ["reasoning-start", "reasoning-delta", "reasoning-end"]
    pair += ["text-start", "text-delta", "text-end"]
    ending = ["finish-step", "finish"]
    assert read_kinds(response) == ["start", "start-step", *pair, *pair, *ending]


def test_a_front_end_of_ours_sends_with_its_session(web: Web, owner: User) -> None:
    client = Client(headers={"Host": f"127.0.0.1:{web.port}"})
    client.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
    cookie = f"sessionid={client.session.session_key}"
    body = build_body("chat-1", QUESTION)
    for origin, status in ((web.url, 200), ("http://127.0.0.1:9", 403), ("", 403)):
        named = {"Cookie": cookie} | ({"Origin": origin} if origin else {})
        with open_response(web.port, "POST", "/api/chat", body, **named) as response:
            assert response.status == status, origin
    assert Stream.objects.count() == 1


def test_the_address_may_end_with_a_slash(call: Ask) -> None:
    for path in ("/api/chat", "/api/chat/"):
        response = call("POST", path, build_body(path, QUESTION))
        finish_newest()
        assert response.read_message().read_text() == TEXT


def test_the_name_of_a_chat_is_any_text(call: Ask, ask: Ask) -> None:
    for name in ODD_NAMES:
        first = ask(name, build_message(f"of {name}", "Question"))
        reply = find_newest_reply()
        again = call("GET", build_path(name, "stream"))
        end_stream(write_reply(reply, TEXT))
        assert first.read_message().id == again.read_message().id == str(reply.answer.pk), name
    assert Conversation.objects.count() == len(ODD_NAMES)
    assert ask("nul\0", build_message("nul\0", "nul\0")).status == 200


def test_without_a_model_a_new_chat_gets_the_persons_default(ask: Ask) -> None:
    ask("chat-1", model=None)
    assert find_newest_reply().answer.model.startswith("demo")


def test_settings_of_the_body_are_those_of_the_reply(ask: Ask) -> None:
    ask("chat-1", systemPrompt="Be brief.", maxTokens=50, own_field={"of": "an application"})
    arguments = find_newest_reply().stream.arguments
    assert (arguments["system_prompt"], arguments["max_tokens"]) == ("Be brief.", 50)


# The same message again


def test_the_same_message_again_is_the_same_reply(ask: Ask) -> None:
    first = ask("chat-1")
    finish_newest()
    again = ask("chat-1", trigger="submit-message", messageId=None)
    assert list(first.read_parts()) == list(again.read_parts())
    assert first.raw == again.raw
    assert Stream.objects.count() == 1


def test_the_same_id_with_another_text_is_refused(ask: Ask) -> None:
    ask("chat-1")
    error = ask("chat-1", build_message("msg-1", "Another question")).read_error()
    assert (error["status"], error["code"]) == (409, "key_reused")
    assert Stream.objects.count() == 1


def test_a_message_after_an_answer_goes_on_from_there(ask: Ask) -> None:
    ask("chat-1")
    first = finish_newest()
    answer = build_message(str(first.answer.pk), TEXT, "assistant")
    ask("chat-1", QUESTION, answer, build_message("msg-2", "And the sun?"))
    second = finish_newest()
    assert second.question.parent_id == first.answer.pk
    ask("chat-1", QUESTION, answer, build_message("msg-3", "Or the wind?"))
    third = finish_newest()
    parts = [{"type": "step-start"}, {"type": "reasoning", "text": "Hm."}, *answer["parts"]]
    ask("chat-1", QUESTION, answer | {"parts": parts}, build_message("msg-4", "Or the land?"))
    assert find_newest_reply().question.parent_id == first.answer.pk
    assert third.question.parent_id == first.answer.pk
    assert third.conversation == first.conversation


def test_a_client_that_sends_only_its_last_message_goes_on_from_the_newest(ask: Ask) -> None:
    ask("chat-1")
    first = finish_newest()
    ask("chat-1", build_message("msg-2", "And the sun?"))
    assert find_newest_reply().question.parent_id == first.answer.pk


def test_an_edited_message_is_another_version(ask: Ask) -> None:
    ask("chat-1")
    first = finish_newest()
    edited = build_message("msg-1", "Why does the moon lag?")
    ask("chat-1", edited, messageId="msg-1")
    second = finish_newest()
    assert second.question.content == "Why does the moon lag?"
    assert second.question.parent_id is None
    assert second.conversation == first.conversation
    ask("chat-1", edited, messageId="msg-1")
    assert find_newest_reply() == second


def test_an_answer_is_written_again_only_once_at_a_time(ask: Ask) -> None:
    ask("chat-1")
    first = finish_newest()
    fields = {"trigger": "regenerate-message", "messageId": str(first.answer.pk)}
    ask("chat-1", **fields)
    second = find_newest_reply()
    ask("chat-1", **fields)
    assert find_newest_reply() == second
    assert second.question == first.question
    assert second.answer != first.answer
    finish_newest()
    ask("chat-1", **fields)
    assert find_newest_reply().answer not in (first.answer, second.answer)
    assert Stream.objects.count() == 3


def test_a_message_that_was_refused_can_be_sent_again(ask: Ask) -> None:
    assert ask("chat-1", model="openai/gpt-5").read_error()["status"] == 400
    assert not ClientThread.objects.exists()
    ask("chat-1", trigger="regenerate-message")
    assert find_newest_reply().question.content == QUESTION["parts"][0]["text"]


def test_messages_read_from_here_are_known_by_our_ids(call: Ask, ask: Ask) -> None:
    ask("chat-1")
    first = finish_newest()
    shown = call("GET", build_path("chat-1", "messages")).read_json()["messages"]
    assert [(m["id"], m["role"]) for m in shown] == [
        (str(first.question.pk), "user"),
        (str(first.answer.pk), "assistant"),
    ]
    ask("chat-1", shown[0], trigger="regenerate-message")
    assert find_newest_reply().question == first.question
