"""The socket of the AI SDK, message by message."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import psutil
import pytest
from django.db.models import F
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from accounts.memory_limits import FormLimiter
from accounts.models import User
from accounts.tokens import limits
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token, revoke_tokens
from chat.api.problems import Problem
from chat.doors.ai_sdk.frames import MAX_FRAME_BYTES, Send, parse_frame
from chat.doors.ai_sdk.websocket import CHARS_PER_COMMAND, MAX_ANSWERS, ChatConsumer
from chat.models import ClientThread, Conversation
from streaming.doors import commands
from streaming.doors.credentials import Credential
from streaming.doors.frames import FrameRejected
from streaming.doors.websocket.pace import CommandPace
from streaming.events import SourceError
from streaming.lifecycle import Ending
from streaming.models import State, Stream
from tests.access.table import CHAT_SOCKET_MESSAGES
from tests.chat.factories import claim_reply, start_reply
from tests.doors.ai_sdk.client import UIMessage, build_body, build_message
from tests.doors.ai_sdk.replies import (
    QUESTION,
    TEXT,
    end_stream,
    find_newest_reply,
    finish_newest,
)
from tests.factories import create_session_key
from tests.streaming.conftest import run_web
from tests.streaming.factories import append_chunks, reload_stream
from tools.deployment.deployment import Server, Web
from tools.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)

TIMEOUT_SECONDS = 15.0


class Socket:
    """A socket that is as strict about its messages as the stock transport."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, **frame: Any) -> None:
        self.connection.send(json.dumps(frame))

    def ask(self, id: str, chat: str, *messages: dict[str, Any], **body: Any) -> None:
        frame = {"id": chat, "messages": messages or [QUESTION], "trigger": "submit-message"}
        body = {"model": "demo"} | body
        self.send(type="send", requestId=id, headers={}, body=body, **frame)

    def resume(self, id: str, chat: str) -> None:
        self.send(type="resume", requestId=id, id=chat, headers={}, body={})

    def read(self) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(self.connection.recv(TIMEOUT_SECONDS))
        assert isinstance(frame["requestId"], str)
        return frame

    def read_answer(self, id: str) -> UIMessage:
        """The message of a request, until its end. Others may be between."""
        message, next_sequence = UIMessage(), 0
        while (frame := self.read())["type"] != "end" or frame["requestId"] != id:
            if frame["requestId"] != id or frame["type"] == "start":
                continue
            assert frame["type"] == "chunk", frame
            assert frame["sequence"] == next_sequence
            next_sequence += 1
            message.apply(frame["chunk"])
        return message

    def read_close_code(self) -> int | None:
        with suppress(ConnectionClosed):
            while True:
                self.connection.recv(TIMEOUT_SECONDS)
        return self.connection.close_code


OpenSocket = Callable[..., Socket]


@pytest.fixture
def open_socket(web: Web, token: str) -> Iterator[OpenSocket]:
    with ExitStack() as stack:

        def open_new(*, token: str = token, **headers: str) -> Socket:
            named = {"Authorization": f"Bearer {token}"} if token else {}
            address = f"{web.url.replace('http', 'ws')}/ws/chat"
            origin: Any = headers.pop("origin", None)
            connection = connect(
                address, additional_headers=named | headers, origin=origin, proxy=None
            )
            return Socket(stack.enter_context(connection))

        yield open_new


def test_a_message_is_answered(open_socket: OpenSocket) -> None:
    socket = open_socket()
    socket.ask("r1", "chat-1")
    assert socket.read() == {"type": "start", "requestId": "r1"}
    assert socket.read()["chunk"]["type"] == "start"
    reply = finish_newest()
    rest = list(iter(socket.read, {"type": "end", "requestId": "r1"}))
    assert [frame["sequence"] for frame in rest] == list(range(1, len(rest) + 1))
    assert rest[-1]["chunk"]["type"] == "finish"
    socket.resume("r2", "chat-1")
    message = socket.read_answer("r2")
    assert (message.id, message.read_text()) == (str(reply.answer.pk), TEXT)


def test_several_answers_are_read_at_once(open_socket: OpenSocket) -> None:
    socket = open_socket()
    for name in ("a", "b"):
        socket.ask(name, name, build_message(name, f"Question {name}"))
        assert socket.read()["type"] == "start"
        finish_newest(f"Answer {name}")
        assert socket.read_answer(name).read_text() == f"Answer {name}"
    socket.resume("c", "a")
    socket.resume("d", "b")
    assert socket.read_answer("d").read_text() == "Answer b"


