"""A reply that was folded is read through each front end's door byte for byte as before: from its
start, and after each row."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4, uuid5

import httpx2
import pytest
from pytest_django import Settings

from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.doors.ag_ui.views import NAMESPACE
from chat.models import ClientThread
from chat.replies import Reply
from streaming import lifecycle
from streaming.models import Kind, Stream
from streaming.providers.reasoning_mark import REASONING_MARK, TEXT_MARK
from tests.chat.factories import claim_reply, start_reply
from tests.factories import Piece
from tests.streaming.factories import append_chunks, end_stream, reload_stream
from tools.deployment.deployment import Web

pytestmark = pytest.mark.django_db(transaction=True)

THREAD = str(UUID(int=7))
RUN = "run 1"
SEAM = (Kind.SEAM, "")
REPLIES: dict[str, list[Piece]] = {
    "interleaved": [
        (Kind.REASONING, "First, "),
        (Kind.REASONING, "hm."),
        *("The ", "moon"),
        (Kind.REASONING, " And the sun?"),
        *(" and\r\n", "the \N{WATER WAVE}", " sun."),
    ],
    "seams": [(Kind.REASONING, "Hm."), "One, ", SEAM, "two, ", SEAM, SEAM, "three.", SEAM],
    "marked": [(Kind.REASONING, "Hm."), "So I ", "think", REASONING_MARK, "\n", "Yes", ", so."],
    "marked twice": ["a", SEAM, f"b{REASONING_MARK}c", REASONING_MARK, "d", SEAM, "e"],
    "text again": [(Kind.REASONING, "It is so."), "It is ", "so.", TEXT_MARK],
    "a mark first": [(Kind.REASONING, "It"), TEXT_MARK, "is ", "so."],
}


def read_ai_sdk(client: httpx2.Client, stream: Stream, after: int) -> httpx2.Response:
    place = f"?after={stream.uuid}:{after}" if after >= 0 else ""
    return client.get(f"/api/chat/{quote(THREAD, safe='')}/stream{place}")


def read_langgraph(client: httpx2.Client, stream: Stream, after: int) -> httpx2.Response:
    modes = "stream_mode=messages-tuple&stream_mode=values&stream_mode=updates"
    path = f"/api/langgraph/threads/{THREAD}/runs/{stream.uuid}/stream?{modes}"
    return client.get(path, headers={"Last-Event-ID": str(after)})


def read_ag_ui(client: httpx2.Client, stream: Stream, after: int) -> httpx2.Response:
    """It has no cursors: a client that comes back gets a snapshot."""
    return client.post("/api/ag-ui/", json={"threadId": THREAD, "runId": RUN})


DOORS = {"ai-sdk": read_ai_sdk, "langgraph": read_langgraph, "ag-ui": read_ag_ui}


def write_reply(owner: User, door: str, pieces: list[Piece]) -> Stream:
    """An ended reply in a thread of this door."""
    request_id = uuid5(NAMESPACE, f"{owner.pk} {RUN}") if door == "ag-ui" else uuid4()
    reply: Reply = start_reply(owner, request_id=request_id)
    ClientThread.objects.create(user=owner, door=door, name=THREAD, conversation=reply.conversation)
    stream = claim_reply(reply)
    append_chunks(stream, *pieces)
    end_stream(stream)
    return reload_stream(stream)


@pytest.fixture
def client(web: Web, owner: User) -> Any:
    token = create_token(owner, "Front end", list(Scope), None)[1]
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=web.url, headers=headers, timeout=15, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("name", REPLIES)
@pytest.mark.parametrize("door", DOORS)
def test_a_folded_reply_is_read_byte_for_byte_as_before(
    client: httpx2.Client, owner: User, settings: Settings, door: str, name: str
) -> None:
    stream = write_reply(owner, door, REPLIES[name])
    cursors = range(-1, stream.next_index)

    def read_all() -> list[bytes]:
        answers = [DOORS[door](client, stream, cursor) for cursor in cursors]
        assert {answer.status_code for answer in answers} == {200}
        return [answer.content for answer in answers]

    before = read_all()
    settings.STREAMING_FOLD_AFTER_SECONDS = -1
    lifecycle.fold_ended_streams()
    assert reload_stream(stream).folded_at is not None
    assert read_all() == before


@pytest.mark.parametrize("is_folded", [False, True])
def test_no_two_events_of_a_run_have_one_id(
    client: httpx2.Client, owner: User, settings: Settings, is_folded: bool
) -> None:
    """After a cut between the two, the second one would be lost."""
    stream = write_reply(owner, "langgraph", REPLIES["interleaved"])
    if is_folded:
        settings.STREAMING_FOLD_AFTER_SECONDS = -1
        lifecycle.fold_ended_streams()
    lines = read_langgraph(client, stream, -1).text.splitlines()
    ids = [int(line[4:]) for line in lines if line.startswith("id: ")]
    assert ids == list(range(-1, stream.next_index))
