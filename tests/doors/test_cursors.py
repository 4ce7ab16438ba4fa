"""One table of cases, through every door: cursors × states × the owner, a stranger, nobody, and a
token without the right to read."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.models import GatewayResponse, Message
from streaming import journal, lifecycle
from streaming.models import Stream
from tests.chat.factories import claim_reply, finish_reply, start_reply, write_reply
from tests.doors.doors import DOORS, Told
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


def offer_to_gateway(stream: Stream) -> None:
    """The gateway shows only replies that were asked for through it."""
    answer = Message.objects.get(pk=stream.arguments["message"])
    GatewayResponse.objects.create(
        stream=stream,
        user=stream.owner,
        conversation=answer.conversation,
        answer=answer,
        parameters={"model": "demo"},
    )


def expect(door: str, state: str, cursor: int) -> Told:
    """The answer to the owner. Only event streams say that everything was read, because a browser
    asks again and again until then. Durable Streams and the gateway have no snapshots: they refuse
    a cursor that they can't continue after."""
    length, has_ended = LENGTHS.get(state, CHUNKS), state not in ("queued", "running")
    last = length - 1
    if door == "gateway":
        is_there = state != "folded without cuts" or cursor == -1
        if cursor > last or not is_there:
            return Told("bad_cursor")
        return Told("rest", "".join(PIECES[cursor + 1 : length]), last, has_ended)
    if door == "events" and has_ended and cursor >= 0 and cursor == max(last, 0):
        return Told("over", index=cursor, has_ended=True)
    if door == "durable streams" and cursor > last:
        return Told("bad_cursor")
    if door == "durable streams" and state == "folded without cuts" and 0 <= cursor < last:
        return Told("folded")
    is_rebuilt = state == "folded" and door == "chunks"
    is_whole = (state.startswith("folded") and not is_rebuilt) or cursor > last
    if is_whole and door != "durable streams":
        return Told("snapshot", TEXT if length else "", last, has_ended)
    return Told("rest", "".join(PIECES[cursor + 1 : length]), last, has_ended)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("state", STATES)
def test_the_owner_gets_the_answer_to_each_cursor(
    web: Web, owner: User, door: str, state: str
) -> None:
    stream = STATES[state](owner)
    offer_to_gateway(stream)
    token = create_token(owner, "Reader", [Scope.READ, Scope.GATEWAY], None)[1]
    last = LENGTHS.get(state, CHUNKS) - 1
    wrong: list[object] = []
    for cursor in VALID:
        told = DOORS[door](web.url, token, stream.uuid, str(cursor), last)
        if told != expect(door, state, cursor):
            wrong.append((cursor, told, expect(door, state, cursor)))
    for text in INVALID:
        told = DOORS[door](web.url, token, stream.uuid, text, last)
        if told != Told("bad_cursor"):
            wrong.append((text, told, "bad_cursor"))
    assert wrong == []


@pytest.mark.parametrize("door", DOORS)
def test_others_are_told_nothing_of_any_state(
    web: Web, owner: User, colleague: User, door: str
) -> None:
    stranger = create_token(colleague, "Reader", list(Scope), None)[1]
    other = Scope.READ if door == "gateway" else Scope.GATEWAY
    blind = create_token(owner, "Other", [other], None)[1]
    refusals = {stranger: "not_found", "": "signed_out", blind: "missing_right"}
    created = {state: create(owner) for state, create in STATES.items()}
    for stream in created.values():
        offer_to_gateway(stream)
    streams = {state: stream.uuid for state, stream in created.items()}
    streams["of nobody"] = uuid4()
    for name, uuid in streams.items():
        for cursor in (-1, CHUNKS - 1):
            for token, code in refusals.items():
                told = DOORS[door](web.url, token, uuid, str(cursor), CHUNKS - 1)
                expected = {Told(code), *([Told("refused")] if door == "socket" else [])}
                assert told in expected, (name, cursor, code)


@pytest.mark.parametrize("door", DOORS)
def test_the_owner_of_a_deleted_stream_is_told_what_a_stranger_is(
    web: Web, owner: User, door: str
) -> None:
    token = create_token(owner, "Reader", [Scope.READ, Scope.GATEWAY], None)[1]
    reply = start_reply(owner)
    finish_reply(reply, TEXT)
    offer_to_gateway(reply.stream)
    uuid: UUID = reply.stream.uuid
    assert DOORS[door](web.url, token, uuid, "-1", CHUNKS - 1).text == TEXT
    journal.delete_streams([reply.stream.pk])
    assert DOORS[door](web.url, token, uuid, "-1", CHUNKS - 1) == Told("not_found")