def test_nothing_to_resume_is_said(open_socket: OpenSocket) -> None:
    socket = open_socket()
    socket.resume("r", "unknown")
    assert socket.read() == {"type": "no-active", "requestId": "r"}


def test_an_answer_of_a_deleted_chat_is_not_resumed(open_socket: OpenSocket) -> None:
    socket = open_socket()
    socket.ask("r1", "chat-1")
    assert socket.read()["type"] == "start"
    finish_newest()
    socket.read_answer("r1")
    Conversation.objects.update(deleted_at=F("created_at"))
    socket.resume("r2", "chat-1")
    assert socket.read()["type"] == "error"
    socket.ask("r3", "chat-1", build_message("msg-2", "And now?"))
    assert socket.read()["type"] == "error"


def test_a_failure_is_an_error_part(open_socket: OpenSocket) -> None:
    socket = open_socket()
    socket.ask("r", "chat-1")
    socket.read()
    finish_newest("Half", Ending.from_error(SourceError("overloaded", "The model is busy.")))
    message = socket.read_answer("r")
    assert (message.status, message.error) == ("error", "The model is busy.")


def start_reading(socket: Socket, id: str = "r") -> Stream:
    socket.ask(id, "chat-1")
    socket.read()
    stream = claim_reply(find_newest_reply())
    append_chunks(stream, "Half")
    return stream


def is_stopped(stream: Stream) -> bool:
    return reload_stream(stream).state == State.STOPPED


def test_an_abort_stops_the_reply(open_socket: OpenSocket) -> None:
    socket = open_socket()
    stream = start_reading(socket)
    socket.send(type="abort", requestId="r")
    until(lambda: is_stopped(stream), what="the reply is stopped")
    socket.resume("again", "chat-1")
    message = socket.read_answer("again")
    assert (message.status, message.read_text()) == ("stopped", "Half")


def test_an_abort_of_another_socket_stops_nothing(open_socket: OpenSocket) -> None:
    socket, other = open_socket(), open_socket()
    stream = start_reading(socket)
    other.send(type="abort", requestId="r")
    other.resume("x", "unknown")
    other.read()
    assert reload_stream(stream).state == State.RUNNING


def test_a_client_that_resumes_twice_stops_nothing(open_socket: OpenSocket) -> None:
    """A stock client aborts the first request then. It says the same when a person stops."""
    socket, other = open_socket(), open_socket()
    stream = start_reading(socket)
    other.resume("one", "chat-1")
    other.read()
    other.send(type="abort", requestId="one")
    other.resume("two", "chat-1")
    other.read()
    end_after_grace(stream, other)


def end_after_grace(stream: Stream, socket: Socket) -> None:
    """A later stop of the same socket has waited as long, so the first would have happened."""
    socket.ask("later", "chat-2", build_message("m", "Another"))
    other = until(
        lambda: Stream.objects.exclude(pk=stream.pk).first(), what="the other reply has begun"
    )
    socket.resume("stopped", "chat-2")
    while socket.read() != {"type": "start", "requestId": "stopped"}:
        pass
    socket.send(type="abort", requestId="later")
    socket.send(type="abort", requestId="stopped")
    assert other is not None
    until(lambda: is_stopped(other), what="the other is stopped")
    assert reload_stream(stream).state == State.RUNNING


def test_a_resumed_answer_can_be_stopped(open_socket: OpenSocket) -> None:
    socket, other = open_socket(), open_socket()
    stream = start_reading(socket)
    other.resume("one", "chat-1")
    other.read()
    other.send(type="abort", requestId="one")
    until(lambda: is_stopped(stream), what="the reply is stopped")


def test_a_socket_that_closes_stops_nothing(open_socket: OpenSocket) -> None:
    socket = open_socket()
    stream = start_reading(socket)
    socket.connection.close()
    append_chunks(stream, " of it")
    end_stream(stream)
    assert reload_stream(stream).state == State.COMPLETED


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "[]",
        "{",
        "NaN",
        '{"type": "send"}',
        '{"type": "send", "requestId": 3}',
        '{"type": "send", "requestId": "\\ud800"}',
        "[" * 5_000,
    ],
)
def test_a_message_without_a_request_is_no_end_of_the_socket(
    open_socket: OpenSocket, frame: str
) -> None:
    socket = open_socket()
    socket.connection.send(frame)
    assert socket.read()["requestId"] == ""
    socket.resume("r", "unknown")
    assert socket.read()["type"] == "no-active"


