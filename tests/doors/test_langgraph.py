"""LangGraph's threads and runs: what each request gets, and that a client which comes back has each
character once. tests/clients/test_runs.py tries the stock clients."""

from __future__ import annotations

import json
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from pytest_django import Settings

from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.conversations.deletion import delete
from chat.doors import threads
from chat.doors.langgraph.events import encode_block
from chat.doors.threads import lock_thread
from chat.models import ClientThread, Conversation
from streaming import journal
from streaming.events import Finish
from streaming.lifecycle import Ending
from streaming.models import Kind, State, Stream
from tests.chat.api.conftest import Program, create_program
from tests.doors.streamed import SentEvent, send
from tests.factories import run_at_once
from tests.streaming.factories import (
    append_chunks,
    claim_stream,
    end_stream,
    register_worker,
    reload_stream,
)
from tools.deployment.deployment import Web

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = "/api/langgraph"
PIECES = ["Tides \N{WATER WAVE}", " come\r\n", "twice a", " day.\u2028"]
TEXT = "".join(PIECES)
QUESTION = {"messages": [{"role": "user", "content": "Why do tides come twice a day?"}]}
RUN: dict[str, Any] = {"assistant_id": "demo/demo-fast", "input": QUESTION}


@pytest.fixture
def program(owner: User) -> Program:
    return create_program(owner)


@pytest.fixture
def token(owner: User) -> str:
    return create_token(owner, "LangGraph", [Scope.WRITE], None)[1]


def create_thread(program: Program, **body: Any) -> str:
    answer = program.post("/langgraph/threads", body)
    assert answer.status_code == 200, answer.data
    return str(answer.data["thread_id"])


def create_run(program: Program, thread: str, **changes: Any) -> Stream:
    answer = program.post(f"/langgraph/threads/{thread}/runs", RUN | changes)
    assert answer.status_code == 200, answer.data
    return Stream.objects.get(uuid=answer.data["run_id"])


def claim(stream: Stream) -> Stream:
    return claim_stream(stream, register_worker())


def write(stream: Stream) -> Stream:
    """Write the whole text, and end."""
    stream = claim(stream)
    append_chunks(stream, (Kind.REASONING, "hm"), *PIECES[:2])
    append_chunks(stream, (Kind.SEAM, ""), *PIECES[2:])
    end_stream(stream, Ending.from_finish(Finish("stop", {"input": 11, "output": 7})))
    return reload_stream(stream)


def join_chunks(events: list[SentEvent]) -> str:
    return "".join(e.data[0]["content"] for e in events if e.name == "messages")


def read_run(web: Web, token: str, thread: str, stream: Stream, after: str = "") -> list[SentEvent]:
    path = f"{ROOT}/threads/{thread}/runs/{stream.uuid}/stream?stream_mode=messages-tuple"
    headers = {"Last_Event_ID": after} if after else {}
    with send(web.port, "GET", path, token, **headers) as answer:
        assert answer.status == 200
        return [*answer.read_events()]


def test_a_client_that_names_no_mode_gets_the_usual_one(
    web: Web, program: Program, token: str
) -> None:
    """The SDK for Python then sends the parameter without a value."""
    thread = create_thread(program)
    stream = write(create_run(program, thread))
    path = f"{ROOT}/threads/{thread}/runs/{stream.uuid}/stream"
    for query in ("", "?cancel_on_disconnect=false&stream_mode="):
        with send(web.port, "GET", path + query, token) as answer:
            assert answer.status == 200
            names = [event.name for event in answer.read_events()]
        assert names == ["metadata", "values", "values", "end"]


def test_a_run_from_its_request_to_its_end(web: Web, program: Program, token: str) -> None:
    thread = create_thread(program)
    path = f"{ROOT}/threads/{thread}/runs/stream"
    body = RUN | {"stream_mode": ["values", "messages-tuple", "updates"]}
    with send(web.port, "POST", path, token, body) as answer:
        assert answer.status == 200
        events = answer.read_events()
        first = [next(events), next(events)]
        write(Stream.objects.get())
        rest = [*events]
        assert not answer.is_broken
    run = Stream.objects.get()
    assert [event.name for event in first] == ["metadata", "values"]
    assert first[0].data["run_id"] == str(run.uuid)
    assert [m["content"] for m in first[1].data["messages"]] == [QUESTION["messages"][0]["content"]]
    assert join_chunks(rest) == TEXT
    assert [event.name for event in rest[-3:]] == ["updates", "values", "end"]
    answer_of_run = rest[-2].data["messages"][-1]
    assert (answer_of_run["type"], answer_of_run["content"]) == ("ai", TEXT)
    assert answer_of_run["usage_metadata"]["total_tokens"] == 18
    assert rest[-3].data == {"model": {"messages": [answer_of_run]}}
    assert rest[-1].data == {"run_id": str(run.uuid), "status": "success"}
    assert {event.data[0]["id"] for event in rest if event.name == "messages"} == {
        answer_of_run["id"]
    }
    modes = "stream_mode=values&stream_mode=messages-tuple&stream_mode=updates"
    assert answer.headers["Location"] == f"/threads/{thread}/runs/{run.uuid}/stream?{modes}"
    assert answer.headers["Content-Location"] == f"/threads/{thread}/runs/{run.uuid}"


