"""Responses over HTTP, read with OpenAI's own SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI
from pytest_django import Settings

from accounts.models import User
from chat.doors.gateway.events import STEP
from streaming import journal, lifecycle
from streaming.journal import Append
from streaming.lifecycle import STOPPED, Ending
from streaming.models import Kind, State
from tests.doors.gateway.program import COMPLETED, find_stream, wait_for_stream, write_stream
from tests.factories import Piece, build_chunks

pytestmark = pytest.mark.django_db(transaction=True)

PIECES: tuple[Piece, ...] = (
    (Kind.REASONING, "Hm, "),
    (Kind.REASONING, "tides."),
    "Because ",
    "of ",
    (Kind.SEAM, ""),
    "friction \N{WATER WAVE}",
    (Kind.REASONING, "And?"),
    " and shape.",
)
TEXT = "Because of friction \N{WATER WAVE} and shape."
Event = dict[str, Any]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def ask(client: OpenAI, *pieces: Piece, ending: Ending = COMPLETED) -> str:
    """Start a background response and write all of it. Return its id."""
    id = client.responses.create(model="demo", input="Why?", background=True).id
    write_stream(find_stream(id), *pieces, ending=ending)
    return id


def replay(client: OpenAI, id: str, after: int | None = None) -> list[Event]:
    """The events of a raw stream, as JSON."""
    options: dict[str, Any] = {} if after is None else {"starting_after": after}
    return [
        json.loads(event.to_json())
        for event in client.responses.retrieve(id, stream=True, **options)
    ]


def test_a_response_is_streamed_while_it_is_written(client: OpenAI, owner: User) -> None:
    events = iter(client.responses.create(model="demo", input="Why?", stream=True))
    first = next(events)
    assert first.type == "response.created"
    assert first.response.status == "in_progress"
    assert first.response.id.startswith("resp_")
    assert next(events).type == "response.queued"
    stream = write_stream(find_stream(first.response.id), "Beca", ending=None)
    kinds = [next(events).type for _ in range(4)]
    assert kinds[0] == "response.in_progress"
    assert kinds[-1] == "response.output_text.delta"
    rest = tuple(build_chunks(["use."], first=1, offsets={Kind.TEXT: 4}))
    assert journal.append([Append(stream.pk, stream.uuid, stream.epoch, rest)])
    assert lifecycle.end(stream.pk, stream.epoch, COMPLETED)
    last = [*events][-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "Because."


def test_each_number_resumes_with_the_rest_of_the_same_events(client: OpenAI) -> None:
    id = ask(client, *PIECES)
    whole = replay(client, id)
    text = "".join(e["delta"] for e in whole if e["type"] == "response.output_text.delta")
    assert text == TEXT
    for number in (event["sequence_number"] for event in whole):
        rest = [event for event in whole if event["sequence_number"] > number]
        assert replay(client, id, number) == rest
    within_steps = replay(client, id, STEP * 3 + 12)
    assert within_steps == [e for e in whole if e["sequence_number"] > STEP * 3 + 12]


def test_a_folded_response_has_the_same_events(client: OpenAI, settings: Settings) -> None:
    id = ask(client, *PIECES)
    before = replay(client, id)
    settings.STREAMING_FOLD_AFTER_SECONDS = 0
    lifecycle.fold_ended_streams()
    assert find_stream(id).folded_at is not None
    assert replay(client, id) == before
    assert replay(client, id, STEP * 5) == [e for e in before if e["sequence_number"] > STEP * 5]


def test_a_response_that_an_older_version_folded_is_read_from_its_start(client: OpenAI) -> None:
    id = ask(client, *PIECES)
    journal.fold_chunks(find_stream(id).pk)
    events = replay(client, id)
    deltas = [e["delta"] for e in events if e["type"] == "response.output_text.delta"]
    assert deltas == [TEXT]
    assert events[-1]["response"]["output"][-1]["content"][0]["text"] == TEXT
    with pytest.raises(openai.BadRequestError) as refusal:
        replay(client, id, STEP * 5)
    assert refusal.value.param == "starting_after"


def test_the_stream_helper_resumes_and_has_the_whole_text(client: OpenAI) -> None:
    id = ask(client, *PIECES)
    cut = STEP * 4
    with client.responses.stream(response_id=id, starting_after=cut) as stream:
        numbers = [event.sequence_number for event in stream]
        assert stream.get_final_response().output_text == TEXT
    assert min(numbers) > cut


@pytest.mark.parametrize(
    ("ending", "type", "status"),
    [
        (STOPPED, "response.incomplete", "cancelled"),
        (Ending(State.FAILED, error_class="x", error="Sorry."), "response.failed", "failed"),
        (Ending.interrupted("Gone."), "response.failed", "failed"),
    ],
    ids=["stopped", "failed", "interrupted"],
)
def test_each_end_is_a_terminal_event(
    client: OpenAI, ending: Ending, type: str, status: str
) -> None:
    for pieces in ((), PIECES):
        last = replay(client, ask(client, *pieces, ending=ending))[-1]
        assert (last["type"], last["response"]["status"]) == (type, status)


def test_a_later_reader_gets_the_events_of_the_first_one(client: OpenAI) -> None:
    events = client.responses.create(model="demo", input="Why?", stream=True)
    first = next(iter(events))
    assert first.type == "response.created"
    write_stream(find_stream(first.response.id), *PIECES)
    seen = [json.loads(event.to_json()) for event in (first, *events)]
    assert [event["sequence_number"] for event in seen][:3] == [0, 1, 2]
    assert replay(client, first.response.id) == seen


def test_a_number_that_is_not_there_yet_is_refused(client: OpenAI) -> None:
    id = ask(client, "a", "b")
    for number in (STEP * 3, 2**53):
        with pytest.raises(openai.BadRequestError) as refusal:
            replay(client, id, number)
        assert refusal.value.param == "starting_after"
    for text in ("-1", "x", "1.5", "", "01"):
        with pytest.raises(openai.BadRequestError):
            client.responses.retrieve(id, extra_query={"stream": "true", "starting_after": text})


def test_a_response_without_a_stream_is_answered_at_its_end(
    client: OpenAI, owner: User, pool: ThreadPoolExecutor
) -> None:
    asked = pool.submit(client.responses.create, model="demo", input="Why?")
    write_stream(wait_for_stream(owner), *PIECES)
    response = asked.result(20)
    assert (response.status, response.output_text) == ("completed", TEXT)
    assert [item.type for item in response.output] == ["reasoning", "message"] * 2


def test_a_background_response_is_polled(client: OpenAI) -> None:
    response = client.responses.create(model="demo", input="Why?", background=True)
    assert (response.status, response.output) == ("queued", [])
    stream = write_stream(find_stream(response.id), "Beca", ending=None)
    running = client.responses.retrieve(response.id)
    assert (running.status, running.output_text) == ("in_progress", "Beca")
    assert client.responses.cancel(response.id).status == "cancelled"
    assert not lifecycle.end(stream.pk, stream.epoch, COMPLETED)


def test_a_stranger_follows_nothing(
    client: OpenAI, create_client: Any, colleague: User, web: Any
) -> None:
    id = ask(client, "Secret")
    with pytest.raises(openai.NotFoundError):
        replay(create_client(colleague), id)
    answer = httpx2.get(f"{web.url}/v1/responses/{id}?stream=true", trust_env=False)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")


def test_an_unknown_address_is_an_error_in_the_shape_of_openai(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refusal:
        client.embeddings.create(model="x", input="x")
    assert refusal.value.type == "not_found_error"
