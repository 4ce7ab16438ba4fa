"""Sending and continuing through the socket, on both servers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker
from websockets.sync.client import ClientConnection, connect

from accounts.memory_limits import FormLimiter
from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.api import auth, commands
from chat.models import Conversation, Message
from streaming import lifecycle
from streaming.doors.credentials import Credential
from streaming.doors.frames import FrameRejected
from streaming.doors.websocket.protocol import MAX_FRAME_CHARS
from streaming.models import Stream
from tests.chat.factories import QUESTION, finish_reply, start_reply, write_reply
from tests.factories import create_session_key
from tests.streaming.conftest import run_web
from tests.streaming.factories import append_chunks, claim_stream, register_worker
from tools.deployment.deployment import Web

Frame = dict[str, Any]
SESSION = Credential("any", is_token=False)


# The commands alone


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
    monkeypatch.setattr(auth, "_limiter", FormLimiter(1, max_of_all=0))
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


# Through the socket


@pytest.fixture(scope="module", params=["daphne", pytest.param("uvicorn", marks=pytest.mark.prove)])
def web(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Web]:
    with run_web(request, request.param) as web:
        yield web


Open = Callable[..., ClientConnection]


@pytest.fixture
def open_socket(web: Web) -> Iterator[Open]:
    with ExitStack() as stack:

        def open_one(headers: dict[str, str], **options: Any) -> ClientConnection:
            url = web.url.replace("http", "ws") + "/ws/"
            return stack.enter_context(
                connect(url, additional_headers=headers, proxy=None, **options)
            )

        yield open_one


def exchange(socket: ClientConnection, kind: str, **frame: Any) -> Frame:
    """Send a frame, and return the next one that is no greeting, ping or change."""
    socket.send(json.dumps({"type": kind, **frame}))
    while (answer := json.loads(socket.recv(20)))["type"] in {"hello", "ping", "changed"}:
        pass
    return dict(answer)


@pytest.mark.django_db(transaction=True)
def test_a_program_sends_follows_stops_and_continues(open_socket: Open, owner: User) -> None:
    token = create_token(owner, "Program", [Scope.WRITE], None)[1]
    socket = open_socket({"Authorization": f"Bearer {token}"})
    frame = {"request": "a", "text": QUESTION, "model": "demo"}
    reply = exchange(socket, "send", **frame)
    assert (reply["type"], reply["request"]) == ("reply", "a")
    assert exchange(socket, "send", **frame) == reply
    assert exchange(socket, "follow", stream=reply["stream"])["state"] == "queued"
    stream = claim_stream(Stream.objects.get(uuid=reply["stream"]), register_worker())
    append_chunks(stream, "The moon")
    while (frame := exchange(socket, "stop", stream=reply["stream"]))["type"] != "end":
        assert frame["type"] in {"chunk", "state"}
    assert frame["state"] == "stopped"
    again = exchange(socket, "continue", request="b", message=reply["message"])
    assert (again["request"], again["message"]) == ("b", reply["message"])
    assert again["stream"] != reply["stream"]


@pytest.mark.django_db(transaction=True)
def test_a_page_of_ours_sends_with_its_session(open_socket: Open, web: Web, owner: User) -> None:
    cookie = {"Cookie": f"sessionid={create_session_key(owner)}"}
    socket = open_socket(cookie, origin=web.url)
    answer = exchange(socket, "send", request="a", text=QUESTION, model="demo")
    assert answer["type"] == "reply"


@pytest.mark.django_db(transaction=True)
def test_a_refusal_names_its_request_and_the_socket_stays_open(
    open_socket: Open, owner: User
) -> None:
    reader = create_token(owner, "Program", [Scope.READ], None)[1]
    socket = open_socket({"Authorization": f"Bearer {reader}"})
    long = "x" * MAX_FRAME_CHARS
    for fields, code in (
        ({"request": "a", "text": "?", "model": "demo"}, "missing_right"),
        ({"text": "?"}, "bad_frame"),
        ({"request": "", "text": "?"}, "bad_frame"),
        ({"request": "x" * 201, "text": "?"}, "bad_frame"),
        ({"request": "a", "text": long}, "too_large"),
    ):
        refusal = exchange(socket, "send", **fields)
        assert (refusal["type"], refusal["code"]) == ("error", code)
        assert refusal.get("request") == ("a" if code == "missing_right" else None)
    assert "POST" in refusal["message"]
    assert exchange(socket, "ping", n=1)["type"] == "pong"


@pytest.mark.django_db(transaction=True)
def test_commands_without_an_answer_are_bounded_and_answered_in_order(
    open_socket: Open, owner: User
) -> None:
    token = create_token(owner, "Program", [Scope.WRITE], None)[1]
    socket = open_socket({"Authorization": f"Bearer {token}"})
    for number in range(8):
        frame = {"type": "send", "request": str(number), "text": "?", "model": "demo"}
        socket.send(json.dumps(frame))
    answers: list[Frame] = []
    while len(answers) < 8:
        frame = json.loads(socket.recv(20))
        if frame["type"] in {"reply", "error"}:
            answers.append(frame)
    assert [frame["request"] for frame in answers] == [str(number) for number in range(8)]
    assert {frame["type"] for frame in answers} == {"reply"}
