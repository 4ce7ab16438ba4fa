"""The door of server-sent events behind a real Daphne and a real Uvicorn: what a request gets,
when a response ends, and that a client which reconnects has each index once."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import User
from chat import changes
from streaming import journal
from streaming.database import run_in_db
from streaming.doors.sse.event_stream import MAX_RESPONSE_BYTES
from streaming.doors.sse.request import MAX_FOLLOWS
from streaming.hub import Hub, build_sessions_notification, user_group
from streaming.models import Kind, State, Stream
from tests.factories import create_session_key
from tests.streaming.conftest import on_redis, run_web
from tests.streaming.event_client import EventResponse, request_events
from tests.streaming.factories import (
    append_chunks,
    end_stream,
    reload_stream,
    start_stream,
)
from tools.deployment.deployment import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_source")]

MAX_CURSOR = 2**53 - 1


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def web(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Web]:
    with run_web(request, request.param) as web:
        yield web


Read = Callable[..., EventResponse]


@pytest.fixture
def read(web: Web) -> Iterator[Read]:
    """`read(owner, path, **headers)` opens a response of a person or session."""
    with ExitStack() as stack:

        def open_response(user: User | str, path: str, **options: str) -> EventResponse:
            session = create_session_key(user) if isinstance(user, User) else user
            return stack.enter_context(request_events(web.port, path, session, **options))

        yield open_response


def get_path(stream: Stream, query: str = "") -> str:
    return f"/api/streams/{stream.uuid}/events{query}"


def get_shared_path(*cursors: tuple[Stream, int], more: str = "") -> str:
    follows = [f"follow={stream.uuid}:{after}" for stream, after in cursors]
    return f"/api/streams/events?{'&'.join(follows)}{more}"


def create_three_chunks(owner: User) -> Stream:
    stream = start_stream(owner)
    append_chunks(stream, "a\N{WATER WAVE}\r\n", (Kind.REASONING, "hm"), "c")
    return stream


def create_ended_stream(owner: User) -> Stream:
    stream = create_three_chunks(owner)
    end_stream(stream)
    return reload_stream(stream)


# Contents of a response


def test_a_response_replays_continues_live_and_ends_with_its_stream(
    read: Read, owner: User
) -> None:
    stream = create_three_chunks(owner)
    response = read(owner, get_path(stream))
    assert response.status == 200
    name = str(stream.uuid)
    chunk = {"type": "chunk", "stream": name, "kind": "text"}
    assert response.read_until("state") == [
        {"type": "hello", "version": 1, "revision": 0},
        {**chunk, "first": 0, "index": 0, "delta": "a\N{WATER WAVE}\r\n", "offset": 0},
        {**chunk, "first": 1, "index": 1, "kind": "reasoning", "delta": "hm", "offset": 0},
        {**chunk, "first": 2, "index": 2, "delta": "c", "offset": 4},
        {"type": "state", "stream": name, "state": "running", "note": ""},
    ]
    assert response.retry_ms == 1000
    assert response.last_event_id == "2"
    append_chunks(stream, "d")
    assert response.read_frame() == {**chunk, "first": 3, "index": 3, "delta": "d", "offset": 5}
    end_stream(stream)
    [end] = response.read_rest()
    assert (end["type"], end["state"], end["next"]) == ("end", "completed", 4)


def test_the_headers_let_no_proxy_keep_or_collect_a_response(read: Read, owner: User) -> None:
    headers = read(owner, get_path(create_ended_stream(owner))).headers
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-store, no-transform"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Content-Length" not in headers


def test_a_silent_stream_sends_heartbeats(read: Read, owner: User) -> None:
    blocks = read(owner, get_path(create_three_chunks(owner), "?after=2")).read_blocks()
    assert [next(blocks).name for _ in range(3)] == ["hello", "state", ""]


CURSORS = [
    ("", "", 0),
    ("?after=-1", "", 0),
    ("?after=0", "", 1),
    ("?after=1", "", 2),
    ("", "1", 2),
    ("?after=0", "1", 2),
    ("?after=1", "0", 2),
    ("?after=1", "-1", 2),
    ("?after=1", "not one of ours", 2),
    ("?after=1", "0,0", 2),
    ("?after=1", "9" * 400, 2),
    ("?after=0&other=5", "", 1),
]


def test_the_larger_of_two_cursors_counts(read: Read, owner: User) -> None:
    stream, session = create_three_chunks(owner), create_session_key(owner)
    for query, last_event_id, first in CURSORS:
        headers = {"Last_Event_ID": last_event_id} if last_event_id else {}
        response = read(session, get_path(stream, query), **headers)
        assert response.read_until("chunk")[-1]["first"] == first, (query, last_event_id)


INVALID_CURSORS = ["", "-2", "+1", "01", "1.0", "1e3", "seven", "\u0661", "null", " 1", "0x1"]


def test_an_invalid_cursor_is_refused(read: Read, owner: User) -> None:
    stream, session = create_three_chunks(owner), create_session_key(owner)
    cursors = [*map(quote, INVALID_CURSORS), str(MAX_CURSOR + 1), "9" * 300, "1&after=1"]
    for cursor in cursors:
        response = read(session, get_path(stream, f"?after={cursor}"))
        assert response.status == 400, cursor
        assert b'"code":"bad_cursor"' in response.read_body()


def test_a_cursor_beyond_the_newest_index_gets_a_snapshot(read: Read, owner: User) -> None:
    stream, session = create_three_chunks(owner), create_session_key(owner)
    for cursor in (3, 4, 10**6, MAX_CURSOR):
        response = read(session, get_path(stream, f"?after={cursor}"))
        frame = response.read_until("snapshot")[-1]
        assert (frame["index"], frame["text"]) == (2, "a\N{WATER WAVE}\r\nc")
        assert response.last_event_id == "2"


def test_a_stream_that_is_over_and_read_has_no_content(read: Read, owner: User) -> None:
    stream = create_ended_stream(owner)
    assert [event["type"] for event in read(owner, get_path(stream, "?after=1")).read_rest()] == [
        "hello",
        "chunk",
        "end",
    ]
    for response in (
        read(owner, get_path(stream, "?after=2")),
        read(owner, get_path(stream), Last_Event_ID="2"),
    ):
        assert (response.status, response.read_body()) == (204, b"")
        assert response.headers["Stream-State"] == "completed"


def test_the_end_of_a_stream_without_text_is_read_once(read: Read, owner: User) -> None:
    stream = start_stream(owner)
    end_stream(stream)
    response = read(owner, get_path(stream))
    assert [event["type"] for event in response.read_rest()] == ["hello", "end"]
    again = read(owner, get_path(stream), Last_Event_ID=response.last_event_id)
    assert again.status == 204


def test_a_stream_that_is_deleted_meanwhile_is_reported_as_not_found(
    read: Read, owner: User
) -> None:
    stream = create_three_chunks(owner)
    response = read(owner, get_path(stream, "?after=2"))
    response.read_until("state")
    journal.delete_streams([stream.pk])
    assert [frame.get("code") for frame in response.read_rest()] == ["not_found"]
    assert read(owner, get_path(stream, "?after=2")).status == 404


def test_without_waiting_a_response_has_what_there_is_and_ends(read: Read, owner: User) -> None:
    running, ended = create_three_chunks(owner), create_ended_stream(owner)
    path = get_shared_path((running, 1), (ended, 1), more="&wait=0")
    frames = read(owner, path).read_rest()
    types = {"hello", "chunk", "state", "end"}
    assert {frame["type"] for frame in frames} == types
    assert [f["index"] for f in frames if f["type"] == "chunk"] == [2, 2]
    append_chunks(running, "d")
    deadline = time.monotonic() + 10
    while not (deltas := read_deltas(read, owner, running)):
        assert time.monotonic() < deadline, "without a notification it takes a second"
    assert deltas == ["d"]
    assert read(owner, get_path(running, "?wait=5")).status == 400


def read_deltas(read: Read, owner: User, stream: Stream) -> list[str]:
    frames = read(owner, get_shared_path((stream, 2), more="&wait=0")).read_rest()
    return [frame["delta"] for frame in frames if frame["type"] == "chunk"]


# Several streams


def test_one_response_follows_several_streams_and_its_id_resumes_each(
    read: Read, owner: User
) -> None:
    first, second = create_three_chunks(owner), create_three_chunks(owner)
    path = get_shared_path((first, -1), (second, 0))
    response = read(owner, path)
    frames = [*response.read_until("state"), *response.read_until("state")]
    indexes = [(f["stream"], f["index"]) for f in frames if f["type"] == "chunk"]
    assert sorted(indexes) == sorted(
        [
            *((str(first.uuid), index) for index in (0, 1, 2)),
            (str(second.uuid), 1),
            (str(second.uuid), 2),
        ]
    )
    assert response.last_event_id == "2,2"
    append_chunks(first, "d")
    assert response.read_frame()["delta"] == "d"
    end_stream(second)
    assert response.read_frame()["type"] == "end"
    append_chunks(first, "e")
    assert response.read_frame()["delta"] == "e", "the other stream continues"
    again = read(owner, path, Last_Event_ID="3,1")
    frames = []
    while {"state", "end"} - {f["type"] for f in frames} or len(frames) < 5:
        frames.append(again.read_frame())  # hello, and of each stream a chunk and its state
    assert {f["delta"] for f in frames if f["type"] == "chunk"} == {"c", "e"}


@on_redis
async def test_without_a_stream_a_response_tells_what_else_has_changed(
    web: Web, owner: User, colleague: User, hub: Hub
) -> None:
    session = await run_in_db(create_session_key, owner)
    with request_events(web.port, "/api/streams/events", session) as response:
        hello = {"type": "hello", "version": 1, "revision": 0}
        assert await asyncio.to_thread(response.read_frame) == hello
        await run_in_db(changes.bump_revision, colleague.pk)
        await run_in_db(changes.bump_revision, owner.pk)
        changed = {"type": "changed", "revision": 1}
        assert await asyncio.to_thread(response.read_frame) == changed
        await run_in_db(changes.bump_revision, owner.pk, "drafts")
        changed = {"type": "changed", "revision": 2, "topic": "drafts"}
        assert await asyncio.to_thread(response.read_frame) == changed


def test_a_foreign_stream_among_several_fails_alone(
    read: Read, owner: User, stranger: User
) -> None:
    own, foreign = create_three_chunks(owner), create_three_chunks(stranger)
    path = get_shared_path((foreign, -1), (own, 1), more=f"&follow={uuid4()}")
    frames = read(owner, path).read_until("state")
    assert [f["code"] for f in frames if f["type"] == "error"] == ["not_found"] * 2
    assert [f["index"] for f in frames if f["type"] == "chunk"] == [2]


INVALID_LISTS = [
    ("follow=", "bad_frame"),
    ("follow=seven", "bad_frame"),
    ("follow={0}&follow={0}:2", "bad_frame"),
    ("follow={0}:-2", "bad_cursor"),
    ("follow={0}:", "bad_cursor"),
    ("follow={0}:1:2", "bad_cursor"),
    ("follow={0}&wait=", "bad_frame"),
]


def test_an_invalid_list_of_streams_is_refused(read: Read, owner: User) -> None:
    session = create_session_key(owner)
    for query, code in INVALID_LISTS:
        response = read(session, f"/api/streams/events?{query.format(uuid4())}")
        assert response.status == 400, query
        assert f'"code":"{code}"'.encode() in response.read_body()


def test_a_response_follows_a_hundred_streams_and_no_more(read: Read, owner: User) -> None:
    follows = [f"follow={uuid4()}" for _ in range(MAX_FOLLOWS + 1)]
    assert read(owner, f"/api/streams/events?{'&'.join(follows)}").status == 400
    response = read(owner, f"/api/streams/events?{'&'.join(follows[1:])}&wait=0")
    assert len(response.read_rest()) == MAX_FOLLOWS + 1


# Access


def test_a_client_without_a_session_is_refused(read: Read, owner: User) -> None:
    path = get_path(create_three_chunks(owner), "?after=odd")
    for session in ("", "a" * 32, "x"):
        response = read(session, path)
        assert response.status == 401
        assert b'"code":"signed_out"' in response.read_body()
    owner.is_active = False
    owner.save()
    assert read(owner, path).status == 401


def test_a_foreign_stream_looks_like_one_that_does_not_exist(
    read: Read, owner: User, stranger: User
) -> None:
    paths = [get_path(create_three_chunks(stranger)), f"/api/streams/{uuid4()}/events"]
    paths += [
        "/api/streams/seven/events",
        f"/api/streams/{'0' * 400}/events",
        "/api/streams//events",
    ]
    answers = {(r.status, r.read_body()) for r in (read(owner, path) for path in paths)}
    assert len(answers) == 1
    assert answers.pop()[0] == 404


def test_only_get_is_allowed(read: Read, owner: User) -> None:
    path = get_path(create_three_chunks(owner))
    for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        response = read(owner, path, method=method)
        assert (response.status, response.headers["Allow"]) == (405, "GET")


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Origin": "https://evil.example", "origin": "https://evil.example"},
    {"Sec_Fetch_Site": "cross-site", "sec_fetch_site": "none"},
]


def test_only_our_own_pages_may_read(read: Read, web: Web, owner: User) -> None:
    path = get_path(create_ended_stream(owner))
    for headers in FOREIGN:
        assert read(owner, path, **headers).status == 403, headers
    for headers in ({"Origin": web.url}, {"Sec_Fetch_Site": "same-origin"}):
        assert read(owner, path, **headers).status == 200


@on_redis
async def test_a_response_ends_at_once_when_its_session_ends_elsewhere(
    web: Web, owner: User, hub: Hub
) -> None:
    session = await run_in_db(create_session_key, owner)
    with request_events(web.port, "/api/streams/events", session) as response:
        assert (await asyncio.to_thread(response.read_frame))["type"] == "hello"
        await run_in_db(Session.objects.filter(session_key=session).delete)
        hub.notify(user_group(owner.pk), build_sessions_notification())
        async with asyncio.timeout(5):
            assert await asyncio.to_thread(response.read_rest) == []
    with request_events(web.port, "/api/streams/events", session) as response:
        assert response.status == 401


@pytest.mark.prove
def test_a_response_ends_soon_when_its_owner_is_deactivated(read: Read, owner: User) -> None:
    response = read(owner, "/api/streams/events")
    assert response.read_frame()["type"] == "hello"
    owner.is_active = False
    owner.save()
    assert response.read_rest() == []


# Many and slow clients


def test_two_hundred_followers_hold_no_thread_and_no_place_of_a_page(
    read: Read, web: Web, owner: User, colleague: User
) -> None:
    streams = {user: create_three_chunks(user) for user in (owner, colleague)}
    sessions = {user: create_session_key(user) for user in streams}
    followers = [
        read(sessions[user], get_path(stream, "?after=2"))
        for user, stream in streams.items()
        for _ in range(100)
    ]
    assert {follower.status for follower in followers} == {200}
    refused = read(sessions[owner], get_path(streams[owner]))
    assert (refused.status, refused.headers["Retry-After"]) == (429, "5")
    page = read("", "/accounts/login/")
    assert page.status == 200
    for stream in streams.values():
        append_chunks(stream, "d")
        end_stream(stream)
    for follower in followers:
        assert [f["type"] for f in follower.read_rest()][-2:] == ["chunk", "end"]
    deadline = time.monotonic() + 10
    while read(sessions[owner], get_path(streams[owner])).status == 429:
        assert time.monotonic() < deadline, "responses that ended don't count"


def test_a_long_text_takes_several_responses_of_a_limited_size(read: Read, owner: User) -> None:
    """The client reads nothing until the server has ended the response."""
    stream = start_stream(owner)
    text = "\N{WATER WAVE}" * 250_000
    for at in range(0, len(text), 10_000):
        append_chunks(stream, text[at : at + 10_000])
    end_stream(stream)
    session = create_session_key(owner)
    taken, last_event_id, sizes = "", "-1", []
    for number in count():
        response = read(session, get_path(stream), Last_Event_ID=last_event_id)
        frames = response.read_rest()
        taken += "".join(f["delta"] for f in frames if f["type"] == "chunk")
        sizes.append(sum(len(f.get("delta", "").encode()) for f in frames))
        last_event_id = response.last_event_id
        if frames[-1]["type"] == "end":
            break
        assert number < 5
    assert taken == text
    assert max(sizes) < MAX_RESPONSE_BYTES + 100_000
    assert len(sizes) > 1


def test_a_server_that_stops_breaks_its_responses_off_and_clients_continue_elsewhere(
    request: pytest.FixtureRequest, web: Web, read: Read, owner: User
) -> None:
    server: Any = web.command[2]
    stream, session = create_three_chunks(owner), create_session_key(owner)
    with (
        run_web(request, server) as leaving,
        request_events(leaving.port, get_path(stream), session) as response,
    ):
        response.read_until("state")
        os.kill(leaving.pid, signal.SIGTERM)
        assert [frame["type"] for frame in response.read_rest()] == ["bye"]
        assert response.retry_ms == 500
    append_chunks(stream, "d")
    elsewhere = read(session, get_path(stream), Last_Event_ID=response.last_event_id)
    assert elsewhere.read_until("chunk")[-1]["delta"] == "d"
    assert reload_stream(stream).state == State.RUNNING


def test_a_client_that_leaves_stops_no_stream_and_frees_its_place(
    web: Web, read: Read, owner: User
) -> None:
    stream, session = create_three_chunks(owner), create_session_key(owner)
    for _ in range(settings.STREAMING_MAX_SOCKETS_PER_USER + 5):
        with request_events(web.port, get_path(stream), session) as response:
            assert response.status == 200
            response.read_frame()
    assert reload_stream(stream).state == State.RUNNING