def test_a_wrong_request_is_answered_by_a_sentence(open_socket: OpenSocket) -> None:
    socket = open_socket()
    frames: list[dict[str, Any]] = [
        {"type": "ping"},
        {"type": "send"},
        {"type": "send", "id": "c", "messages": [QUESTION], "body": []},
        {"type": "send", "id": "c", "messages": [QUESTION], "trigger": "steal"},
        {"type": "send", "id": "c", "messages": [QUESTION], "body": {"model": "none"}},
        {"type": "send", "id": "c", "messages": [{"id": "\ud800", "role": "user", "parts": []}]},
        {"type": "send", "id": "c", "messages": [QUESTION | {"parts": [{"type": ["text"]}]}]},
        {"type": "resume", "id": 3},
        {"type": "resume", "id": "c", "lastSequence": 3},
    ]
    for frame in frames:
        socket.send(requestId="r", **frame)
        answer = socket.read()
        assert (answer["type"], answer["requestId"]) == ("error", "r"), frame
        assert answer["errorText"].endswith(".")
    socket.connection.send(b"\x00")
    assert socket.read()["type"] == "error"
    assert not Stream.objects.exists()


def test_half_a_character_is_replaced(open_socket: OpenSocket) -> None:
    socket = open_socket()
    socket.ask("r", "c", build_message("m", "half \ud800"))
    assert socket.read()["type"] == "start"
    assert find_newest_reply().question.content == "half \ufffd"


@pytest.fixture
def consumer(owner: User) -> ChatConsumer:
    """A socket of a program, without a server."""
    consumer = ChatConsumer()
    consumer.user, consumer._pace = owner, CommandPace()
    token = create_token(owner, "Front end", [Scope.WRITE], None)[1]
    consumer._credential = Credential(token, is_token=True)
    return consumer


