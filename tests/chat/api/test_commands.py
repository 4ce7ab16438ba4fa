"""The commands that chat adds to the socket."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from accounts.memory_limits import FormLimiter
from accounts.models import User
from accounts.tokens import limits
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.api import commands
from chat.models import Conversation, Message
from streaming import lifecycle
from streaming.doors.credentials import Credential
from streaming.doors.frames import FrameRejected
from streaming.models import Stream
from tests.chat.factories import QUESTION, finish_reply, start_reply, write_reply

Frame = dict[str, Any]
SESSION = Credential("any", is_token=False)


def send(user: User, credential: Credential = SESSION, **fields: Any) -> Frame:
    frame = {"type": "send", "request": "1", "text": QUESTION, "model": "demo"} | fields
    return dict(commands.send(user, credential, frame))


def find_refusal(user: User, credential: Credential = SESSION, **fields: Any) -> FrameRejected:
    with pytest.raises(FrameRejected) as refused:
        send(user, credential, **fields)
    return refused.value


@pytest.mark.django_db
def test_a_question_in_a_new_chat_and_one_in_the_same(owner: User) -> None:
    answer = send(owner, title="Tides", maxTokens=100)
    chat = Conversation.objects.get(pk=answer["conversation"])
    assert (chat.title, chat.max_tokens, chat.model) == ("Tides", 100, "demo")
    message = Message.objects.get(pk=answer["message"])
    assert str(message.parent_id) == answer["question"]
    assert message.stream is not None
    assert str(message.stream.uuid) == answer["stream"]
    more = send(owner, request="2", conversation=str(chat.pk), model=None, text="And the moon?")
    assert more["conversation"] == answer["conversation"]
    assert Message.objects.get(pk=more["question"]).parent_id == message.pk


@pytest.mark.django_db
def test_the_same_request_is_one_message_and_another_text_is_refused(owner: User) -> None:
    first = send(owner)
    assert send(owner) == first
    assert Stream.objects.count() == 1
    assert find_refusal(owner, text="Another?").code == "key_reused"
    assert send(owner, request="2") != first


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"text": None}, "invalid", "text"),
        ({"text": "  "}, "empty", None),
        ({"model": None}, "invalid", "model"),
        ({"model": "no-such"}, "unknown_model", None),
        ({"model": "gpt-5.5"}, "no_key", None),
        ({"texts": "x"}, "invalid", "texts"),
        ({"maxTokens": "7"}, "invalid", "maxTokens"),
        ({"temperature": 0.5}, "invalid", "temperature"),
        ({"conversation": 7}, "invalid", "conversation"),
        ({"conversation": str(uuid4())}, "not_found", None),
        ({"parentId": str(uuid4())}, "invalid", "parentId"),
    ],
)
def test_a_wrong_frame_has_the_code_of_the_api(
    owner: User, fields: Frame, code: str, field: str | None
) -> None:
    refusal = find_refusal(owner, **fields)
    assert refusal.code == code
    assert [error["field"] for error in refusal.details.get("errors", [])] == [field] * bool(field)
    assert not Stream.objects.exists()


@pytest.mark.django_db
def test_the_limits_of_a_person_hold(owner: User, settings: Settings) -> None:
    settings.MAX_MESSAGES_PER_MINUTE = 1
    send(owner)
    refusal = find_refusal(owner, request="2")
    assert (refusal.code, refusal.details) == ("too_much", {"retry_after": 60})


@pytest.mark.django_db
def test_a_token_needs_the_right_and_has_a_limit(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(*scopes: Scope) -> Credential:
        return Credential(create_token(owner, "Program", scopes, None)[1], is_token=True)

    assert find_refusal(owner, create(Scope.READ)).code == "missing_right"
    assert find_refusal(owner, Credential("hft_" + "a" * 43, is_token=True)).code == "signed_out"
    writer = create(Scope.WRITE)
    assert send(owner, writer)["stream"]
    monkeypatch.setattr(limits, "_limiter", FormLimiter(1, max_of_all=0))
    send(owner, writer)
    refusal = find_refusal(owner, writer)
    assert refusal.code == "too_many"
    assert 0 < refusal.details["retry_after"] <= 60


@pytest.mark.django_db
def test_a_deactivated_person_sends_nothing(owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert find_refusal(owner).code == "signed_out"


@pytest.mark.django_db
def test_an_answer_is_continued_once(owner: User, colleague: User) -> None:
    reply = start_reply(owner)
    write_reply(reply, "The moon")
    lifecycle.stop(reply.stream.pk)
    frame = {"type": "continue", "request": "1", "message": str(reply.answer.pk)}
    answer = commands.continue_answer(owner, SESSION, frame)
    assert answer["message"] == frame["message"]
    assert answer["stream"] != str(reply.stream.uuid)
    assert commands.continue_answer(owner, SESSION, frame) == answer
    with pytest.raises(FrameRejected, match="no such thing"):
        commands.continue_answer(colleague, SESSION, frame)
    with pytest.raises(FrameRejected) as refused:
        commands.continue_answer(owner, SESSION, frame | {"message": "x"})
    assert refused.value.details["errors"][0]["field"] == "message"
    done = start_reply(owner)
    finish_reply(done)
    with pytest.raises(FrameRejected) as refused:
        commands.continue_answer(
            owner, SESSION, frame | {"request": "2", "message": str(done.answer.pk)}
        )
    assert refused.value.code == "not_cut"
