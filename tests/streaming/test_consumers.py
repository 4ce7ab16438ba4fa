"""The WebSocket door behind a real Daphne: commands, frames, slow clients and refused ones."""

from __future__ import annotations

import ast
import asyncio
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx2
import pytest
from django.db import DataError, OperationalError
from pytest_django.plugin import DjangoDbBlocker
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from accounts.models import User
from chat import changes
from config.header_limits import MAX_FRAME_BYTES
from streaming import hub as hubs
from streaming import journal
from streaming.database import run_in_db
from streaming.doors import frames, hooks, session_holder
from streaming.doors.commands import list_commands
from streaming.doors.session_holder import SESSION_CHECK_SECONDS, seconds_until_check
from streaming.doors.websocket import flow_control, protocol
from streaming.doors.websocket.consumer import (
    MAX_FOLLOWS,
    FollowConsumer,
)
from streaming.doors.websocket.flow_control import MAX_UNACKED_BYTES, SendWindow
from streaming.doors.websocket.protocol import ENGINE_COMMANDS, MAX_FRAME_CHARS
from streaming.hub import Hub
from streaming.journal import MAX_CHUNK_CHARS
from streaming.models import Kind, State, Stream
from tests.access.table import ANSWER, CONVERSATION, SOCKET_MESSAGES, STREAM
from tests.chat.factories import start_reply
from tests.factories import create_session_key
from tests.streaming.conftest import on_redis, run_web
from tests.streaming.factories import (
    append_chunks,
    end_stream,
    queue_stream,
    reload_stream,
    start_stream,
)
from tools.deployment.deployment import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_source")]

TIMEOUT_SECONDS = 10.0

Frame = dict[str, Any]
T = TypeVar("T")


@pytest.fixture(scope="module")
def web(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Web]:
    with run_web(request, "daphne") as web:
        yield web


