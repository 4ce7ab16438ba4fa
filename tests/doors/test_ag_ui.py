"""AG-UI: what each request gets, and that a client which comes back has each character once.
tests/clients/test_runs.py tries the stock client."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.conversations.deletion import delete
from chat.doors.ag_ui import views
from chat.doors.registry import starts_reply
from chat.models import ClientThread, Conversation
from streaming import journal
from streaming.events import Finish
from streaming.follow import MAX_SNAPSHOT_CHARS
from streaming.lifecycle import Ending
from streaming.models import Kind, State, Stream
from tests.chat.api.conftest import Program, create_program
from tests.doors.streamed import SentEvent, StreamedAnswer, send
from tests.factories import Piece
from tests.streaming.factories import (
    append_chunks,
    claim_stream,
    end_stream,
    register_worker,
    reload_stream,
)
from tools.deployment.deployment import Web

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/api/ag-ui/"
PIECES = ["Tides \N{WATER WAVE}", " come\r\n", "twice a", " day.\u2028"]
TEXT = "".join(PIECES)
USER = {"id": "u1", "role": "user", "content": "Why do tides come twice a day?"}


@pytest.fixture
def program(owner: User) -> Program:
    return create_program(owner)


@pytest.fixture
def token(owner: User) -> str:
    return create_token(owner, "AG-UI", [Scope.WRITE], None)[1]


def build_input(run: str = "run 1", **changes: Any) -> dict[str, Any]:
    """The input that the stock client sends."""
    empty: dict[str, Any] = {"state": {}, "tools": [], "context": []}
    names = {"threadId": "my thread \N{WATER WAVE}", "runId": run, "protocolVersion": "1.0"}
    return empty | names | {"messages": [USER], "forwardedProps": {"model": "demo-fast"}} | changes


class Reader:
    """Applies events as the rules of the protocol say, and refuses what they forbid."""

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.names: list[str] = []
        self.last: dict[str, Any] = {}
        self._open: set[str] = set()

    def apply(self, event: SentEvent) -> None:
        data, kind = event.data, event.data["type"]
        assert (kind == "RUN_STARTED") == (self.names == [])
        assert not self.names or self.names[-1] not in ("RUN_FINISHED", "RUN_ERROR")
        if not self.names or self.names[-1] != kind:
            self.names.append(kind)
        self.last = data
        if kind == "MESSAGES_SNAPSHOT":
            self.messages = {one["id"]: dict(one) for one in data["messages"]}
        elif kind.endswith("_START"):
            assert self._name(data) not in self._open
            self._open.add(self._name(data))
            if "role" in data:
                fresh = {"id": data["messageId"], "role": data["role"], "content": ""}
                self.messages.setdefault(data["messageId"], fresh)
        elif kind.endswith("_CONTENT"):
            assert self._name(data) in self._open
            assert data["delta"]
            self.messages[data["messageId"]]["content"] += data["delta"]
        elif kind.endswith("_END"):
            self._open.remove(self._name(data))
        elif kind in ("RUN_FINISHED", "RUN_ERROR"):
            assert self._open == set()

    @staticmethod
    def _name(data: dict[str, Any]) -> str:
        return f"{data['type'].rpartition('_')[0]} {data['messageId']}"

    def read(self, answer: StreamedAnswer) -> Reader:
        assert answer.status == 200
        for event in answer.read_events():
            self.apply(event)
        return self

    def list_messages(self) -> list[tuple[str, str]]:
        return [(one["role"], one["content"]) for one in self.messages.values()]

    def get_text(self) -> str:
        return self.list_messages()[-1][1]


def run_to_end(web: Web, token: str, body: dict[str, Any]) -> Reader:
    with send(web.port, "POST", PATH, token, body) as answer:
        reader = Reader().read(answer)
        assert not answer.is_broken
        return reader


def start(web: Web, token: str, body: dict[str, Any]) -> Stream:
    """Start a run, and go away."""
    with send(web.port, "POST", PATH, token, body) as answer:
        started = next(answer.read_events())
        assert started.data["type"] == "RUN_STARTED"
    return claim_stream(Stream.objects.order_by("-id")[0], register_worker())


def test_a_run_from_its_request_to_its_end(web: Web, token: str) -> None:
    reader = Reader()
    with send(web.port, "POST", PATH, token, build_input()) as answer:
        events = answer.read_events()
        reader.apply(next(events))
        stream = claim_stream(Stream.objects.get(), register_worker())
        append_chunks(stream, (Kind.REASONING, "hm"), *PIECES[:2])
        append_chunks(stream, (Kind.SEAM, ""), *PIECES[2:])
        end_stream(stream, Ending.from_finish(Finish("stop", {"input": 11, "output": 7})))
        for event in events:
            reader.apply(event)
        assert not answer.is_broken
    assert reader.list_messages() == [("reasoning", "hm"), ("assistant", TEXT)]
    assert reader.names == [
        *("RUN_STARTED", "CUSTOM", "REASONING_START", "REASONING_MESSAGE_START"),
        *("REASONING_MESSAGE_CONTENT", "REASONING_MESSAGE_END", "REASONING_END"),
        *("TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "RUN_FINISHED"),
    ]
    assert (reader.last["runId"], reader.last["outcome"]) == ("run 1", {"type": "success"})
    usage = {"provider": "demo", "model": "demo-fast", "inputTokens": 11, "outputTokens": 7}
    assert reader.last["usage"] == [usage]


def test_a_client_that_comes_back_at_any_time_has_each_character_once(web: Web, token: str) -> None:
    stream = start(web, token, build_input())
    pieces: list[Piece] = [(Kind.REASONING, "hm"), *PIECES]
    for at, piece in enumerate(pieces):
        append_chunks(stream, piece)
        body = build_input(messages=[USER, {"id": "a", "role": "assistant", "content": "Ti"}])
        with send(web.port, "POST", PATH, token, body) as answer:
            reader, events = Reader(), answer.read_events()
            while "MESSAGES_SNAPSHOT" not in reader.names:
                reader.apply(next(events))
        expected = [("assistant", "".join(PIECES[:at]))] if at else []
        assert reader.list_messages() == [
            ("user", USER["content"]),
            ("reasoning", "hm"),
            *expected,
        ]
    with send(web.port, "POST", PATH, token, build_input()) as answer:
        reader, events = Reader(), answer.read_events()
        while "TEXT_MESSAGE_START" not in reader.names:
            reader.apply(next(events))
        append_chunks(stream, " And more.")
        end_stream(stream)
        for event in events:
            reader.apply(event)
    assert reader.get_text() == TEXT + " And more."
    assert reader.names[-3:] == ["TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "RUN_FINISHED"]


@pytest.mark.parametrize("is_folded", [False, True])
def test_an_ended_run_is_told_whole(web: Web, token: str, is_folded: bool) -> None:
    stream = start(web, token, build_input())
    append_chunks(stream, *PIECES)
    end_stream(stream)
    if is_folded:
        journal.fold_chunks(stream.pk)
    reader = run_to_end(web, token, build_input())
    assert reader.list_messages() == [("user", USER["content"]), ("assistant", TEXT)]
    assert reader.names == ["RUN_STARTED", "CUSTOM", "MESSAGES_SNAPSHOT", "RUN_FINISHED"]


@pytest.mark.parametrize("state", ["running", "ended", "folded"])
def test_a_long_text_follows_its_beginning_in_pieces(web: Web, token: str, state: str) -> None:
    """No more than the beginning is kept for a client that does not read."""
    stream = start(web, token, build_input())
    pieces = [f"{number} \N{WATER WAVE}" * 1_000 for number in range(100)]
    append_chunks(stream, (Kind.REASONING, "hm"), *pieces)
    if state != "running":
        end_stream(stream)
    if state == "folded":
        journal.fold_chunks(stream.pk)
    with send(web.port, "POST", PATH, token, build_input()) as answer:
        reader, events = Reader(), answer.read_events()
        while "MESSAGES_SNAPSHOT" not in reader.names:
            reader.apply(next(events))
        assert 0 < len(reader.get_text()) <= MAX_SNAPSHOT_CHARS
        if state == "running":
            append_chunks(stream, "The end.")
            end_stream(stream)
        for event in events:
            reader.apply(event)
        assert not answer.is_broken
    more = "The end." if state == "running" else ""
    assert reader.list_messages()[1:] == [
        ("reasoning", "hm"),
        ("assistant", "".join(pieces) + more),
    ]


def test_a_client_without_any_memory_gets_the_last_run_of_its_thread(web: Web, token: str) -> None:
    stream = start(web, token, build_input())
    append_chunks(stream, *PIECES)
    end_stream(stream)
    reader = run_to_end(web, token, build_input("another", messages=[]))
    assert reader.last["runId"] == "another"
    assert reader.get_text() == TEXT
    assert Stream.objects.count() == 1


def test_the_next_message_follows_in_the_thread(web: Web, token: str, owner: User) -> None:
    stream = start(web, token, build_input())
    append_chunks(stream, *PIECES)
    end_stream(stream)
    messages = [
        {"role": "system", "content": "Be brief.", "id": "s"},
        USER,
        {"role": "reasoning", "content": "hm", "id": "r"},
        {"role": "assistant", "content": TEXT, "id": stream.arguments["message"]},
        {"role": "user", "content": [{"type": "text", "text": "And then?"}], "id": "u2"},
    ]
    more = start(web, token, build_input("run 2", messages=messages, forwardedProps={}))
    chat = Conversation.objects.get(user=owner)
    assert (chat.messages.count(), chat.system_prompt, chat.model) == (4, "Be brief.", "demo-fast")
    end_stream(more)


def test_a_stopped_run_keeps_its_text(web: Web, token: str) -> None:
    stream = start(web, token, build_input())
    append_chunks(stream, "Half a")
    for _ in range(2):
        reader = run_to_end(web, token, build_input(forwardedProps={"stop": True}))
        assert (reader.last["type"], reader.last["outcome"]) == (
            "RUN_FINISHED",
            {"type": "cancelled"},
        )
        assert reader.get_text() == "Half a"
    assert reload_stream(stream).state == State.STOPPED


def test_a_failed_run_says_why(web: Web, token: str) -> None:
    stream = start(web, token, build_input())
    append_chunks(stream, "Half a")
    end_stream(stream, Ending(State.FAILED, error_class="rate_limited", error="Too many."))
    reader = run_to_end(web, token, build_input())
    error = {"type": "RUN_ERROR", "message": "Too many.", "code": "rate_limited"}
    assert reader.last == error
    assert reader.get_text() == "Half a"


def test_text_that_turns_out_to_be_reasoning_is_corrected_at_the_end(web: Web, token: str) -> None:
    stream = start(web, token, build_input())
    with send(web.port, "POST", PATH, token, build_input()) as answer:
        reader, events = Reader(), answer.read_events()
        while "MESSAGES_SNAPSHOT" not in reader.names:
            reader.apply(next(events))
        append_chunks(stream, "I think.", "\ufdd0", "Yes.")
        end_stream(stream)
        for event in events:
            reader.apply(event)
    assert reader.list_messages()[1:] == [("reasoning", "I think."), ("assistant", "Yes.")]


def test_text_before_a_snapshot_is_corrected_at_the_end(web: Web, token: str) -> None:
    stream = start(web, token, build_input())
    append_chunks(stream, "I think.", "\ufdd0", "Y")
    with send(web.port, "POST", PATH, token, build_input()) as answer:
        reader, events = Reader(), answer.read_events()
        while "MESSAGES_SNAPSHOT" not in reader.names:
            reader.apply(next(events))
        append_chunks(stream, "es.")
        end_stream(stream)
        for event in events:
            reader.apply(event)
    assert reader.list_messages()[1:] == [("reasoning", "I think."), ("assistant", "Yes.")]


def test_the_same_run_with_another_message_is_refused(program: Program) -> None:
    assert program.post("/ag-ui/", build_input()).status_code == 200
    other = build_input(messages=[USER | {"content": "Another"}])
    system = {"id": "s", "role": "system", "content": "Be brief."}
    others = [
        other,
        build_input(threadId="another"),
        build_input(forwardedProps={"model": "demo"}),
        build_input(messages=[system, USER]),
        build_input(messages=[system]),
        build_input(messages=[], forwardedProps={"model": "demo"}),
    ]
    for body in others:
        answer = program.post("/ag-ui/", body)
        assert (answer.status_code, answer.data["code"]) == (409, "key_reused"), body
    for model in ("demo-fast", "demo/demo-fast", "demo:demo-fast", ""):
        same = build_input(forwardedProps={"model": model})
        assert program.post("/ag-ui/", same).status_code == 200
    assert Stream.objects.count() == 1


def test_two_requests_with_one_run_at_once_are_one_run_or_refused(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one has looked for the run before the first one was stored."""
    first = build_input()
    assert program.post("/ag-ui/", first).status_code == 200
    monkeypatch.setattr(views, "_find_run", lambda *args: None)
    assert program.post("/ag-ui/", first).status_code == 200
    for change in ({"messages": [USER | {"content": "Another"}]}, {"threadId": "another"}):
        answer = program.post("/ag-ui/", build_input(**change))
        assert (answer.status_code, answer.data["code"]) == (409, "key_reused"), change
    write_other = build_input("run 2", threadId="a third")
    assert program.post("/ag-ui/", write_other).status_code == 200
    assert program.post("/ag-ui/", first | {"threadId": "a third"}).status_code == 409
    assert (Stream.objects.count(), ClientThread.objects.count()) == (2, 2)


