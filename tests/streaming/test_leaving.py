"""A socket ends when its client leaves, however many of its frames still wait for their turns."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import User
from chat.doors.ai_sdk import frames
from chat.doors.ai_sdk.frames import parse_frame
from chat.doors.ai_sdk.websocket import CHARS_PER_COMMAND, ChatConsumer
from streaming.asgi import Send
from streaming.doors.websocket.consumer import FollowConsumer
from streaming.doors.websocket.leaving import use_leaving_event
from streaming.doors.websocket.pace import CommandPace
from streaming.doors.websocket.protocol import Command
from tests.chaos.attack_modes.client import build_frame
from tests.factories import create_session_key
from tests.streaming.conftest import run_web
from tools.deployment.deployment import Web
from tools.waiting import until

TIMEOUT_SECONDS = 10.0
MAX_SOCKETS = 40
FRAMES_PER_SOCKET = 100
"""Both servers hold at least 32 of them. The commands of these sockets have turns for a minute."""
STREAM = str(uuid4())


class BusyPace(CommandPace):
    """The pace of a user with so many commands that the next turn never comes."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    def reserve_turn(self, cost: int = 1) -> float:
        self.asked.set()
        return 3_600.0


async def ignore(message: Any) -> None:
    pass


async def run_until_client_leaves(
    consumer: FollowConsumer | ChatConsumer, client_left: asyncio.Event, *texts: str
) -> int:
    """Run a socket whose client sends these frames, and leaves while the first waits for its turn.
    Return how many turns of the event loop the socket takes to end."""
    inbox = fill_inbox(*texts)
    consumer.user, consumer._pace = SimpleNamespace(pk=7), BusyPace()
    running = asyncio.create_task(consumer({"type": "websocket"}, inbox.get, ignore))
    turn_count = 0
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await consumer._pace.asked.wait()
        client_left.set()
        inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})
        while not running.done():
            await asyncio.sleep(0)
            turn_count += 1
        await running
    return turn_count


def fill_inbox(*texts: str) -> asyncio.Queue[dict[str, Any]]:
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    for text in texts:
        inbox.put_nowait({"type": "websocket.receive", "text": text})
    return inbox


def build_command(kind: str) -> str:
    return json.dumps({"type": kind, "stream": STREAM})


async def test_a_socket_whose_client_left_waits_for_no_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    followed: list[Command] = []
    client_left = asyncio.Event()
    with use_leaving_event(client_left):
        consumer = FollowConsumer()
    monkeypatch.setattr(consumer, "_start_following", followed.append)
    frame_count = 50
    texts = [build_command("follow")] * frame_count
    turn_count = await run_until_client_leaves(consumer, client_left, *texts)
    assert not followed
    assert turn_count < frame_count, "with many sockets, each turn of the event loop is long"


async def test_sockets_take_turns_while_their_clients_are_there() -> None:
    handled: list[str] = []

    def record_as(name: str) -> Send:
        async def record(message: Any) -> None:
            handled.append(name)

        return record

    running = []
    for name in "ab":
        consumer = FollowConsumer()
        consumer.user = SimpleNamespace(pk=7)
        inbox = fill_inbox(*['{"type": "ping"}'] * 10)
        inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})
        running.append(consumer({"type": "websocket"}, inbox.get, record_as(name)))
    await asyncio.gather(*running)
    assert handled == ["a", "b"] * 10


async def test_a_stop_takes_effect_though_its_client_left(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[UUID] = []

    async def stop(stream: UUID) -> None:
        stopped.append(stream)

    client_left = asyncio.Event()
    with use_leaving_event(client_left):
        consumer = FollowConsumer()
    monkeypatch.setattr(consumer, "_stop_stream", stop)
    monkeypatch.setattr(BusyPace, "reserve_turn", reserve_first_turn_late)
    texts = map(build_command, ("follow", "stop", "follow"))
    await run_until_client_leaves(consumer, client_left, *texts)
    assert stopped == [UUID(STREAM)]


def reserve_first_turn_late(pace: BusyPace, cost: int = 1) -> float:
    is_first = not pace.asked.is_set()
    pace.asked.set()
    return 3_600.0 if is_first else 0.0


async def test_only_an_abort_takes_effect_after_its_client_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed: list[str] = []
    aborted: list[str] = []

    def parse(text: str) -> frames.Send | frames.Resume | frames.Abort:
        parsed.append(text)
        return parse_frame(text)

    client_left = asyncio.Event()
    with use_leaving_event(client_left):
        consumer = ChatConsumer()
    monkeypatch.setattr(frames, "parse_frame", parse)
    monkeypatch.setattr(consumer, "_start_following", pytest.fail)
    monkeypatch.setattr(consumer, "_abort", aborted.append)
    send = json.dumps({"type": "send", "requestId": "r", "id": "c", "messages": []})
    resume = json.dumps({"type": "resume", "requestId": "r", "id": "c"})
    abort = json.dumps({"type": "abort", "requestId": "r"})
    long = json.dumps({"type": "abort", "requestId": "r" * CHARS_PER_COMMAND})
    await run_until_client_leaves(consumer, client_left, send, resume, long, abort)
    assert parsed == [send, resume, abort]
    assert aborted == ["r"]


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def web(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Web]:
    with run_web(request, request.param, MAX_SOCKETS_PER_USER=str(MAX_SOCKETS)) as web:
        yield web


def open_socket(web: Web, session: str) -> tuple[socket.socket, bytes]:
    """Return a socket and what it brought up to its first frame: the greeting, or a close."""
    head = [
        "GET /ws/ HTTP/1.1",
        f"Host: 127.0.0.1:{web.port}",
        f"Origin: {web.url}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Cookie: sessionid={session}",
    ]
    connection = socket.create_connection(("127.0.0.1", web.port), TIMEOUT_SECONDS)
    connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
    received = b""
    while len(received.partition(b"\r\n\r\n")[2]) < 4 and (piece := connection.recv(4_096)):
        received += piece
    return connection, received


def can_open_socket(web: Web, session: str) -> bool:
    connection, received = open_socket(web, session)
    with closing(connection):
        return b'"hello"' in received


@pytest.mark.django_db(transaction=True)
def test_sockets_whose_clients_left_do_not_count(web: Web, owner: User) -> None:
    session = create_session_key(owner)
    connections = []
    for _ in range(MAX_SOCKETS):
        connection, received = open_socket(web, session)
        assert b'"hello"' in received
        connections.append(connection)
    assert not can_open_socket(web, session)
    for connection in connections:
        follow = build_frame(build_command("follow").encode())
        connection.sendall(follow * FRAMES_PER_SOCKET)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    until(lambda: can_open_socket(web, session))
    assert "took too long" not in web.output_of_this_run(), "Daphne ended them itself"
    assert "Traceback" not in web.output_of_this_run()