class SocketTab:
    """The socket of a page. It answers pings while `answers_pings` is true."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.answers_pings = True
        self.pings: list[int] = []

    def send(self, **frame: Any) -> None:
        self.socket.send(json.dumps(frame))

    def read_frame(self, within: float = TIMEOUT_SECONDS) -> Frame:
        """Return the next frame that is not a ping."""
        while True:
            frame: Frame = json.loads(self.socket.recv(within))
            if frame["type"] != "ping":
                return frame
            if self.answers_pings:
                self.send(type="pong", n=frame["n"])
            else:
                self.pings.append(frame["n"])

    def read_until(self, kind: str, within: float = TIMEOUT_SECONDS) -> list[Frame]:
        """Return all frames up to the first of a type, and that one."""
        deadline = time.monotonic() + within
        frames: list[Frame] = []
        while not frames or frames[-1]["type"] != kind:
            frames.append(self.read_frame(max(0.0, deadline - time.monotonic())))
        return frames

    def follow(self, stream: Stream, after: int | None = None) -> None:
        cursor = {} if after is None else {"after": after}
        self.send(type="follow", stream=str(stream.uuid), **cursor)

    def is_quiet(self) -> bool:
        """Send a ping. Return whether its pong is the next frame."""
        self.send(type="ping", n=99)
        return self.read_frame() == {"type": "pong", "n": 99}

    def wait_for_close(self, within: float = TIMEOUT_SECONDS) -> int:
        """Skip all frames. Return the code with which the server closes."""
        with suppress(ConnectionClosed):
            while self.socket.recv(within):
                pass
        code = self.socket.close_code
        assert code is not None
        return code


OpenTab = Callable[..., SocketTab]


@pytest.fixture
def open_tab(web: Web) -> Iterator[OpenTab]:
    """`open_tab(owner)` opens a socket of a person or session and reads `hello`. Without an
    argument the socket is anonymous."""
    with ExitStack() as stack:

        def make(user: User | str = "", *, reads_hello: bool = True, **options: Any) -> SocketTab:
            session = create_session_key(user) if isinstance(user, User) else user
            headers = {"Cookie": f"sessionid={session}"} if session else {}
            options.setdefault("origin", web.url)
            socket = connect(
                web.url.replace("http", "ws") + "/ws/",
                additional_headers=headers,
                proxy=None,
                max_size=None,
                **options,
            )
            tab = SocketTab(stack.enter_context(socket))
            if user and reads_hello:
                assert tab.read_frame()["type"] == "hello"
            return tab

        yield make


def create_three_chunks(owner: User) -> Stream:
    stream = start_stream(owner)
    append_chunks(stream, "a\N{WATER WAVE}", (Kind.REASONING, "hm"), "c")
    return stream


# Connecting


def test_an_anonymous_client_is_closed_as_signed_out_after_the_handshake(open_tab: OpenTab) -> None:
    assert open_tab().wait_for_close() == 4401


def test_a_session_without_a_user_is_closed_as_signed_out(open_tab: OpenTab, owner: User) -> None:
    owner.is_active = False
    owner.save()
    assert open_tab(owner, reads_hello=False).wait_for_close() == 4401


def test_signing_out_all_others_closes_a_socket_whose_session_has_no_record(
    open_tab: OpenTab, web: Web, owner: User
) -> None:
    session = create_session_key(owner)
    mine, thief = open_tab(session), open_tab(owner)
    token = "a" * 32
    cookies = {"sessionid": session, "csrftoken": token}
    with httpx2.Client(base_url=web.url, cookies=cookies, trust_env=False) as page:
        form = {"session": "others", "csrfmiddlewaretoken": token}
        answer = page.post("/settings/sessions/end/", data=form, headers={"Origin": web.url})
    assert thief.wait_for_close() == 4401
    # This session has another key now, with which its pages open their sockets again.
    assert mine.wait_for_close() == 4401
    assert open_tab(answer.cookies["sessionid"]).is_quiet()


def test_an_invalid_session_cookie_fails_alone_and_without_a_traceback(
    open_tab: OpenTab, web: Web, owner: User
) -> None:
    invalid_tabs = [open_tab('"\\000' + "a" * 31 + '"', reads_hello=False) for _ in range(10)]
    assert open_tab(owner).is_quiet()
    assert {tab.wait_for_close() for tab in invalid_tabs} == {4401}
    assert "Traceback" not in web.output_of_this_run()


class ScriptedConsumer(FollowConsumer):
    """A consumer for whose session the database gives these answers, one after the other."""

    def __init__(self, *answers: object) -> None:
        super().__init__()
        self.answers = list(answers)
        self.close_codes: list[int] = []

    async def load_user_or_error(self) -> Any:
        return self.answers.pop(0)

    def schedule_close(self, code: int) -> None:
        self.close_codes.append(code)


async def test_a_session_that_ended_during_an_outage_closes_its_socket_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session_holder, "SESSION_RECHECK_SECONDS", 0)
    outage = OperationalError("the server is starting up")
    socket = ScriptedConsumer(outage, outage, outage, None)
    assert await socket.check_session(), "an outage signs out nobody"
    recheck = socket._recheck_task
    assert recheck is not None
    await asyncio.wait_for(recheck, TIMEOUT_SECONDS)
    assert socket.close_codes == [frames.CLOSE_SIGNED_OUT]
    assert not socket.answers


async def test_a_socket_closes_when_its_session_cannot_be_checked() -> None:
    socket = ScriptedConsumer(DataError("no key of ours"))
    assert not await socket.check_session()
    assert socket.close_codes == [frames.CLOSE_INTERNAL_ERROR]
    assert socket._recheck_task is None


FOREIGN_ORIGINS = [
    "https://evil.example",
    "http://127.0.0.1",
    "http://127.0.0.1:1",
    "http://localhost",
]
SIMILAR_ORIGINS = [
    "{url}.evil.example",
    "{url}@evil.example",
    "http://evil.example/{url}",
    "{url}0",
]


@pytest.mark.parametrize(
    "origin", [None, "null", "", "file://", *FOREIGN_ORIGINS, *SIMILAR_ORIGINS]
)
def test_only_our_own_pages_may_open_a_socket(
    open_tab: OpenTab, web: Web, owner: User, origin: str | None
) -> None:
    if origin is not None:
        origin = origin.format(url=web.url)
    with pytest.raises(InvalidStatus) as refused:
        open_tab(owner, origin=origin)
    assert refused.value.response.status_code in (403, 400)  # Daphne's own, if it is no URL


# Frames of a client


def test_the_greeting_has_the_revision_and_is_repeated_on_request(
    open_tab: OpenTab, owner: User
) -> None:
    tab = open_tab(owner, reads_hello=False)
    assert tab.read_frame() == {"type": "hello", "version": 1, "revision": 0}
    changes.bump_revision(owner.pk)
    tab.send(type="hello")
    assert tab.read_frame() == {"type": "hello", "version": 1, "revision": 1}


def test_a_ping_is_answered_with_its_number(open_tab: OpenTab, owner: User) -> None:
    tab = open_tab(owner)
    tab.send(type="ping", n=12345)
    assert tab.read_frame() == {"type": "pong", "n": 12345}


def test_following_replays_and_then_continues_live_to_the_end(
    open_tab: OpenTab, owner: User
) -> None:
    stream = create_three_chunks(owner)
    tab = open_tab(owner)
    tab.follow(stream)
    name = str(stream.uuid)
    text = {"type": "chunk", "stream": name, "kind": "text"}
    assert tab.read_until("state") == [
        {**text, "first": 0, "index": 0, "delta": "a\N{WATER WAVE}", "offset": 0},
        {**text, "first": 1, "index": 1, "kind": "reasoning", "delta": "hm", "offset": 0},
        {**text, "first": 2, "index": 2, "delta": "c", "offset": 2},
        {"type": "state", "stream": name, "state": "running", "note": ""},
    ]
    append_chunks(stream, "d")
    assert tab.read_frame() == {**text, "first": 3, "index": 3, "delta": "d", "offset": 3}
    end_stream(stream)
    assert tab.read_frame() == {
        "type": "end",
        "stream": name,
        "state": "completed",
        "next": 4,
        "finish_reason": "stop",
        "error": None,
    }
    assert tab.is_quiet()


def test_one_socket_follows_many_streams(open_tab: OpenTab, owner: User) -> None:
    streams = [create_three_chunks(owner) for _ in range(5)]
    for stream in streams:
        end_stream(stream)
    tab = open_tab(owner)
    for stream in streams:
        tab.follow(stream, 1)
    frames = [frame for _ in streams for frame in tab.read_until("end")]
    assert Counter((f["stream"], f["type"]) for f in frames) == Counter(
        (str(stream.uuid), kind) for stream in streams for kind in ("chunk", "end")
    )


@pytest.mark.parametrize(("after", "first"), [(None, 0), (-1, 0), (0, 1), (1, 2)])
def test_following_continues_after_the_cursor(
    open_tab: OpenTab, owner: User, after: int | None, first: int
) -> None:
    tab = open_tab(owner)
    tab.follow(create_three_chunks(owner), after)
    assert tab.read_frame()["first"] == first


def test_a_cursor_from_the_future_gets_a_snapshot(open_tab: OpenTab, owner: User) -> None:
    stream = create_three_chunks(owner)
    tab = open_tab(owner)
    tab.follow(stream, 2**53 - 1)
    assert tab.read_frame() == {
        "type": "snapshot",
        "stream": str(stream.uuid),
        "index": 2,
        "text": "a\N{WATER WAVE}c",
        "reasoning": "hm",
        "seams": [],
    }


def test_following_again_moves_the_cursor(open_tab: OpenTab, owner: User) -> None:
    stream = create_three_chunks(owner)
    tab = open_tab(owner)
    tab.follow(stream)
    tab.read_until("state")
    tab.follow(stream, 1)
    assert [frame.get("first") for frame in tab.read_until("state")] == [2, None]
    end_stream(stream)
    assert tab.read_frame()["type"] == "end"
    assert tab.is_quiet()  # only the second one continues


def test_an_unfollowed_stream_sends_no_more_frames(open_tab: OpenTab, owner: User) -> None:
    left, remaining = create_three_chunks(owner), create_three_chunks(owner)
    tab = open_tab(owner)
    for stream in (left, remaining):
        tab.follow(stream, 2)
        tab.read_until("state")
    tab.send(type="unfollow", stream=str(left.uuid))
    tab.send(type="unfollow", stream=str(left.uuid))
    tab.send(type="unfollow", stream=str(uuid4()))
    assert tab.is_quiet()
    end_stream(left)
    end_stream(remaining)
    assert tab.read_frame()["stream"] == str(remaining.uuid)
    assert tab.is_quiet()


def test_a_stop_ends_the_stream_and_a_second_one_has_no_effect(
    open_tab: OpenTab, owner: User
) -> None:
    stream = start_stream(owner, source="chat", message=str(uuid4()))
    tab, other = open_tab(owner), open_tab(owner)
    other.follow(stream)
    for _ in range(2):
        tab.send(type="stop", stream=str(stream.uuid))
        assert tab.is_quiet()
    assert reload_stream(stream).state == State.STOPPED
    assert other.read_until("end")[-1]["state"] == "stopped"


def test_closing_a_socket_stops_no_stream(open_tab: OpenTab, owner: User) -> None:
    stream = create_three_chunks(owner)
    tab = open_tab(owner)
    tab.follow(stream)
    tab.read_until("state")
    tab.socket.close()
    append_chunks(stream, "and on")
    assert reload_stream(stream).state == State.RUNNING


def test_every_message_of_a_client_is_in_the_table_of_access() -> None:
    tree = ast.parse(Path(protocol.__file__).read_text())
    patterns = [node.pattern for node in ast.walk(tree) if isinstance(node, ast.match_case)]
    values = [pattern.value for pattern in patterns if isinstance(pattern, ast.MatchValue)]
    names = {value.value for value in values if isinstance(value, ast.Constant)}
    assert names == {*ENGINE_COMMANDS}
    assert names | {*list_commands()} == set(SOCKET_MESSAGES)


@pytest.mark.parametrize("is_staff", [False, True], ids=["stranger", "staff"])
@pytest.mark.parametrize("name", SOCKET_MESSAGES)
def test_foreign_things_look_like_those_that_do_not_exist(
    open_tab: OpenTab, owner: User, stranger: User, name: str, is_staff: bool
) -> None:
    User.objects.filter(pk=owner.pk).update(is_staff=is_staff)
    stream, reply = create_three_chunks(stranger), start_reply(stranger)
    theirs = {STREAM: stream.uuid, CONVERSATION: reply.conversation.pk, ANSWER: reply.answer.pk}
    tab = open_tab(owner)
    answers = [try_message(tab, name, ids) for ids in (theirs, dict.fromkeys(theirs, uuid4()))]
    assert answers[0] == answers[1]
    if name in REFUSED:
        assert answers[0][0]["code"] == "not_found"
    assert reload_stream(stream).state == State.RUNNING
    assert reply.conversation.messages.count() == 2


REFUSED = {"follow", "stop", "send", "continue"}


def try_message(tab: SocketTab, name: str, ids: dict[str, UUID]) -> list[Frame]:
    """Send a message that names these things. Return all that is answered, without the names."""
    places = {place: str(id) for place, id in ids.items()}
    fields = SOCKET_MESSAGES[name].items()
    tab.send(type=name, **{k: places.get(v, v) if isinstance(v, str) else v for k, v in fields})
    answers = [tab.read_frame()] if name in {*REFUSED, "ping"} else []
    tab.send(type="ping", n=99)
    answers += tab.read_until("pong")
    return [{k: v for k, v in frame.items() if k != "stream"} for frame in answers]


def test_a_stream_deleted_while_followed_is_reported_as_not_found(
    open_tab: OpenTab, owner: User
) -> None:
    stream = create_three_chunks(owner)
    tab = open_tab(owner)
    tab.follow(stream, 2)
    tab.read_until("state")
    journal.delete_streams([stream.pk])
    assert tab.read_frame()["code"] == "not_found"


def test_a_socket_follows_a_hundred_streams_and_no_more(open_tab: OpenTab, owner: User) -> None:
    streams = [queue_stream(owner) for _ in range(MAX_FOLLOWS + 1)]
    tab = open_tab(owner)
    for stream in streams[:-1]:
        tab.follow(stream)
        assert tab.read_frame()["state"] == "queued"
    tab.follow(streams[-1])
    refusal = tab.read_frame()
    assert (refusal["code"], refusal["stream"]) == ("too_many", str(streams[-1].uuid))
    tab.follow(streams[0])  # already followed
    assert tab.read_frame()["state"] == "queued"
    tab.send(type="unfollow", stream=str(streams[0].uuid))
    tab.follow(streams[-1])
    assert tab.read_frame()["state"] == "queued"


@on_redis
async def test_a_change_in_another_process_is_reported_at_once(
    open_tab: OpenTab, owner: User, colleague: User, hub: Hub
) -> None:
    tab = await asyncio.to_thread(open_tab, await run_in_db(create_session_key, owner))
    theirs = await asyncio.to_thread(open_tab, await run_in_db(create_session_key, colleague))
    assert hubs.get_hub() is hub
    await run_in_db(changes.bump_revision, owner.pk)
    assert await asyncio.to_thread(tab.read_frame, 5) == {"type": "changed", "revision": 1}
    await run_in_db(changes.bump_revision, owner.pk, "drafts")
    with_topic = {"type": "changed", "revision": 2, "topic": "drafts"}
    assert await asyncio.to_thread(tab.read_frame, 5) == with_topic
    assert await asyncio.to_thread(theirs.is_quiet)


# Malformed frames

INVALID_JSON = [
    "",
    " ",
    "{",
    "}",
    "null",
    "tru",
    "'",
    '"',
    "[1,]",
    "{'type':'hello'}",
    "\u2028",
    "\x00",
]
JSON_CONSTANTS = ["NaN", "Infinity", "-Infinity"]
UNUSUAL_VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    1e400,
    2**70,
    "",
    "x",
    "\ud800",
    [],
    {},
    [[]],
]


class BadFrames:
    """Builds frames that are invalid in different ways, with a fixed seed."""

    def __init__(self, foreign: list[str]) -> None:
        self._random = random.Random(20261122)
        self._foreign = foreign[0]
        # In turn: a repeated `follow` replaces the one before, and only one of them is answered.
        self._foreign_cycle = itertools.cycle(foreign)
        self._builders: list[Callable[[], str | bytes]] = [
            self._build_invalid_json,
            self._build_constant,
            self._build_truncated,
            self._build_nested,
            self._build_non_object,
            self._build_missing_type,
            self._build_unknown_type,
            self._build_bad_stream,
            self._build_bad_cursor,
            self._build_bad_number,
            self._build_foreign_stream,
            self._build_binary,
        ]

    def build_frame(self, number: int) -> str | bytes:
        """Build an invalid frame of each kind in turn, and one in 250 that is too large."""
        if number % 250 == 0:
            return self._build_too_large()
        return self._builders[number % len(self._builders)]()

    def _choose(self, *values: T) -> T:
        return self._random.choice(values)

    def _choose_wrong_value(self, *allowed: type) -> str:
        """Return a JSON value of none of the allowed types."""
        fitting = [value for value in UNUSUAL_VALUES if not isinstance(value, allowed)]
        return json.dumps(self._choose(*fitting)).replace("Infinity", "1e400")

    def _build_invalid_json(self) -> str:
        noise = "".join(
            self._random.choices('{}[]",:ab\\u0\n\x01é🌊', k=self._random.randint(1, 40))
        )
        return self._choose(*INVALID_JSON[:4], *INVALID_JSON[5:], "?" + noise)

    def _build_constant(self) -> str:
        return f'{{"type":"ping","n":{self._choose(*JSON_CONSTANTS)}}}'

    def _build_truncated(self) -> str:
        command = json.dumps({"type": "follow", "stream": self._foreign, "after": 7})
        return command[: self._random.randint(1, len(command) - 1)]

    def _build_nested(self) -> str:
        depth = self._random.choice([10, 900, 1100, 4_000])
        half = depth // 2
        return self._choose("[" * depth, "[" * half + "]" * half, '{"a":' * (depth // 6))

    def _build_non_object(self) -> str:
        return self._choose("null", "true", "7", '"hello"', '["hello"]', '"\\ud800"')

    def _build_missing_type(self) -> str:
        return self._choose("{}", '{"Type":"hello"}', f'{{"type":{self._choose_wrong_value(str)}}}')

    def _build_unknown_type(self) -> str:
        kind = self._choose("", "HELLO", "chunk", "\ud800", "__init__", "x" * 999)
        return json.dumps({"type": kind, "stream": self._foreign})

    def _build_bad_stream(self) -> str:
        kind = self._choose("follow", "unfollow", "stop")
        halves = '"' + "\\udc00" * 36 + '"'
        stream = self._choose(self._choose_wrong_value(), f'"{self._foreign[:-1]}"', halves, None)
        return f'{{"type":"{kind}"' + (f',"stream":{stream}}}' if stream else "}")

    def _build_bad_cursor(self) -> str:
        after = self._choose(self._choose_wrong_value(int), "-2", str(2**53), "1.0", "true", "-1e2")
        return f'{{"type":"follow","stream":"{uuid4()}","after":{after}}}'

    def _build_bad_number(self) -> str:
        number = self._choose(self._choose_wrong_value(int), "-1", str(2**53), "0.5", "true")
        return f'{{"type":"{self._choose("ping", "pong")}","n":{number}}}'

    def _build_foreign_stream(self) -> str:
        stream = self._choose(next(self._foreign_cycle), str(uuid4()))
        return json.dumps({"type": self._choose("follow", "stop"), "stream": stream})

    def _build_binary(self) -> bytes:
        return self._random.choice([b"", b'{"type":"hello"}', self._random.randbytes(50)])

    def _build_too_large(self) -> str:
        size = self._random.choice([MAX_FRAME_CHARS + 1, 10_000, MAX_FRAME_BYTES - 16])
        return self._choose("x" * size, '{"type":"hello"}' + " " * size, "[" * size)


def test_five_thousand_malformed_frames_get_an_error_each_and_do_no_harm(
    open_tab: OpenTab, owner: User, stranger: User
) -> None:
    """Ten people send them, because the commands of one would soon have to wait."""
    grammar = BadFrames([str(create_three_chunks(stranger).uuid) for _ in range(10)])
    people = [User.objects.create_user(f"person-{n}@holdfast.test") for n in range(9)]
    tabs = [open_tab(person) for person in (*people, owner)]
    for batch in range(200):
        tab = tabs[batch % len(tabs)]
        frames = [grammar.build_frame(batch * 25 + n) for n in range(25)]
        for frame in frames:
            tab.socket.send(frame)
        tab.send(type="ping", n=batch)
        answers = [tab.read_frame() for _ in range(len(frames) + 1)]
        errors = [answer for answer in answers if answer["type"] == "error"]
        assert {"type": "pong", "n": batch} in answers
        assert len(errors) == len(frames), frames
        assert all(error["code"] in ERROR_CODES and error["message"] for error in errors)
    assert tab.is_quiet()
    stream = create_three_chunks(owner)
    tab.follow(stream)
    assert tab.read_frame()["first"] == 0


ERROR_CODES = {
    "bad_json",
    "bad_frame",
    "unknown_type",
    "bad_cursor",
    "not_found",
    "too_large",
    "too_many",
}


# Slow clients


def create_long_reply(owner: User) -> Stream:
    stream = start_stream(owner)
    for n in range(24):
        append_chunks(stream, *(f"{n}:{m} ".ljust(MAX_CHUNK_CHARS, ".") for m in range(8)))
    end_stream(stream)
    return stream


def test_a_client_that_answers_no_ping_waits_and_does_not_slow_others(
    open_tab: OpenTab, owner: User
) -> None:
    stream = create_long_reply(owner)
    text = journal.read_text(stream.pk).content
    silent, responsive = open_tab(owner), open_tab(owner)
    silent.answers_pings = False
    silent.follow(stream)
    responsive.follow(stream)
    assert join_frames(responsive.read_until("end")) == text
    silent.send(type="ping", n=1)  # commands are still answered
    frames = silent.read_until("pong")
    received_bytes = sum(len(json.dumps(frame).encode()) for frame in frames)
    assert MAX_UNACKED_BYTES <= received_bytes <= MAX_UNACKED_BYTES + 2 * MAX_CHUNK_CHARS
    assert silent.is_quiet()
    for ping in silent.pings:
        silent.send(type="pong", n=ping)
    silent.answers_pings = True
    assert join_frames(frames + silent.read_until("end")) == text


def join_frames(frames: list[Frame]) -> str:
    return "".join(frame["delta"] for frame in frames if frame["type"] == "chunk")


def test_an_unrequested_pong_adds_no_send_window(open_tab: OpenTab, owner: User) -> None:
    silent, responsive = open_tab(owner), open_tab(owner)
    silent.answers_pings = False
    stream = create_long_reply(owner)
    for tab in (silent, responsive):
        tab.follow(stream)
    responsive.read_until("end")
    silent.is_quiet()
    for n in (0, 1000, 2**53 - 1):
        silent.send(type="pong", n=n)
    silent.send(type="ping", n=1)
    frames = silent.read_until("pong") + silent.read_until("pong")
    assert len(join_frames(frames)) <= MAX_UNACKED_BYTES + MAX_CHUNK_CHARS


async def test_freed_send_window_goes_to_one_waiter_only() -> None:
    credit = SendWindow()
    credit.sent_bytes += MAX_UNACKED_BYTES

    async def send() -> None:
        await credit.wait_for_space()
        credit.sent_bytes += MAX_UNACKED_BYTES

    waiting = [asyncio.create_task(send()) for _ in range(3)]
    for left in (2, 1, 0):
        await asyncio.sleep(0)
        credit.record_pong(credit.record_ping())
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        waiting = [task for task in waiting if not task.done()]
        assert (len(waiting), credit.sent_bytes) == (left, credit.limit_bytes)


def test_a_client_that_never_acknowledges_answers_is_closed(open_tab: OpenTab, owner: User) -> None:
    tab, sent = open_tab(owner), 0
    tab.follow(create_long_reply(owner))  # uses up the bytes for which a stream need not wait

    def send_many() -> None:
        with suppress(ConnectionClosed):
            for _ in range(16_000):
                tab.send(type="follow", stream=str(uuid4()), after="one answer of 150 bytes")

    # Read at the same time. One second after its close frame the server drops the connection, and
    # unread frames are lost.
    sending = Thread(target=send_many)
    sending.start()
    with suppress(ConnectionClosed):
        while True:
            sent += len(tab.socket.recv(TIMEOUT_SECONDS))
    sending.join()
    assert tab.socket.close_code == 4008
    assert MAX_UNACKED_BYTES < sent < 2 * MAX_UNACKED_BYTES + MAX_CHUNK_CHARS


def test_a_frame_costs_a_token_and_a_pause_earns_others(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(flow_control, "time", SimpleNamespace(monotonic=lambda: now[0]))
    budget = flow_control.FrameBudget()
    assert all(budget.try_consume() for _ in range(400))
    assert not budget.try_consume()
    now[0] += 1
    allowed = sum(budget.try_consume() for _ in range(100))
    assert allowed == 20
    budget.give_back()
    assert budget.try_consume()
    now[0] += 3600
    assert sum(budget.try_consume() for _ in range(1_000)) == 400


def test_only_the_first_pong_to_a_ping_is_expected() -> None:
    window = flow_control.SendWindow()
    ping = window.record_ping()
    assert [window.record_pong(n) for n in (ping, ping, 99)] == [True, False, False]


def test_sockets_of_the_same_second_share_a_heartbeat() -> None:
    moments = [at + seconds_until_check(at) for at in (7.0, 7.001, 7.5, 7.999, 8.0)]
    assert moments == pytest.approx([7 + SESSION_CHECK_SECONDS] * 4 + [8 + SESSION_CHECK_SECONDS])


@pytest.mark.prove
@pytest.mark.timeout(120)
def test_a_client_silent_for_half_a_minute_is_closed(open_tab: OpenTab, owner: User) -> None:
    silent = open_tab(owner)
    silent.answers_pings = False
    silent.follow(create_long_reply(owner))
    assert silent.wait_for_close(60) == 4008


def get_drop_delay(stream: Stream) -> float | None:
    """The function that STREAMING_SIMULATED_DROP names in tests."""
    return 0.5 if stream.arguments.get("drop") else None


def test_an_application_says_which_sockets_drop_and_where_a_revision_stands(
    owner: User, settings: Any
) -> None:
    settings.STREAMING_SIMULATED_DROP = f"{__name__}.get_drop_delay"
    stream = queue_stream(owner, drop=True)
    assert hooks.get_simulated_drop(stream) == 0.5
    assert hooks.get_simulated_drop(queue_stream(owner)) is None
    finished = start_stream(owner, drop=True)
    end_stream(finished)
    assert hooks.get_simulated_drop(reload_stream(finished)) is None, (
        "an ended stream is not dropped"
    )
    settings.STREAMING_SIMULATED_DROP = ""
    assert hooks.get_simulated_drop(stream) is None
    assert hooks.get_revision(owner) == owner.revision
    settings.STREAMING_USER_REVISION_FIELD = ""
    assert hooks.get_revision(owner) == 0