def test_the_address_may_end_without_a_slash(program: Program) -> None:
    """A redirect would make stock clients send a GET."""
    assert program.post("/ag-ui", build_input()).status_code == 200
    assert starts_reply("/api/ag-ui")


def test_a_run_of_a_deleted_chat_is_gone_and_not_written_again(
    program: Program, owner: User
) -> None:
    program.post("/ag-ui/", build_input())
    chat = Conversation.objects.get(user=owner)
    Conversation.objects.update(deleted_at=chat.created_at)
    assert program.post("/ag-ui/", build_input()).status_code == 410
    assert program.post("/ag-ui/", build_input("run 2")).status_code == 404
    Conversation.objects.update(deleted_at=None)
    delete(chat)
    assert program.post("/ag-ui/", build_input("run 2")).status_code == 200


ANSWER = {"id": "a", "role": "assistant", "content": "Hello"}
REFUSED: list[dict[str, Any]] = [
    {"tools": [{"name": "add", "description": "", "parameters": {}}]},
    {"context": [{"description": "a", "value": "b"}]},
    {"state": {"a": 1}},
    {"resume": [{"interruptId": "a"}]},
    {"protocolVersion": "2.0"},
    {"protocolVersion": 1},
    {"forwardedProps": {"temperature": 1}},
    {"forwardedProps": {"model": 5}},
    {"forwardedProps": {"model": "none"}},
    {"forwardedProps": {"stop": "yes"}},
    {"forwardedProps": [1]},
    {"threadId": ""},
    {"threadId": "a" * 201},
    {"threadId": "\ud800"},
    {"runId": "a\0"},
    {"runId": None},
    {"temperature": 0.5},
    {"config": {"a": 1}},
    {"parentRunId": "run 0"},
    {"messages": "a"},
    {"messages": [1]},
    {"messages": [USER, ANSWER]},
    {"messages": [USER, {"role": ["user"], "content": "a"}]},
    {"messages": [USER, ANSWER, USER]},
    {"messages": [{"id": "b", "role": "bogus", "content": "a"}, USER]},
    {"messages": [{"id": "b", "role": ["x"], "content": "a"}, USER]},
    {"messages": [{"id": "b", "content": "a"}, USER]},
    {"messages": [{"id": "b", "role": "tool", "content": "a", "toolCallId": "c"}, USER]},
    {"messages": [USER | {"content": " "}]},
    {"messages": [USER | {"name": "Ann"}]},
    {"messages": [{"id": "s", "role": "system", "content": "a", "name": "b"}, USER]},
    {"messages": [USER | {"content": [{"type": "image"}]}]},
]
REFUSALS = {
    "invalid": 422,
    "unknown_history": 422,
    "unknown_model": 422,
    "empty": 422,
    "unsupported": 400,
}