def test_a_client_that_comes_back_after_any_event_has_each_character_once(
    web: Web, program: Program, token: str
) -> None:
    thread = create_thread(program)
    stream = write(create_run(program, thread))
    whole = read_run(web, token, thread, stream)
    assert join_chunks(whole) == TEXT
    assert read_run(web, token, thread, stream, "-1") == whole
    ids = [event.id for event in whole if event.name == "messages"]
    assert int(ids[-1]) == stream.next_index - 1
    for at in range(stream.next_index):
        rest = read_run(web, token, thread, stream, str(at))
        assert TEXT.endswith(join_chunks(rest))
        assert "metadata" not in {event.name for event in rest}
        if str(at) in ids:
            had = [e for e in whole if e.name == "messages" and int(e.id) <= at]
            assert join_chunks(had) + join_chunks(rest) == TEXT
        assert rest[-1].name == "end"


def decode_like_sdks(body: bytes, last_id: str) -> tuple[str, Any, str]:
    """The event of a body that ends anywhere, as LangGraph's clients read it: they take what is
    there for a whole event."""
    name, lines, id = "", [], last_id
    for line in body.decode("utf-8", "replace").rstrip("\n").split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            lines.append(value)
        elif field == "id":
            id = value
    text = "\n".join(lines)
    return name, json.loads(text) if text.strip() else None, id


def test_an_event_that_is_cut_anywhere_says_nothing() -> None:
    data = [{"content": "\N{WATER WAVE}] "}, {}]
    block = encode_block("messages", data, 280)
    whole = len(block.rstrip(b"\n"))
    for end in range(len(block) + 1):
        try:
            name, told, id = decode_like_sdks(block[:end], "279")
        except ValueError:
            continue
        assert (name, told, id) == (
            ("messages", data, "280") if end >= whole else ("", None, "279")
        )


def test_odd_cursors_are_refused_because_text_would_come_twice(
    program: Program, owner: User
) -> None:
    """The first text would be missing after an index that a run does not have yet."""
    thread = create_thread(program)
    stream = create_run(program, thread)
    path = f"/langgraph/threads/{thread}/runs/{stream.uuid}/stream"
    answer = program.get(path, Last_Event_ID="0")
    assert (answer.status_code, answer.data["code"]) == (422, "bad_cursor")
    stream = write(stream)
    for cursor in ("x", "-2", "1.5", str(stream.next_index), str(2**60)):
        answer = program.get(path, Last_Event_ID=cursor)
        assert (answer.status_code, answer.data["code"]) == (422, "bad_cursor"), cursor


@pytest.mark.parametrize("has_cuts", [True, False])
def test_a_folded_run_goes_on_after_an_event_if_its_cuts_are_known(
    web: Web, program: Program, token: str, has_cuts: bool
) -> None:
    thread = create_thread(program)
    stream = write(create_run(program, thread))
    whole = read_run(web, token, thread, stream)
    if has_cuts:
        journal.fold_chunks(
            stream.pk, journal.pack_chunks(journal.read_text_and_rows(stream.pk)[1])
        )
    else:
        journal.fold_chunks(stream.pk)
    assert join_chunks(read_run(web, token, thread, stream)) == TEXT
    last = read_run(web, token, thread, stream, str(stream.next_index - 1))
    assert [event.name for event in last] == ["end"]
    middle = next(event for event in whole if event.name == "messages" and event.data[0]["content"])
    if has_cuts:
        rest = read_run(web, token, thread, stream, middle.id)
        assert middle.data[0]["content"] + join_chunks(rest) == TEXT
    else:
        path = f"/langgraph/threads/{thread}/runs/{stream.uuid}/stream"
        answer = program.get(path, Last_Event_ID=middle.id)
        assert (answer.status_code, answer.data["code"]) == (410, "folded")


