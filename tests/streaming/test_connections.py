"""A connection ends when one of its tasks fails, through either door; and a response with
server-sent events keeps its limit, however many streams it sends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from itertools import accumulate
from typing import Any
from uuid import uuid4

import pytest

from streaming.doors import frames
from streaming.doors.session_holder import SessionHolder, open_connections
from streaming.doors.sse import event_stream
from streaming.doors.sse.event_stream import MAX_RESPONSE_BYTES, EventStream
from streaming.doors.sse.request import EventRequest
from streaming.doors.websocket import consumer
from streaming.doors.websocket.consumer import FollowConsumer
from streaming.follow import Snapshot, StateChanged, StreamEvent
from streaming.hub import Hub
from streaming.journal import MAX_CHUNK_CHARS, Chunk
from streaming.models import Kind, State, Stream

TIMEOUT_SECONDS = 5.0


class Person:
    """The part of a user that a connection reads."""

    pk = 7
    revision = 0


class Response:
    """An event stream whose parts are kept. `sends_slowly` lets other tasks run before each."""

    def __init__(self, *streams: object, sends_slowly: bool = False) -> None:
        self.bodies: list[bytes] = []
        self.is_complete = False
        self.opened = asyncio.Event()
        self._sends_slowly = sends_slowly
        self._streams = streams
        self.stream = EventStream(None, self._send)

    async def run(self, *, waits: bool = True) -> None:
        names = tuple(uuid4() for _ in self._streams)
        request = EventRequest(names, (-1,) * len(names), is_single=False, waits=waits)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self.stream.send_events(request, Person(), None, self._receive)
        finally:
            self.stream.clean_up()

    async def _send(self, message: dict[str, Any]) -> None:
        if self._sends_slowly:
            await asyncio.sleep(0)
        self.bodies.append(message["body"])
        self.is_complete = not message["more_body"]

    async def _receive(self) -> dict[str, Any]:
        self.opened.set()
        await asyncio.Event().wait()
        raise AssertionError

    @property
    def ids(self) -> list[list[int]]:
        lines = b"".join(self.bodies).decode().split("\n")
        return [
            [*map(int, line.removeprefix("id: ").split(","))]
            for line in lines
            if line.startswith("id: ")
        ]


async def fail(*_: object) -> Any:
    raise LookupError("a fault of ours")


def get_errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


# A task that fails


def test_only_a_whole_door_can_be_opened() -> None:
    with pytest.raises(TypeError, match="schedule_close"):
        SessionHolder()  # type: ignore[abstract]


@pytest.mark.parametrize(
    "part", ["_send_heartbeats", "_send_revisions", "_check_sessions", "_watch_disconnect"]
)
async def test_a_response_of_which_a_part_fails_ends(
    part: str, hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(EventStream, part, fail)
    response = Response()
    await response.run()
    assert response.is_complete
    assert len(get_errors(caplog)) == 1
    assert response.stream not in open_connections


async def test_a_response_whose_session_check_fails_after_a_notification_ends(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    response = Response()
    monkeypatch.setattr(response.stream, "load_user_or_error", fail)
    running = asyncio.create_task(response.run())
    await response.opened.wait()
    response.stream._on_user_notification({"sessions": True})
    await running
    assert response.is_complete
    assert get_errors(caplog) == ["A connection closes, because its session check failed"]


async def test_a_response_of_a_process_that_ends_says_hello_and_bye(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "get_bye_retry_ms", lambda: 500)
    response = Response()
    await response.run()
    assert response.is_complete
    body = b"".join(response.bodies).decode()
    assert [line for line in body.split("\n") if line.startswith("event: ")] == [
        "event: hello",
        "event: bye",
    ]


class Socket(FollowConsumer):
    """A socket that keeps the code with which it would close."""

    def __init__(self) -> None:
        super().__init__()
        self.closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.user = Person()

    def schedule_close(self, code: int) -> None:
        if not self.closed.done():
            self.closed.set_result(code)

    async def send_frame(self, frame: str) -> None:
        pass


def run_heartbeat(socket: Socket) -> Awaitable[None]:
    return socket.on_session_opened(Person())


async def check_session_after_notification(socket: Socket) -> None:
    socket._on_user_notification({"sessions": True})


async def report_change(socket: Socket) -> None:
    socket._on_user_notification({"revision": 1})


async def follow(socket: Socket) -> None:
    await socket.receive(f'{{"type": "follow", "stream": "{uuid4()}"}}')


FAILING_PARTS = [
    ("check_session", run_heartbeat, "heartbeat"),
    ("check_session", check_session_after_notification, "session check"),
    ("_send_counted", report_change, "report of a change"),
    ("_send_events", follow, "follower"),
]


@pytest.mark.parametrize(
    ("part", "start", "name"), FAILING_PARTS, ids=[p[2] for p in FAILING_PARTS]
)
async def test_a_socket_of_which_a_part_fails_closes(
    part: str,
    start: Callable[[Socket], Awaitable[None]],
    name: str,
    hub: Hub,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Socket, part, fail)
    monkeypatch.setattr(consumer, "seconds_until_check", lambda now: 0)
    socket = Socket()
    try:
        await start(socket)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            assert await socket.closed == frames.CLOSE_INTERNAL_ERROR
    finally:
        socket.clean_up()
    [error] = get_errors(caplog)
    assert name in error


async def test_closing_a_socket_that_its_client_has_closed_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def send(message: Any) -> None:
        raise RuntimeError("Unexpected ASGI message 'websocket.close'")

    socket = FollowConsumer()
    socket.base_send = send
    socket.schedule_close(frames.CLOSE_TOO_SLOW)
    assert socket._close_task is not None
    await asyncio.wait_for(socket._close_task, TIMEOUT_SECONDS)


# The size of a response


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[StreamEvent]:
    """The events of each followed stream. All of them are there at once."""
    events: list[StreamEvent] = []

    async def find_any_stream(user: object, uuid: object) -> None:
        return None

    async def follow_events(
        stream: Stream, after: int, *, waits: bool
    ) -> AsyncGenerator[StreamEvent, None]:
        for event in events:
            yield event

    monkeypatch.setattr(event_stream, "find_stream", find_any_stream)
    monkeypatch.setattr(event_stream, "get_simulated_drop", lambda stream: None)
    monkeypatch.setattr(event_stream, "follow_stream", follow_events)
    return events


def build_chunks(*deltas: str) -> list[Chunk]:
    offsets = accumulate(map(len, deltas), initial=0)
    return [
        Chunk(index=at, kind=Kind.TEXT, delta=delta, offset=offset, first=at)
        for at, (delta, offset) in enumerate(zip(deltas, offsets, strict=False))
    ]


@pytest.mark.parametrize("sends_slowly", [False, True])
@pytest.mark.parametrize("waits", [False, True])
async def test_a_hundred_streams_share_the_limit_of_one_response(
    events: list[StreamEvent], hub: Hub, sends_slowly: bool, waits: bool
) -> None:
    long, short = "\N{WATER WAVE}" * MAX_CHUNK_CHARS, "a"
    events += build_chunks(*[short, long] * 10)
    response = Response(*range(100), sends_slowly=sends_slowly)
    await response.run(waits=waits)
    assert response.is_complete
    total = sum(map(len, response.bodies))
    assert MAX_RESPONSE_BYTES <= total < MAX_RESPONSE_BYTES + 70_000
    assert sum(response.ids[-1]) + 100 == len(response.ids), "each index was sent"


async def test_an_event_beyond_the_limit_is_sent_whatever_was_sent_before_it(
    events: list[StreamEvent], hub: Hub
) -> None:
    text = "\x01" * 65_536
    large = Snapshot(3, text, text, ())
    events += [StateChanged(State.RUNNING, ""), large, *build_chunks(*"a" * 9)[4:]]
    response = Response(1, 2)
    await response.run()
    assert response.is_complete
    assert sum(map(len, response.bodies)) > MAX_RESPONSE_BYTES
    assert response.ids[-1] == [3, -1]
