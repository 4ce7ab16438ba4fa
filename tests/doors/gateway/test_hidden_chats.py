"""The chats of programs beside those of the person: hidden until the person wants to see them, and
deleted if they are temporary."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client

from accounts.models import User
from accounts.tokens.models import Scope
from chat.api.models import IdempotentRequest
from chat.conversations.actions import purge_deleted
from chat.models import Conversation, GatewayResponse
from chat.replies.handler import load_turns
from chat.retention.expiry import delete_expired
from streaming.models import Stream
from tests.chat.factories import read_revision, start_reply
from tests.doors.gateway.program import Program, find_stream, write_response

pytestmark = pytest.mark.django_db

QUESTION = "Why do kelp forests sway?"


def list_titles(owner: User) -> list[str]:
    listed = Program.of(owner, Scope.READ).client.get(
        "/api/conversations", headers=Program.of(owner, Scope.READ).headers
    )
    return [row["title"] for row in listed.json()["conversations"]]


def test_the_list_shows_the_chats_of_programs_only_to_those_who_want_it(
    program: Program, owner: User, as_owner: Client
) -> None:
    start_reply(owner, "A chat of mine")
    revision = read_revision(owner)
    write_response(program.ask(QUESTION)["id"], "Because")
    assert read_revision(owner) == revision
    for is_shown in (False, True):
        User.objects.filter(pk=owner.pk).update(shows_program_chats=is_shown)
        assert (QUESTION in as_owner.get("/").content.decode()) is is_shown
        assert (QUESTION in list_titles(owner)) is is_shown
        assert "A chat of mine" in list_titles(owner)
    write_response(program.ask("Again")["id"], "Because")
    assert read_revision(owner) > revision
    conversation = GatewayResponse.objects.first()
    assert conversation is not None
    assert conversation.conversation.is_read


def test_no_model_writes_a_title_for_a_program(program: Program, owner: User) -> None:
    write_response(program.ask(QUESTION)["id"], "Because")
    assert not Stream.objects.filter(source="title").exists()
    assert Conversation.objects.get().title == QUESTION


# Responses that are not stored


def ask_temporarily(program: Program, owner: User, **parameters: object) -> str:
    """Return the id of a response that is not stored, and not read either."""
    body = {"model": "demo", "input": "Why?", "store": False} | parameters
    program.post("/responses", body)
    stream = Stream.objects.owned_by(owner).order_by("id").last()
    assert stream is not None
    return f"resp_{stream.uuid.hex}"


def expire(**age: float) -> None:
    """Let time pass."""
    for row in Conversation.objects.exclude(expires_at=None):
        assert row.expires_at is not None
        row.expires_at -= timedelta(**age)
        row.save(update_fields=["expires_at"])
    delete_expired()


def test_a_response_that_is_not_stored_stays_an_hour_after_its_end(
    program: Program, owner: User
) -> None:
    id = ask_temporarily(program, owner)
    expire(hours=30)
    assert Conversation.objects.get().deleted_at is None, "it still runs"
    write_response(id, "Because")
    expire(minutes=59)
    assert Conversation.objects.get().deleted_at is None
    expire(minutes=2)
    assert program.get(f"/responses/{id}").status_code == 404
    Conversation.objects.update(deleted_at=Now() - timedelta(minutes=1))
    purge_deleted()
    assert not Conversation.objects.exists()
    assert not GatewayResponse.objects.exists()
    assert not Stream.objects.exists()
    assert not IdempotentRequest.objects.exists()


def test_a_response_that_is_not_stored_stays_a_minute_after_it_was_read(
    program: Program, owner: User
) -> None:
    id = ask_temporarily(program, owner)
    write_response(id, "Because")
    for _ in range(2):
        expire(seconds=1)
        assert program.get(f"/responses/{id}").data["store"] is False
    expire(seconds=61)
    assert program.get(f"/responses/{id}").status_code == 404


def test_a_stored_response_has_no_end(program: Program) -> None:
    id = program.ask()["id"]
    write_response(id, "Because")
    assert program.get(f"/responses/{id}").status_code == 200
    assert Conversation.objects.get().expires_at is None


def test_a_response_that_is_not_stored_can_not_be_continued(program: Program, owner: User) -> None:
    id = ask_temporarily(program, owner)
    write_response(id, "Because")
    body = {"model": "demo", "input": "And?", "previous_response_id": id}
    error = program.post("/responses", body).data["error"]
    assert error["code"] == "previous_response_not_found"


def test_one_that_is_not_stored_continues_a_copy(program: Program, owner: User) -> None:
    first = program.ask("A")["id"]
    write_response(first, "a")
    second = ask_temporarily(program, owner, input="B", previous_response_id=first)
    row = GatewayResponse.objects.get(stream=find_stream(second))
    turns = load_turns(row.conversation, row.answer.parent_id)
    assert [turn.text for turn in turns] == ["A", "a", "B"]
    assert Conversation.objects.count() == 2
