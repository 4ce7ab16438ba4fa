"""A response that is open for long holds no long text beside what it sends next. A client that
never reads keeps it open, and may come two hundred times."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from contextlib import suppress
from types import FunctionType, ModuleType
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import User
from streaming import hub as hubs
from streaming.database import run_in_db
from streaming.doors.sender import FollowResponse
from streaming.models import Stream
from tests.chat.api.conftest import create_program
from tests.chat.factories import start_reply
from tests.doors.registered import find_missing
from tests.streaming.factories import append_chunks, claim_stream, end_stream, register_worker

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "kelp \N{WATER WAVE}" * 15_000
MAX_HELD_CHARS = 20_000
PARTS = 3
"""The client takes the start of the body, and begins with the text."""
REFERENCES_TO_REQUEST = (
    *("client", "request", "wsgi_request", "json", "resolver_match"),  # of the test client
    "streaming_content",
    "_resource_closers",  # which the handler of a server has closed
)


class UnreadSender:
    """Its client takes the first parts of a body and no more."""

    def __init__(self) -> None:
        self.is_stuck = asyncio.Event()
        self.count = 0

    async def start_response(self, response: FollowResponse) -> None:
        pass

    def start_task(self, task: Coroutine[Any, Any, None], name: str) -> None:
        task.close()

    async def send_part(self, part: bytes, *, is_last: bool = False) -> None:
        self.count += 1
        if self.count == PARTS:
            self.is_stuck.set()
            await asyncio.Event().wait()


def find_long_texts(root: object) -> list[str]:
    """The beginnings of the long texts that can be reached from an object, but not from classes,
    modules and the globals of functions."""
    seen: dict[int, object] = {}
    found, todo = [], [root]
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, type | ModuleType):
            continue
        seen[id(one)] = one
        if isinstance(one, str | bytes):
            found += [repr(one[:20])] if len(one) > MAX_HELD_CHARS else []
        elif isinstance(one, FunctionType):
            todo += one.__closure__ or ()
        else:
            todo += gc.get_referents(one)
    return found


def ask_ai_sdk(program: Any) -> Any:
    name = str(uuid4())
    message = {"id": "m", "role": "user", "parts": [{"type": "text", "text": LONG}]}
    body = {"id": name, "messages": [message], "model": "demo", "trigger": "submit-message"}
    assert program.post("/chat", body).streaming
    finish_reply()
    return program.get(f"/chat/{name}/stream")


def ask_gateway(program: Any) -> Any:
    body = {"model": "demo", "input": LONG, "instructions": LONG[:90_000], "background": True}
    answer = program.client.post(
        "/v1/responses", body, content_type="application/json", headers=program.headers
    )
    finish_reply()
    path = f"/v1/responses/{answer.json()['id']}?stream=true"
    return program.client.get(path, headers=program.headers)


def ask_langgraph(program: Any) -> Any:
    thread = program.post("/langgraph/threads", {}).data["thread_id"]
    body = {"assistant_id": "demo", "input": {"messages": [{"role": "user", "content": LONG}]}}
    run = program.post(f"/langgraph/threads/{thread}/runs", body).data["run_id"]
    finish_reply()
    return program.get(f"/langgraph/threads/{thread}/runs/{run}/stream?stream_mode=messages-tuple")


def ask_ag_ui(program: Any) -> Any:
    body = {
        "threadId": "t",
        "runId": "r",
        "messages": [{"id": "m", "role": "user", "content": LONG}],
        "state": {},
        "tools": [],
        "context": [],
        "forwardedProps": {"model": "demo"},
    }
    assert program.post("/ag-ui", body).streaming
    finish_reply()
    return program.post("/ag-ui", body)


def ask_durable_streams(program: Any) -> Any:
    """A reply that the person has asked on the page."""
    stream = start_reply(User.objects.get(), LONG).stream
    finish_reply()
    path = f"/v1/stream/replies/{stream.uuid}?offset=-1&live=sse"
    return program.client.get(path, headers=program.headers)


DOORS = {
    "AI SDK": ask_ai_sdk,
    "gateway": ask_gateway,
    "LangGraph": ask_langgraph,
    "AG-UI": ask_ag_ui,
    "durable streams": ask_durable_streams,
}
"""The response of each door to a client that comes back after the end of a reply."""


def finish_reply() -> None:
    stream = claim_stream(Stream.objects.get(), register_worker())
    append_chunks(stream, *[LONG[:16_000]] * 20)
    end_stream(stream)


def test_every_door_has_an_entry() -> None:
    assert find_missing(DOORS) == set()


@pytest.mark.parametrize("door", DOORS)
async def test_a_client_that_does_not_read_holds_no_long_text(owner: User, door: str) -> None:
    response = await run_in_db(lambda: DOORS[door](create_program(owner)))
    assert isinstance(response, FollowResponse)
    sender: Any = UnreadSender()
    task = asyncio.create_task(response.send_through(sender))
    await asyncio.wait_for(sender.is_stuck.wait(), 10)
    for name in REFERENCES_TO_REQUEST:
        vars(response).pop(name, None)
    assert find_long_texts(response) == []
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await hubs.close()
