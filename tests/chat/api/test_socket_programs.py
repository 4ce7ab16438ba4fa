"""Programs at the socket: one by hand, and examples/holdfast_client.py, whose connection is cut."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker
from websockets.sync.client import ClientConnection, connect

from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.models import Message
from examples import holdfast_client
from examples.holdfast_client import Holdfast, Refused, SoFar
from streaming.doors.websocket.protocol import MAX_FRAME_CHARS
from streaming.models import Stream
from tests.accounts.raw_server import send_document, serve
from tests.chat.factories import QUESTION
from tests.examples.cutting_line import CuttingLine
from tests.factories import create_session_key
from tests.streaming.conftest import run_web
from tests.streaming.factories import append_chunks, claim_stream, end_stream, register_worker
from tools.deployment.deployment import Web

pytestmark = pytest.mark.django_db(transaction=True)

Frame = dict[str, Any]
CUTS = 20
PIECES = [f"word {number}, " for number in range(30)]


@pytest.fixture(scope="module", params=["uvicorn", pytest.param("daphne", marks=pytest.mark.prove)])
def web(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Web]:
    with run_web(request, request.param) as web:
        yield web


@pytest.fixture
def token(owner: User) -> str:
    return create_token(owner, "Program", [Scope.WRITE], None)[1]


# By hand


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


def test_a_program_sends_follows_stops_and_continues(open_socket: Open, token: str) -> None:
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


def test_a_page_of_ours_sends_with_its_session(open_socket: Open, web: Web, owner: User) -> None:
    cookie = {"Cookie": f"sessionid={create_session_key(owner)}"}
    socket = open_socket(cookie, origin=web.url)
    answer = exchange(socket, "send", request="a", text=QUESTION, model="demo")
    assert answer["type"] == "reply"


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


def test_commands_of_a_socket_are_answered_in_order(open_socket: Open, token: str) -> None:
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


# The example


@pytest.fixture(autouse=True)
def reconnect_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdfast_client, "PAUSE_SECONDS", 0.01)


def write(stream: str, pieces: list[str], *, ends: bool = True) -> None:
    try:
        row = claim_stream(Stream.objects.get(uuid=stream), register_worker())
        for piece in pieces:
            append_chunks(row, piece)
        if ends:
            end_stream(row)
    finally:
        connections.close_all()  # this is a thread of its own


async def read(holdfast: Holdfast, stream: str) -> SoFar:
    """Follow it to its end. Each text must continue the one before."""
    before, last = "", SoFar()
    async for last in holdfast.follow(stream):
        assert last.text.startswith(before)
        before = last.text
    return last


def test_the_client_asks_again_if_the_answer_to_a_long_message_is_cut() -> None:
    made = {name: {"id": name} for name in ("conversation", "question")}
    body = json.dumps(made | {"answer": {"id": "answer", "stream": {"id": "stream"}}}).encode()
    whole = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
    whole += b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    cuts = [0, 5, whole.index(b"\r\n") + 2, whole.index(b"Content-Length"), len(whole) - 1]
    refusal = b"HTTP/1.1 422 No\r\nContent-Type: application/problem+json\r\n"
    parts = [refusal, *(whole[:cut] for cut in cuts), whole]
    with serve(lambda connection: connection.sendall(parts.pop(0))) as server:
        ids = asyncio.run(Holdfast(f"http://{server.host}:{server.port}", "hft_").send("a" * 5_000))
    assert ids == {
        "conversation": "conversation",
        "question": "question",
        "answer": "answer",
        "message": "answer",
        "stream": "stream",
    }
    assert len(server.requests) == len(cuts) + 2


def test_the_client_reports_a_refusal_that_is_no_problem_document() -> None:
    with serve(send_document(b"<p>Too long</p>", "413 Content Too Large")) as server:
        client = Holdfast(f"http://{server.host}:{server.port}", "hft_")
        with pytest.raises(Refused, match="413") as refused:
            asyncio.run(client.send("a" * 5_000))
    assert refused.value.code == "refused"


def test_the_client_has_at_most_150_lines() -> None:
    assert len(Path(holdfast_client.__file__).read_text().splitlines()) <= 150


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.prove) for seed in range(2, 12))]
)
def test_a_reply_arrives_whole_over_a_connection_that_is_cut_at_20_places(
    web: Web, token: str, seed: int
) -> None:
    async def ask(holdfast: Holdfast, line: CuttingLine) -> SoFar:
        reply = await holdfast.send("Why do tides lag the moon?", model="demo")
        writing = asyncio.create_task(asyncio.to_thread(write, reply["stream"], PIECES))
        so_far = await read(holdfast, reply["stream"])
        await writing
        while line.cuts < CUTS:
            assert (await read(holdfast, reply["stream"])).text == so_far.text
        return so_far

    with CuttingLine(web.port, seed, CUTS) as line:
        so_far = asyncio.run(ask(Holdfast(line.url, token), line))
    assert so_far.text == "".join(PIECES)
    assert so_far.end is not None
    assert (so_far.end["state"], so_far.cursor) == ("completed", len(PIECES) - 1)
    assert Message.objects.count() == 2


def test_a_stop_and_a_continuation_have_one_effect_over_such_a_connection(
    web: Web, token: str
) -> None:
    async def stop_and_continue(holdfast: Holdfast) -> tuple[str, SoFar]:
        reply = await holdfast.send("Why do tides lag the moon?", model="demo")
        await asyncio.to_thread(write, reply["stream"], ["The ", "moon "], ends=False)
        await holdfast.stop(reply["stream"])
        stopped = await read(holdfast, reply["stream"])
        assert stopped.end is not None
        assert stopped.end["state"] == "stopped"
        again = await holdfast.continue_reply(reply["message"])
        assert again["message"] == reply["message"]
        await asyncio.to_thread(write, again["stream"], ["pulls", "."])
        more = await holdfast.send("And the sun?", conversation=reply["conversation"])
        assert more["conversation"] == reply["conversation"]
        return stopped.text, await read(holdfast, again["stream"])

    with CuttingLine(web.port, seed=3) as line:
        stopped, continued = asyncio.run(stop_and_continue(Holdfast(line.url, token)))
        assert line.cuts > 3
    assert (stopped, continued.text) == ("The moon ", "The moon pulls.")
    assert (Stream.objects.count(), Message.objects.count()) == (3, 4)


def test_a_text_that_is_too_long_for_a_frame_is_sent_once_over_such_a_connection(
    web: Web, token: str
) -> None:
    text = "Why do tides lag the moon? \N{WATER WAVE} " * 1_000

    async def ask(holdfast: Holdfast) -> tuple[Frame, Frame]:
        first = await holdfast.send(text, model="demo")
        return first, await holdfast.send(text, conversation=first["conversation"])

    with CuttingLine(web.port, seed=5) as line:
        first, second = asyncio.run(ask(Holdfast(line.url, token)))
        assert line.cuts > 0
    assert first["conversation"] == second["conversation"]
    questions = Message.objects.filter(role=Message.Role.USER)
    assert {str(row.pk) for row in questions} == {first["question"], second["question"]}
    assert {row.content for row in questions} == {text}
    answers = Message.objects.filter(role=Message.Role.ASSISTANT).select_related("stream")
    assert {(str(row.pk), str(row.stream and row.stream.uuid)) for row in answers} == {
        (first["message"], first["stream"]),
        (second["message"], second["stream"]),
    }


async def send_in_time(holdfast: Holdfast, text: str) -> Frame:
    return await asyncio.wait_for(holdfast.send(text, model="demo"), 10)


def test_the_client_gives_up_where_trying_again_is_useless(
    web: Web, owner: User, token: str
) -> None:
    async def find_code(call: Awaitable[object]) -> str:
        with pytest.raises(Refused) as refused:
            await call
        return refused.value.code

    def find(call: Callable[[Holdfast], Awaitable[object]], with_token: str = token) -> str:
        return asyncio.run(find_code(call(Holdfast(web.url, with_token))))

    nothing = str(uuid4())
    reader = create_token(owner, "Reader", [Scope.READ], None)[1]
    assert find(lambda it: it.send("Why?", model="no-such")) == "unknown_model"
    long = "x" * 5_000
    assert find(lambda it: it.send(long, model="no-such")) == "unknown_model"
    assert find(lambda it: it.send(long, conversation=nothing)) == "not_found"
    assert find(lambda it: it.send(long, model="demo"), reader) == "missing_right"
    for half, code in (("a\ud800", "bad_frame"), ("a\ud800" * 5_000, "invalid")):
        assert find(partial(send_in_time, text=half)) == code
    gateway = create_token(owner, "Gateway", [Scope.GATEWAY], None)[1]
    assert find(lambda it: read(it, nothing), gateway) == "missing_right"
    assert find(lambda it: read(it, nothing)) == "not_found"
    assert find(lambda it: it.stop(nothing)) == "not_found"
    assert find(lambda it: it.continue_reply(nothing)) == "not_found"
    assert find(lambda it: it.send("Why?", model="demo"), reader) == "missing_right"
    assert find(lambda it: read(it, nothing), "hft_" + "a" * 43) == "signed_out"