def read_ending(web: Web, token: str, thread: str, stream: Stream) -> tuple[SentEvent, Any]:
    """The last event, and the answer of `join`."""
    last = read_run(web, token, thread, stream)[-1]
    path = f"{ROOT}/threads/{thread}/runs/{stream.uuid}/join"
    with send(web.port, "GET", path, token) as answer:
        return last, answer.read_json()


def test_a_stopped_run_keeps_its_text(web: Web, program: Program, token: str) -> None:
    thread = create_thread(program)
    stream = claim(create_run(program, thread))
    append_chunks(stream, "Half a")
    path = f"/langgraph/threads/{thread}/runs/{stream.uuid}"
    for _ in range(2):
        assert program.post(f"{path}/cancel?wait=0&action=interrupt").status_code == 202
    assert program.get(path).data["status"] == "interrupted"
    last, values = read_ending(web, token, thread, stream)
    assert (last.name, last.data["status"]) == ("end", "interrupted")
    assert values["messages"][-1]["content"] == "Half a"


def test_a_failed_run_says_why(web: Web, program: Program, token: str) -> None:
    thread = create_thread(program)
    stream = claim(create_run(program, thread))
    append_chunks(stream, "Half a")
    end_stream(stream, Ending(State.FAILED, error_class="rate_limited", error="Too many requests."))
    last, values = read_ending(web, token, thread, stream)
    error = {"error": "rate_limited", "message": "Too many requests."}
    assert (last.name, last.data) == ("error", error)
    assert values["__error__"] == error
    assert program.get(f"/langgraph/threads/{thread}").data["status"] == "error"


def test_a_client_that_waits_is_told_where_it_can_go_on(
    web: Web, program: Program, token: str
) -> None:
    """The head comes before the end of the run, and white space keeps the connection alive."""
    path = f"{ROOT}/threads/{create_thread(program)}/runs/wait"
    with send(web.port, "POST", path, token, RUN) as left:
        assert (left.status, left.headers["Content-Type"]) == (200, "application/json")
        place = left.headers["Location"]
    stream = Stream.objects.get()
    assert place.endswith(f"/runs/{stream.uuid}/join")
    with send(web.port, "GET", f"{ROOT}{place}", token) as answer:
        write(stream)
        assert answer.read_json()["messages"][-1]["content"] == TEXT


def test_the_thread_remembers(program: Program, owner: User) -> None:
    wanted = str(uuid4())
    assert create_thread(program, thread_id=wanted) == wanted
    again = {"thread_id": wanted, "if_exists": "do_nothing"}
    assert create_thread(program, **again) == wanted
    assert program.post("/langgraph/threads", {"thread_id": wanted}).status_code == 409
    empty = program.get(f"/langgraph/threads/{wanted}").data
    assert (empty["status"], empty["values"]) == ("idle", {"messages": []})
    write(create_run(program, wanted))
    known = program.get(f"/langgraph/threads/{wanted}").data
    assert [m["content"] for m in known["values"]["messages"]][1] == TEXT
    more = {"messages": [*known["values"]["messages"], {"type": "human", "content": "And then?"}]}
    create_run(program, wanted, assistant_id="default", input=more)
    chat = Conversation.objects.get(user=owner)
    assert (chat.model, chat.messages.count()) == ("demo-fast", 4)
    assert program.get(f"/langgraph/threads/{wanted}").data["status"] == "busy"


def test_the_same_key_is_one_run(program: Program) -> None:
    thread = create_thread(program)
    path = f"/langgraph/threads/{thread}/runs"
    one, two = (program.post(path, RUN, Idempotency_Key="a").data["run_id"] for _ in range(2))
    assert one == two
    other = RUN | {"input": {"messages": "Another question"}}
    assert program.post(path, other, Idempotency_Key="a").status_code == 409


