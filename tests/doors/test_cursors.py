"""One table of cases, through every door: cursors × states × the owner, a stranger, nobody, and a
token without the right to read."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from streaming import journal, lifecycle
from streaming.models import Stream
from tests.chat.factories import claim_reply, finish_reply, start_reply, write_reply
from tests.doors.doors import DOORS, WITHOUT_CURSORS
from tests.doors.offers import offer_everywhere
from tests.doors.told import Told
from tests.streaming.factories import COMPLETED
from tools.deployment.deployment import Web

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "Because of friction, and of the shape of the sea."
PIECES = re.findall(r"\S+\s*", TEXT)
CHUNKS = len(PIECES)
VALID = [-1, 0, 3, CHUNKS - 2, CHUNKS - 1, CHUNKS, CHUNKS + 50, 2**53 - 1]
INVALID = ["-2", str(2**53), "1.5", "x", "", "+1", "01", "null", "1e3", "\N{SUPERSCRIPT TWO}"]


# States


def create_queued(owner: User) -> Stream:
    return start_reply(owner).stream


def create_running(owner: User) -> Stream:
    return write_reply(start_reply(owner), TEXT)


def create_ended(owner: User) -> Stream:
    reply = start_reply(owner)
    finish_reply(reply, TEXT)
    return reply.stream


def create_empty(owner: User) -> Stream:
    """Ended without any text."""
    stream = claim_reply(start_reply(owner))
    assert lifecycle.end(stream.pk, stream.epoch, COMPLETED)
    return stream


def create_folded(owner: User) -> Stream:
    """Its chunks can be built again."""
    stream = create_ended(owner)
    text, rows = journal.read_text_and_rows(stream.pk)
    assert text.content == TEXT
    journal.fold_chunks(stream.pk, journal.pack_chunks(rows))
    return stream


def create_folded_without_cuts(owner: User) -> Stream:
    """As an older version folds it."""
    stream = create_ended(owner)
    journal.fold_chunks(stream.pk)
    return stream


STATES: dict[str, Callable[[User], Stream]] = {
    "queued": create_queued,
    "running": create_running,
    "ended": create_ended,
    "empty": create_empty,
    "folded": create_folded,
    "folded without cuts": create_folded_without_cuts,
}
LENGTHS = {"queued": 0, "empty": 0}


# Answers


def expect(door: str, state: str, cursor: int) -> Told:
    """The answer to the owner."""
    length, has_ended = LENGTHS.get(state, CHUNKS), state not in ("queued", "running")
    last = length - 1
    whole = Told("snapshot", TEXT if length else "", last, has_ended)
    rest = Told("rest", "".join(PIECES[cursor + 1 : length]), last, has_ended)
    is_beyond, is_inside = cursor > last, 0 <= cursor < last
    is_lost = state == "folded without cuts" and cursor >= 0
    match door:
        case "gateway":  # has no snapshots: it refuses a cursor that it can't continue after
            return Told("bad_cursor") if is_beyond or is_lost else rest
        case "durable streams" | "LangGraph":
            if is_beyond:
                return Told("bad_cursor")
            return Told("folded") if is_lost and is_inside else rest
        case "AI SDK":  # the event of the end has an index of its own
            if has_ended and cursor == length:
                return Told("over")
            answer = whole if is_beyond or is_lost else rest
            return replace(answer, index=length) if has_ended else answer
        case "AG-UI":
            return replace(whole, index=-1)
        case "events" if has_ended and cursor >= 0 and cursor == max(last, 0):
            # A browser asks again until this answer.
            return Told("over", index=cursor, has_ended=True)
        case "chunks":
            return whole if is_beyond or state == "folded without cuts" else rest
        case _:
            return whole if is_beyond or state.startswith("folded") else rest


def expect_invalid(door: str, state: str, text: str) -> Told:
    """A header without a value is none at all."""
    is_none = door == "LangGraph" and not text
    return expect(door, state, -1) if is_none else Told("bad_cursor")


def expect_nothing(door: str) -> Told:
    """The answer to somebody whose reply it is not."""
    return Told("over" if door == "AI SDK" else "not_found")


# Tests


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("state", STATES)
def test_the_owner_gets_the_answer_to_each_cursor(
    web: Web, owner: User, door: str, state: str
) -> None:
    stream = STATES[state](owner)
    offer_everywhere(stream)
    token = create_token(owner, "Reader", list(Scope), None)[1]
    last = LENGTHS.get(state, CHUNKS) - 1
    expected = {str(cursor): expect(door, state, cursor) for cursor in VALID}
    expected |= {text: expect_invalid(door, state, text) for text in INVALID}
    if door in WITHOUT_CURSORS:
        expected = {"-1": expected["-1"]}
    wrong: list[object] = []
    for cursor, answer in expected.items():
        told = DOORS[door](web.url, token, stream.uuid, cursor, last)
        if told != answer:
            wrong.append((cursor, told, answer))
    assert wrong == []


@pytest.mark.parametrize("door", DOORS)
def test_others_are_told_nothing_of_any_state(
    web: Web, owner: User, colleague: User, door: str
) -> None:
    stranger = create_token(colleague, "Reader", list(Scope), None)[1]
    other = Scope.READ if door == "gateway" else Scope.GATEWAY
    blind = create_token(owner, "Other", [other], None)[1]
    refusals = {
        stranger: expect_nothing(door),
        "": Told("signed_out"),
        blind: Told("missing_right"),
    }
    created = {state: create(owner) for state, create in STATES.items()}
    for stream in created.values():
        offer_everywhere(stream)
    streams = {state: stream.uuid for state, stream in created.items()}
    streams["of nobody"] = uuid4()
    for name, uuid in streams.items():
        for cursor in (-1, CHUNKS - 1):
            for token, refusal in refusals.items():
                told = DOORS[door](web.url, token, uuid, str(cursor), CHUNKS - 1)
                expected = {refusal, *([Told("refused")] if door == "socket" else [])}
                assert told in expected, (name, cursor, refusal)


@pytest.mark.parametrize("door", DOORS)
def test_the_owner_of_a_deleted_stream_is_told_what_a_stranger_is(
    web: Web, owner: User, door: str
) -> None:
    token = create_token(owner, "Reader", list(Scope), None)[1]
    reply = start_reply(owner)
    finish_reply(reply, TEXT)
    offer_everywhere(reply.stream)
    uuid: UUID = reply.stream.uuid
    assert DOORS[door](web.url, token, uuid, "-1", CHUNKS - 1).text == TEXT
    journal.delete_streams([reply.stream.pk])
    assert DOORS[door](web.url, token, uuid, "-1", CHUNKS - 1) == expect_nothing(door)