def test_what_is_not_there_is_refused(program: Program) -> None:
    for change in REFUSED:
        answer = program.post("/ag-ui/", build_input(**change))
        assert answer.status_code == REFUSALS[answer.data["code"]], change
        assert answer.data["message"]
    assert not Stream.objects.exists()


def test_answers_that_are_not_of_the_thread_are_refused(program: Program, owner: User) -> None:
    assert program.post("/ag-ui/", build_input()).status_code == 200
    other = build_input("run 2", threadId="another")
    assert program.post("/ag-ui/", other).status_code == 200
    foreign = ANSWER | {"id": Stream.objects.latest("id").arguments["message"]}
    for answer in (ANSWER, ANSWER | {"id": str(uuid4())}, ANSWER | {"id": 5}, foreign):
        messages = [USER, answer, USER | {"id": "u2", "content": "And then?"}]
        refused = program.post("/ag-ui/", build_input("run 3", messages=messages))
        assert (refused.status_code, refused.data["code"]) == (422, "unknown_history"), answer


def test_others_find_neither_the_run_nor_the_thread(
    program: Program, colleague: User, owner: User
) -> None:
    program.post("/ag-ui/", build_input())
    stranger = create_program(colleague)
    assert stranger.post("/ag-ui/", build_input(messages=[])).status_code == 404
    stop = build_input(forwardedProps={"stop": True})
    assert stranger.post("/ag-ui/", stop).status_code == 404
    assert create_program(owner, Scope.READ).post("/ag-ui/", build_input()).status_code == 403
    assert Program().post("/ag-ui/", build_input()).status_code == 401
    assert program.get("/ag-ui/").status_code == 405
    assert stranger.post("/ag-ui/", build_input()).status_code == 200
    assert Stream.objects.filter(owner=colleague).count() == 1
    assert Stream.objects.get(owner=owner).state == State.QUEUED
    assert program.post("/ag-ui/", build_input(str(uuid4()), messages=[])).status_code == 200