HUMAN = {"role": "user", "content": "Hello"}
# More than PostgreSQL takes as the parameters of one query.
EARLIER = [{"role": "assistant", "content": "", "id": str(UUID(int=n))} for n in range(65_535)]
REFUSED: list[dict[str, Any]] = [
    {"assistant_id": None},
    {"assistant_id": "demo/none"},
    {"input": None},
    {"input": {"messages": []}},
    {"input": {"messages": [{"role": "assistant", "content": "Hello"}]}},
    {"input": {"messages": [{"role": "assistant", "content": "Hello"}, HUMAN]}},
    {"input": {"messages": [{"role": "user", "content": "Hello", "id": str(uuid4())}, HUMAN]}},
    {"input": {"messages": [{"role": "tool", "content": "4"}, HUMAN]}},
    {"input": {"messages": [*EARLIER, HUMAN]}},
    {"input": {"messages": [{"role": ["user"], "content": "4"}]}},
    {"input": {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}},
    {"input": {"messages": [{"role": "user", "content": "  "}]}},
    {"input": {"messages": [HUMAN], "documents": ["a"]}},
    {"input": {"messages": [HUMAN | {"name": "Ann"}]}},
    {"input": {"messages": [HUMAN | {"additional_kwargs": {"a": 1}}]}},
    {"input": {"messages": [{"role": "system", "content": "a", "name": "b"}, HUMAN]}},
    {"stream_mode": "debug"},
    {"stream_mode": {"a": 1}},
    {"on_disconnect": "cancel"},
    {"multitask_strategy": "interrupt"},
    {"stream_resumable": 5},
    {"config": {"configurable": {"a": 1}}},
    {"config": "x"},
    {"command": {"resume": 1}},
    {"interrupt_before": ["model"]},
    {"checkpoint_id": "a"},
    {"webhook": "https://example.org"},
    {"metadata": {"a": 1}},
]

REFUSALS = {
    "invalid": 422,
    "unknown_history": 422,
    "unknown_model": 422,
    "empty": 422,
    "unsupported": 400,
}


def test_what_is_not_there_is_refused(program: Program) -> None:
    path = f"/langgraph/threads/{create_thread(program)}/runs/stream"
    for change in REFUSED:
        answer = program.post(path, RUN | change)
        assert answer.status_code == REFUSALS[answer.data["code"]], change
    assert not Stream.objects.exists()


def test_what_changes_nothing_is_accepted(program: Program) -> None:
    harmless = {
        "stream_resumable": True,
        "on_disconnect": "continue",
        "multitask_strategy": "enqueue",
        "durability": "async",
        "stream_subgraphs": False,
        "config": {"recursion_limit": 25, "configurable": {}},
        "metadata": {},
        "context": None,
        "feedback_keys": [],
    }
    create_run(program, create_thread(program), **harmless)


MISSING = [
    ("POST", "assistants/search"),
    ("POST", "runs/stream"),
    ("GET", "threads/x/state"),
    ("GET", "info"),
    ("GET", ""),
    ("GET", "threads"),
    ("DELETE", f"threads/{uuid4()}"),
    ("PATCH", f"threads/{uuid4()}"),
    ("GET", f"threads/{uuid4()}/runs"),
    ("DELETE", f"threads/{uuid4()}/runs/{uuid4()}"),
    ("GET", "threads%0a"),
]


def test_the_rest_of_the_server_says_that_it_is_not_there(program: Program) -> None:
    for method, path in MISSING:
        answer = program.send(method, f"/langgraph/{path}", {} if method == "POST" else None)
        assert (answer.status_code, answer.data["code"]) == (404, "not_here"), path
    assert program.get("/langgraph").data["code"] == "not_here"


def test_a_body_that_is_no_object_is_refused(program: Program) -> None:
    assert program.post("/langgraph/threads", [1]).data["code"] == "bad_request"


def test_runs_are_found_only_in_their_own_thread_and_by_their_owner(
    program: Program, colleague: User, owner: User
) -> None:
    thread, other = create_thread(program), create_thread(program)
    stream = create_run(program, thread)
    stranger = create_program(colleague)
    theirs = create_thread(stranger)
    for who, where in ((program, other), (stranger, thread), (stranger, theirs)):
        for path in ("", "/stream", "/join"):
            run = f"/langgraph/threads/{where}/runs/{stream.uuid}{path}"
            assert who.get(run).status_code == 404
        assert who.post(f"/langgraph/threads/{where}/runs/{stream.uuid}/cancel").status_code == 404
    assert stranger.post(f"/langgraph/threads/{thread}/runs", RUN).status_code == 404
    assert create_program(owner, Scope.READ).post("/langgraph/threads", {}).status_code == 403
    assert reload_stream(stream).state == "queued"


def test_a_thread_of_a_deleted_chat_is_gone(program: Program, owner: User) -> None:
    thread = create_thread(program)
    write(create_run(program, thread))
    delete(Conversation.objects.get(user=owner))
    assert program.get(f"/langgraph/threads/{thread}").status_code == 404
    assert not ClientThread.objects.exists()