def test_a_message_counts_for_the_limit_of_its_token(
    consumer: ChatConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_limiter", FormLimiter(1, max_of_all=0))
    fields = build_body("chat", build_message("m", "Why do tides lag?"))
    assert consumer._start_reply(fields)
    with pytest.raises(Problem) as raised:
        consumer._start_reply(fields)
    assert raised.value.code == "too_many"


async def test_a_message_waits_for_the_turn_of_its_person(
    consumer: ChatConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, sent = [], []

    async def refuse(user_id: Any, function: Callable[[], Any]) -> Any:
        asked.append(user_id)
        raise FrameRejected("unavailable", "The server is busy.")

    async def keep(frame: str) -> None:
        sent.append(json.loads(frame))

    monkeypatch.setattr(commands, "_run_in_turn", refuse)
    monkeypatch.setattr(consumer, "send_frame", keep)
    await consumer._handle_frame(Send("r", {"id": "chat"}))
    [followed] = consumer._followed.values()
    assert followed.task is not None
    await followed.task
    assert asked == [consumer.user.pk]
    assert sent == [{"type": "error", "requestId": "r", "errorText": "The server is busy."}]


def test_the_number_of_answers_is_limited(open_socket: OpenSocket) -> None:
    socket = open_socket()
    start_reading(socket, "0")
    for number in range(1, MAX_ANSWERS + 1):
        socket.resume(str(number), "chat-1")
    frames = iter(socket.read, {})
    error = next(frame for frame in frames if frame["type"] == "error")
    assert error["requestId"] == str(MAX_ANSWERS)


def test_a_message_may_be_as_long_as_the_door_says(open_socket: OpenSocket) -> None:
    socket = open_socket()
    socket.ask("r", "c", build_message("m", "x" * (MAX_FRAME_BYTES - 1_000)))
    assert socket.read()["type"] == "start"
    socket.ask("s", "c", build_message("n", "x" * MAX_FRAME_BYTES))
    assert socket.read_close_code() in (1009, 1006)


def test_only_the_owner_and_our_own_pages_come_in(
    web: Web, open_socket: OpenSocket, owner: User, colleague: User
) -> None:
    gateway = create_token(owner, "Gateway", [Scope.GATEWAY], None)[1]
    for token in ("hft_none", gateway):
        with pytest.raises(InvalidStatus):
            open_socket(token=token)
    cookie = {"Cookie": f"sessionid={create_session_key(owner)}"}
    for origin in ("http://127.0.0.1:9", ""):
        with pytest.raises(InvalidStatus):
            open_socket(token="", origin=origin or None, **cookie)
    start_reading(open_socket(token="", origin=web.url, **cookie))
    stranger = open_socket(token=create_token(colleague, "Mine", list(Scope), None)[1])
    stranger.resume("r", "chat-1")
    assert stranger.read()["type"] == "no-active"


@pytest.mark.parametrize("kind", CHAT_SOCKET_MESSAGES)
def test_no_message_of_a_stranger_reaches_the_things_of_the_owner(
    open_socket: OpenSocket, colleague: User, kind: str
) -> None:
    stream = start_reading(open_socket())
    stranger = open_socket(token=create_token(colleague, "Mine", list(Scope), None)[1])
    frame = CHAT_SOCKET_MESSAGES[kind] | {"requestId": "r", "id": "chat-1"}
    stranger.send(type=kind, **frame)
    if kind == "send":  # it begins a chat of their own
        assert stranger.read()["type"] == "start"
        assert find_newest_reply().conversation.user == colleague
    stranger.resume("last", "unknown")
    while (answer := stranger.read()) != {"type": "no-active", "requestId": "last"}:
        assert "Half" not in json.dumps(answer)
    assert reload_stream(stream).state == State.RUNNING


def test_every_message_of_the_socket_is_in_the_table() -> None:
    known = set(re.findall(r'case "(\w+)"', inspect.getsource(parse_frame)))
    assert known == set(CHAT_SOCKET_MESSAGES)


def test_a_token_without_the_right_to_write_reads_only(
    open_socket: OpenSocket, owner: User
) -> None:
    stream = start_reading(open_socket())
    reader = open_socket(token=create_token(owner, "Reader", [Scope.READ], None)[1])
    reader.ask("w", "chat-1", build_message("m", "Mine"))
    assert "right" in reader.read()["errorText"]
    reader.resume("r", "chat-1")
    reader.read()
    reader.send(type="abort", requestId="r")
    end_stream(stream)
    assert reload_stream(stream).state == State.COMPLETED
    assert Stream.objects.count() == 1


def test_a_revoked_token_closes_the_socket(open_socket: OpenSocket, owner: User) -> None:
    row, token = create_token(owner, "Short", list(Scope), None)
    socket = open_socket(token=token)
    start_reading(socket)
    revoke_tokens(owner, [row.pk])
    assert socket.read_close_code() == 4401


@pytest.mark.parametrize("server", ["daphne"])
def test_daphne_drops_a_client_that_reads_nothing(
    request: pytest.FixtureRequest, owner: User, token: str, server: Server
) -> None:
    """It would keep everything in memory. Uvicorn waits for the client instead."""
    reply = start_reply(owner)
    stream = claim_reply(reply)
    for _ in range(64):
        append_chunks(stream, "x" * 16_000)
    end_stream(stream)
    ClientThread.objects.create(
        user=owner, door="ai-sdk", name="chat-1", conversation=reply.conversation
    )
    headers = {"Authorization": f"Bearer {token}"}
    with run_web(request, server) as web:
        address = f"{web.url.replace('http', 'ws')}/ws/chat"
        with connect(address, additional_headers=headers, proxy=None, max_queue=1) as connection:
            socket = Socket(connection)
            for number in range(MAX_ANSWERS):
                socket.resume(str(number), "chat-1")
            port = connection.local_address[1]
            until(lambda: port not in list_clients(web), what="the connection is dropped")


def list_clients(web: Web) -> set[int]:
    """The ports of the connections that the server has."""
    connections = psutil.Process(web.pid).net_connections("tcp")
    return {c.raddr.port for c in connections if c.status == "ESTABLISHED"}


async def test_a_long_message_takes_the_turns_of_many_commands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever it holds: the event loop parses it to find out."""
    costs: list[int] = []

    class RecordedPace(CommandPace):
        def reserve_turn(self, cost: int = 1) -> float:
            costs.append(cost)
            return 0.0

    async def send_nothing(frame: str) -> None:
        assert "not JSON" in frame

    consumer = ChatConsumer()
    consumer.user, consumer._pace = object(), RecordedPace()
    monkeypatch.setattr(consumer, "send_frame", send_nothing)
    await consumer.receive("x")
    await consumer.receive("[" * MAX_FRAME_BYTES)
    assert costs == [1, 1 + MAX_FRAME_BYTES // CHARS_PER_COMMAND]
