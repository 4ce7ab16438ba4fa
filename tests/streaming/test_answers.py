"""Responses that follow a stream: they end when the stream ends, and break when they must not look
complete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from pytest_django import Settings

from accounts.models import User
from streaming import journal
from streaming.database import run_in_db
from streaming.doors import session_holder
from streaming.doors.answers import AnswerEncoder, AwaitedResponse, EncodedResponse
from streaming.doors.sender import BREAK_KEY, SCOPE_KEY, FollowResponse, send_follow_responses
from streaming.follow import Snapshot, StateChanged
from streaming.hub import Hub, build_sessions_notification, user_group
from streaming.journal import Chunk
from streaming.models import Stream
from tests.factories import create_session_key
from tests.streaming.factories import append_chunks, end_stream, start_stream
from tools.waiting import until_async

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("fake_source", "hub"),
]


class PlainEncoder(AnswerEncoder):
    def encode_start(self) -> bytes:
        return b"start "

    def encode_event(self, event: Chunk | Snapshot | StateChanged) -> bytes:
        return event.delta.encode() if isinstance(event, Chunk) else b""

    def encode_end(self, stream: Stream) -> bytes:
        return f" {stream.state}".encode()


class Exchange:
    """The server's side of one request."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def send(self, message: dict[str, Any]) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def is_complete(self) -> bool:
        return bool(self.messages) and self.messages[-1].get("more_body") is False

    @property
    def is_broken(self) -> bool:
        return bool(self.messages) and self.messages[-1].get(BREAK_KEY, False)


@asynccontextmanager
async def answer(owner: User, response: FollowResponse) -> AsyncIterator[Exchange]:
    """Runs a request whose view has returned this response."""
    exchange = Exchange()
    key = await run_in_db(create_session_key, owner)

    async def view(scope: dict[str, Any], receive: Any, send: Any) -> None:
        scope[SCOPE_KEY] = response

    scope = {"type": "http", "headers": [(b"cookie", f"sessionid={key}".encode())]}
    app = send_follow_responses(view)
    task = asyncio.create_task(app(scope, exchange.received.get, exchange.send))
    try:
        yield exchange
        async with asyncio.timeout(10):
            await task
    finally:
        task.cancel()
    assert not session_holder.open_connections


def encode(owner: User, stream: Stream, **options: Any) -> FollowResponse:
    refusal = HttpResponse("close one", status=429)
    return EncodedResponse(stream, owner, PlainEncoder(), refusal=refusal, **options)


async def create_stream(owner: User) -> Stream:
    def create() -> Stream:
        stream = start_stream(owner)
        append_chunks(stream, "a", "b")
        return stream

    return await run_in_db(create)


async def see(exchange: Exchange, body: bytes) -> None:
    async def is_there() -> bool:
        return exchange.body == body

    await until_async(is_there, within=10, what=f"the body {body!r}")


async def test_it_sends_each_chunk_and_ends_with_the_stream(owner: User) -> None:
    stream = await create_stream(owner)
    async with answer(owner, encode(owner, stream)) as exchange:
        await see(exchange, b"start ab")
        await run_in_db(append_chunks, stream, "c")
        await see(exchange, b"start abc")
        await run_in_db(end_stream, stream)
    assert exchange.is_complete
    assert exchange.status == 200
    assert exchange.body == b"start abc completed"


async def test_it_starts_after_a_cursor(owner: User) -> None:
    stream = await create_stream(owner)
    async with answer(owner, encode(owner, stream, after=0)) as exchange:
        await see(exchange, b"start b")
        await run_in_db(end_stream, stream)
    assert exchange.body == b"start b completed"


async def test_an_awaited_response_is_built_at_the_end(owner: User) -> None:
    stream = await create_stream(owner)

    def build(stream: Stream) -> HttpResponse:
        return HttpResponse(str(stream.state), status=502)

    response = AwaitedResponse(stream, owner, build, refusal=HttpResponse(status=429))
    async with answer(owner, response) as exchange:

        async def is_open() -> bool:
            return bool(session_holder.open_connections)

        await until_async(is_open, within=10, what="the connection")
        assert exchange.messages == []
        await run_in_db(end_stream, stream)
    assert (exchange.status, exchange.body) == (502, b"completed")


@pytest.mark.parametrize("ends_cleanly", [True, False])
async def test_the_end_of_the_process_ends_it(
    owner: User, ends_cleanly: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_holder, "_bye_retry_ms", None)
    stream = await create_stream(owner)
    async with answer(owner, encode(owner, stream, ends_cleanly=ends_cleanly)) as exchange:
        await see(exchange, b"start ab")
        session_holder.send_bye_to_all(100)
    assert exchange.is_complete is ends_cleanly
    assert exchange.is_broken is not ends_cleanly
    assert exchange.body == b"start ab"


async def test_an_ended_session_breaks_it(owner: User, hub: Hub) -> None:
    stream = await create_stream(owner)
    async with answer(owner, encode(owner, stream, ends_cleanly=True)) as exchange:
        await see(exchange, b"start ab")
        await run_in_db(lambda: Session.objects.all().delete())
        hub.notify(user_group(owner.pk), build_sessions_notification())
    assert exchange.is_broken


async def test_a_deleted_stream_breaks_it(owner: User) -> None:
    stream = await create_stream(owner)
    async with answer(owner, encode(owner, stream, ends_cleanly=True)) as exchange:
        await see(exchange, b"start ab")
        await run_in_db(journal.delete_streams, [stream.pk])
    assert exchange.is_broken


async def test_a_client_that_goes_away_ends_it(owner: User) -> None:
    stream = await create_stream(owner)
    async with answer(owner, encode(owner, stream)) as exchange:
        await see(exchange, b"start ab")
        exchange.received.put_nowait({"type": "http.disconnect"})
    assert not exchange.is_complete
    assert not exchange.is_broken


async def test_a_person_with_too_many_connections_is_refused(
    owner: User, settings: Settings
) -> None:
    settings.STREAMING_MAX_SOCKETS_PER_USER = 0
    stream = await create_stream(owner)
    async with answer(owner, encode(owner, stream)) as exchange:
        pass
    assert (exchange.status, exchange.body) == (429, b"close one")


class FailingEncoder(PlainEncoder):
    def encode_event(self, event: Chunk | Snapshot | StateChanged) -> bytes:
        raise ValueError


async def test_a_fault_breaks_it(owner: User, caplog: pytest.LogCaptureFixture) -> None:
    stream = await create_stream(owner)
    response = EncodedResponse(stream, owner, FailingEncoder(), refusal=HttpResponse(status=429))
    async with answer(owner, response) as exchange:
        pass
    assert exchange.is_broken
    assert "its answer failed" in caplog.text