def test_a_thread_of_a_chat_that_can_be_restored_is_not_there(
    program: Program, owner: User
) -> None:
    thread = create_thread(program)
    run = write(create_run(program, thread))
    chat = Conversation.objects.get(user=owner)
    Conversation.objects.update(deleted_at=chat.created_at)
    path = f"/langgraph/threads/{thread}"
    answers = [
        program.post("/langgraph/threads", {"thread_id": thread, "if_exists": "do_nothing"}),
        program.post("/langgraph/threads", {"thread_id": thread}),
        program.get(path),
        program.post(f"{path}/runs", RUN | {"if_not_exists": "create"}),
        program.post(f"{path}/runs/wait", RUN),
        program.get(f"{path}/runs/{run.uuid}"),
        program.get(f"{path}/runs/{run.uuid}/stream"),
        program.post(f"{path}/runs/{run.uuid}/cancel"),
    ]
    assert {(answer.status_code, answer.data["code"]) for answer in answers} == {(404, "not_found")}
    Conversation.objects.update(deleted_at=None)
    assert len(program.get(path).data["values"]["messages"]) == 2


def test_messages_of_the_thread_are_taken_only_whole_and_unchanged(program: Program) -> None:
    """The model gets the thread's own, so anything else would be ignored."""
    thread = create_thread(program)
    write(create_run(program, thread))
    path = f"/langgraph/threads/{thread}/runs"
    question, answer = program.get(f"/langgraph/threads/{thread}").data["values"]["messages"]
    other = create_thread(program)
    write(create_run(program, other))
    foreign = program.get(f"/langgraph/threads/{other}").data["values"]["messages"]
    new = {"type": "human", "content": "And then?"}
    for earlier in (
        [question | {"content": "Another question"}, answer],
        [question, answer | {"content": "Another answer"}],
        [question, answer | {"content": TEXT[:5]}],
        [question],
        [answer],
        [answer, question],
        [question, answer, answer],
        [question | {"type": "ai"}, answer],
        foreign,
    ):
        refused = program.post(path, RUN | {"input": {"messages": [*earlier, new]}})
        assert (refused.status_code, refused.data["code"]) == (422, "unknown_history"), earlier
    body = RUN | {"input": {"messages": [question, answer, new]}}
    first = program.post(path, body, Idempotency_Key="a")
    assert first.status_code == 200, first.data
    assert program.post(path, body, Idempotency_Key="a").data["run_id"] == first.data["run_id"]
    assert program.post(path, body, Idempotency_Key="b").data["code"] == "unknown_history"


def test_an_answer_that_grows_may_be_sent_as_far_as_the_client_has_it(program: Program) -> None:
    thread = create_thread(program)
    stream = claim(create_run(program, thread))
    append_chunks(stream, *PIECES[:2])
    messages = program.get(f"/langgraph/threads/{thread}").data["values"]["messages"]
    append_chunks(stream, *PIECES[2:])
    create_run(program, thread, input={"messages": [*messages, "And then?"]})


def test_threads_without_a_message_count_for_the_limits_of_time(
    program: Program, settings: Settings
) -> None:
    settings.MAX_CHARS_PER_MINUTE = 200
    create_thread(program)
    id = create_thread(program)
    refused = program.post("/langgraph/threads", {})
    assert (refused.status_code, refused.data["code"]) == (429, "too_much")
    create_thread(program, thread_id=id, if_exists="do_nothing")  # writes nothing
    assert ClientThread.objects.count() == 2


def test_the_oldest_threads_without_a_message_are_deleted(
    program: Program, owner: User, colleague: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "MAX_UNUSED_THREADS", 2)
    used = create_thread(program)
    create_run(program, used)
    others = create_thread(create_program(colleague))
    unused = [create_thread(program) for _ in range(5)]
    kept = {thread.name for thread in ClientThread.objects.all()}
    assert kept == {used, others, *unused[-2:]}
    assert program.get(f"/langgraph/threads/{unused[0]}").status_code == 404
    create_run(program, unused[0], if_not_exists="create")
    assert {row.name for row in ClientThread.objects.exclude(conversation=None)} == {
        used,
        unused[0],
    }


def test_a_thread_that_gets_its_first_message_is_not_deleted_meanwhile(
    program: Program, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "MAX_UNUSED_THREADS", 0)
    thread = ClientThread.objects.create(user=owner, door="langgraph", name=str(uuid4()))
    is_locked, is_over = Event(), Event()

    def begin() -> None:
        with transaction.atomic():
            lock_thread(owner, "langgraph", thread.name)
            is_locked.set()
            assert is_over.wait(10)

    def create() -> None:
        assert is_locked.wait(10)
        threads_before = ClientThread.objects.count()
        with transaction.atomic():
            threads.delete_oldest_unused(owner, "langgraph")
        assert ClientThread.objects.count() == threads_before
        is_over.set()

    assert run_at_once(begin, create) == [None, None]
