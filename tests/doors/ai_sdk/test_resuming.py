"""Answers that are read again, and how they end."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from http.client import IncompleteRead
from typing import Any

import pytest
from django.db.models import F

from accounts.models import User
from streaming import journal, lifecycle
from streaming.events import SourceError
from streaming.lifecycle import Ending
from streaming.models import Kind, State, Stream
from streaming.providers.reasoning_mark import REASONING_MARK
from tests.chat.factories import claim_reply
from tests.doors.ai_sdk.client import (
    UIMessage,
    build_body,
    build_path,
    open_response,
)
from tests.doors.ai_sdk.conftest import Ask
from tests.doors.ai_sdk.replies import QUESTION, TEXT, end_stream, find_newest_reply, finish_newest
from tests.streaming.conftest import run_web
from tests.streaming.factories import append_chunks, reload_stream
from tools.deployment.deployment import Server, Web

pytestmark = pytest.mark.django_db(transaction=True)


# Resuming


def test_a_running_answer_is_resumed_from_its_start(call: Ask, ask: Ask) -> None:
    sent = ask("chat-1")
    stream = claim_reply(find_newest_reply())
    append_chunks(stream, "Be", "cause ")
    resumed = call("GET", build_path("chat-1", "stream"))
    append_chunks(stream, "of friction.")
    end_stream(stream)
    one, other = sent.read_message(), resumed.read_message()
    assert one.read_text() == other.read_text() == "Because of friction."
    assert one == other


def test_nothing_to_resume_is_204(call: Ask, ask: Ask) -> None:
    assert call("GET", build_path("unknown", "stream")).status == 204
    ask("chat-1")
    finish_newest()
    Stream.objects.update(ended_at=F("ended_at") - timedelta(hours=2))
    assert call("GET", build_path("chat-1", "stream")).status == 204


def test_an_answer_that_ended_just_now_is_sent_once_more(call: Ask, ask: Ask) -> None:
    """The client has lost the connection before the end, and names no cursor."""
    sent = ask("chat-1")
    finish_newest()
    first = sent.read_message()
    assert call("GET", build_path("chat-1", "stream")).read_message() == first


def test_a_folded_answer_has_the_same_parts(call: Ask, ask: Ask) -> None:
    sent = ask("chat-1")
    stream = claim_reply(find_newest_reply())
    append_chunks(stream, (Kind.REASONING, "Hm."), "Be", "cause.")
    end_stream(stream)
    before = sent.read_message()
    journal.fold_chunks(stream.pk)
    assert call("GET", build_path("chat-1", "stream")).read_message() == before


SEAM = 4


@pytest.mark.parametrize("after", range(8))
def test_a_client_with_a_cursor_gets_the_rest(call: Ask, ask: Ask, after: int) -> None:
    """Whatever it has, and in whichever of two ways it says so."""
    ask("chat-1")
    stream = claim_reply(find_newest_reply())
    pieces: list[Any] = [(Kind.REASONING, "Hm, "), (Kind.REASONING, "so."), "Be", "cause"]
    pieces += [(Kind.SEAM, ""), " of", (Kind.REASONING, "what?"), " friction."]
    append_chunks(stream, *pieces[: after + 1])
    begun = call("GET", build_path("chat-1", "stream"))
    message = UIMessage()
    for part in begun.read_parts():
        message.apply(part)
        if begun.last_event_id == f"{stream.uuid}:{3 if after == SEAM else after}":
            break
    if rest := pieces[after + 1 :]:
        append_chunks(stream, *rest)
    end_stream(stream)
    whole = call("GET", build_path("chat-1", "stream")).read_message()
    place = f"{stream.uuid}:{after}"
    answers = [
        call("GET", build_path("chat-1", f"stream?after={place}")),
        call("GET", build_path("chat-1", "stream"), Last_Event_ID=place),
    ]
    bodies = [list(response.read_parts()) for response in answers]
    assert bodies[0] == bodies[1]
    for part in bodies[0]:
        assert part["type"] != "start"
        message.apply(part)
    assert message == whole


def test_a_client_that_has_the_end_is_told_so(call: Ask, ask: Ask) -> None:
    sent = ask("chat-1")
    finish_newest()
    sent.read_message()
    place = sent.last_event_id
    assert call("GET", build_path("chat-1", f"stream?after={place}")).status == 204


def test_a_cursor_past_the_end_gets_everything(call: Ask, ask: Ask) -> None:
    ask("chat-1")
    uuid = finish_newest().stream.uuid
    for index in (10_000, 2**53 - 1):
        path = build_path("chat-1", f"stream?after={uuid}:{index}")
        assert call("GET", path).read_message().read_text() == TEXT


def test_a_cursor_that_is_none_of_ours_is_refused(call: Ask, ask: Ask) -> None:
    ask("chat-1")
    uuid = find_newest_reply().stream.uuid
    for place in ("", "3", "x:3", "-1", f"{'0' * 36}:1", f"{uuid}:-2", f"{uuid}:1.5"):
        error = call("GET", build_path("chat-1", f"stream?after={place}")).read_error()
        assert (error["status"], error["code"]) == (400, "bad_cursor"), place


# Ends


def test_a_failure_is_an_error_with_our_sentence(ask: Ask) -> None:
    response = ask("chat-1")
    finish_newest("Half of", Ending.from_error(SourceError("overloaded", "The model is busy.")))
    message = response.read_message()
    assert (message.status, message.error) == ("error", "The model is busy.")
    assert message.read_text() == "Half of"
    assert message.metadata["state"] == "failed"


def test_stopping_ends_the_answer_and_keeps_its_text(call: Ask, ask: Ask) -> None:
    response = ask("chat-1")
    stream = claim_reply(find_newest_reply())
    append_chunks(stream, "Half of")
    for _ in range(2):
        assert call("POST", build_path("chat-1", "stop"), {"activeStreamId": "x"}).status == 204
    message = response.read_message()
    assert (message.status, message.read_text()) == ("stopped", "Half of")
    assert reload_stream(stream).state == State.STOPPED


def test_a_client_that_leaves_stops_nothing(web: Web, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    with open_response(web.port, "POST", "/api/chat", build_body("c", QUESTION), **headers):
        stream = claim_reply(find_newest_reply())
        append_chunks(stream, "Half of")
    append_chunks(stream, " it")
    assert reload_stream(stream).state == State.RUNNING


def test_text_that_turns_out_to_be_reasoning_says_so(ask: Ask) -> None:
    response = ask("chat-1")
    stream = claim_reply(find_newest_reply())
    append_chunks(stream, "So I ", f"think{REASONING_MARK}\n", "Because.")
    end_stream(stream)
    thought, answer = response.read_message().parts
    assert thought["text"] == "So I think"
    assert thought["providerMetadata"] == {"holdfast": {"isReasoning": True}}
    assert answer["text"] == "\nBecause."
    assert "providerMetadata" not in answer


def test_a_note_of_the_reply_is_told_and_not_kept(ask: Ask) -> None:
    response = ask("chat-1")
    stream = claim_reply(find_newest_reply())
    assert lifecycle.set_note(stream.pk, stream.epoch, "The provider is busy. Trying again.")
    seen = UIMessage()
    for part in response.read_parts():
        seen.apply(part)
        if seen.notes:
            break
    assert seen.notes == ["The provider is busy. Trying again."]
    assert seen.parts == []


# A process that ends


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
def test_a_drain_breaks_the_answer_off(
    request: pytest.FixtureRequest, owner: User, token: str, server: Server
) -> None:
    """A body that ends properly would be a complete answer for a stock client."""
    headers = {"Authorization": f"Bearer {token}"}
    with run_web(request, server) as web:
        body = build_body("chat-1", QUESTION)
        with open_response(web.port, "POST", "/api/chat", body, **headers) as response:
            append_chunks(claim_reply(find_newest_reply()), "Half of")
            parts = response.read_parts()
            assert [next(parts)["type"] for _ in range(3)][-1] == "text-start"
            os.kill(web.pid, signal.SIGTERM)
            with pytest.raises((IncompleteRead, ConnectionError)):
                list(parts)
