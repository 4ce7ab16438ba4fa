"""Each ending adds what its stream used to the ledger: once, and as exactly as it is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings

from accounts.api_keys import keys
from accounts.models import LedgerEntry, User
from chat import conversations, replies
from chat.models import Conversation, Message
from chat.replies import Reply, consumption, titles
from chat.replies.context import estimate_tokens
from streaming import journal, lifecycle
from streaming.events import Finish, StreamText
from streaming.journal import Append
from streaming.lifecycle import Ending
from streaming.models import Kind, State, Stream
from streaming.providers.errors import RateLimited
from streaming.providers.tools import ToolCall
from tests.chat.factories import QUESTION, claim_reply, finish_reply, start_reply, write_reply
from tests.factories import Piece, build_chunks, run_at_once

pytestmark = pytest.mark.django_db

SECRET = "sk-harbour-0123456789-ab12"
USAGE = {"input": 1_000, "output": 200, "reasoning": 50, "cached": 400}
COMPLETED = Ending.from_finish(Finish("stop", USAGE))
TEXT = "Because of friction."
THOUGHT = "The tide drags on the floor of the sea, so the day grows longer. " * 10


@pytest.fixture(autouse=True)
def disable_titles() -> Iterator[None]:
    with override_settings(GENERATE_TITLES=False):
        yield


def ask(user: User, text: str = QUESTION) -> Reply:
    keys.save(user, "openai", SECRET)
    return start_reply(user, text, model="gpt-4.1")


def call_provider(reply: Reply) -> Stream:
    """Claim the reply and prepare its call, as a worker does."""
    stream = claim_reply(reply)
    replies.prepare(stream, StreamText())
    return stream


def append(stream: Stream, *pieces: Piece) -> None:
    stream.refresh_from_db()
    text = journal.read_text(stream.pk)
    offsets = {Kind.TEXT: len(text.content)}
    chunks = build_chunks(pieces, first=stream.next_index, offsets=offsets)
    assert journal.append([Append(stream.pk, stream.uuid, stream.epoch, tuple(chunks))])


def read_entry() -> LedgerEntry:
    return LedgerEntry.objects.get()


def test_a_completed_reply_counts_as_its_provider_counted(owner: User) -> None:
    reply = ask(owner)
    stream = call_provider(reply)
    append(stream, TEXT)
    assert lifecycle.end(stream.pk, stream.epoch, COMPLETED)
    entry = read_entry()
    assert (entry.user, entry.connection_id) == (owner, 0)
    assert (entry.provider, entry.model) == ("openai", "gpt-4.1")
    assert (entry.input_tokens, entry.output_tokens) == (1_000, 200)
    assert (entry.reasoning_tokens, entry.cached_tokens) == (50, 400)
    assert (entry.replies, entry.titles, entry.estimated, entry.unpriced) == (1, 0, 0, 0)
    assert entry.cost == Message.objects.get(pk=reply.answer.pk).cost


def test_a_stopped_reply_is_estimated_from_its_text(owner: User) -> None:
    stream = call_provider(ask(owner, text="x" * 3_000))
    append(stream, TEXT)
    lifecycle.stop(stream.pk)
    entry = read_entry()
    assert entry.input_tokens == pytest.approx(1_000, abs=10)
    assert entry.output_tokens == estimate_tokens(TEXT)
    assert (entry.replies, entry.estimated) == (1, 1)
    assert entry.cost > 0


def test_the_estimate_of_calls_is_without_their_state(owner: User) -> None:
    """A state repeats the reasoning, which counts already."""
    stream = call_provider(ask(owner))
    plain = ToolCall("call_1", "find_tide", '{"at": "Oban"}')
    signed = replace(plain, state="anthropic " + THOUGHT)
    lines = [(Kind.TOOL_CALL, call.to_line()) for call in (signed, plain)]
    append(stream, (Kind.REASONING, THOUGHT), *lines)
    lifecycle.stop(stream.pk)
    written = THOUGHT + 2 * (plain.name + plain.arguments)
    assert read_entry().output_tokens == estimate_tokens(written)


def test_a_reply_that_was_never_sent_to_a_provider_counts_nothing(owner: User) -> None:
    lifecycle.stop(ask(owner).stream.pk)
    assert not LedgerEntry.objects.exists()


def test_a_refused_request_counts_nothing(owner: User) -> None:
    stream = call_provider(ask(owner))
    refused = RateLimited(provider="OpenAI")
    refused.interrupted = False
    lifecycle.end(stream.pk, stream.epoch, Ending.from_error(refused))
    assert not LedgerEntry.objects.exists()


def test_a_failed_reply_counts_the_tokens_that_its_error_has(owner: User) -> None:
    stream = call_provider(ask(owner))
    lifecycle.end(stream.pk, stream.epoch, Ending(State.FAILED, error="?", usage=USAGE))
    assert (read_entry().input_tokens, read_entry().estimated) == (1_000, 0)


def test_a_reply_that_broke_off_is_estimated(owner: User) -> None:
    stream = call_provider(ask(owner))
    append(stream, TEXT)
    lifecycle.end(stream.pk, stream.epoch, Ending.interrupted("It broke off."))
    assert (read_entry().output_tokens, read_entry().estimated) == (estimate_tokens(TEXT), 1)


def test_the_demo_counts_nothing(owner: User) -> None:
    finish_reply(start_reply(owner))
    assert not LedgerEntry.objects.exists()


def test_a_deleted_conversation_changes_nothing_in_the_ledger(owner: User) -> None:
    reply = ask(owner)
    finish_reply(reply, ending=COMPLETED)
    before = LedgerEntry.objects.values().get()
    conversations.delete(reply.conversation)
    assert LedgerEntry.objects.values().get() == before


def test_a_reply_whose_conversation_is_deleted_while_it_runs_counts(owner: User) -> None:
    reply = ask(owner)
    stream = call_provider(reply)
    append(stream, TEXT)
    conversations.delete(reply.conversation)
    assert read_entry().output_tokens == estimate_tokens(TEXT)


def test_a_reply_whose_message_is_gone_counts(owner: User) -> None:
    reply = ask(owner)
    stream = call_provider(reply)
    Conversation.objects.filter(pk=reply.conversation.pk).delete()
    assert lifecycle.end(stream.pk, stream.epoch, COMPLETED)
    assert (read_entry().input_tokens, read_entry().unpriced) == (1_000, 0)


def test_an_ending_that_is_rolled_back_and_made_again_counts_once(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try fails after the ledger was written, so that the stream ends as failed."""
    stream, calls = call_provider(ask(owner)), []
    record = consumption.record_consumption

    def fail_once(*args: Any, **options: Any) -> None:
        record(*args, **options)
        calls.append(args)
        if len(calls) == 1:
            raise RuntimeError("a bug")

    monkeypatch.setattr(consumption, "record_consumption", fail_once)
    assert lifecycle.end(stream.pk, stream.epoch, COMPLETED)
    assert len(calls) == 2
    assert (read_entry().replies, read_entry().input_tokens) == (1, 1_000)


def test_a_second_stop_counts_nothing(owner: User) -> None:
    stream = call_provider(ask(owner))
    assert lifecycle.stop(stream.pk)
    assert not lifecycle.stop(stream.pk)
    assert not lifecycle.end(stream.pk, stream.epoch, COMPLETED)
    assert read_entry().replies == 1


def test_a_continued_stream_counts_its_own_text_only(owner: User) -> None:
    reply = ask(owner)
    stream = call_provider(reply)
    append(stream, TEXT * 10)
    lifecycle.stop(stream.pk)
    before = read_entry().output_tokens
    answer = Message.objects.get(pk=reply.answer.pk)
    further = replies.continue_reply(owner, answer=answer, request_id=uuid4())
    stream = claim_reply(further)
    replies.prepare(stream, journal.read_text(stream.pk))
    append(stream, " And more.")
    lifecycle.stop(stream.pk)
    assert read_entry().output_tokens == before + estimate_tokens(" And more.")
    assert read_entry().replies == 2


def test_an_attempt_whose_worker_died_is_estimated_and_added(owner: User) -> None:
    """Two calls were made: the provider counted the second one only."""
    stream = call_provider(ask(owner, text="x" * 3_000))
    append(stream, (Kind.REASONING, THOUGHT), TEXT)
    successor = lifecycle.register_worker("successor")
    Stream.objects.filter(pk=stream.pk).update(worker=None)
    stream.refresh_from_db()
    taken = lifecycle.claim_stream(successor, stream)
    assert taken
    replies.prepare(taken, journal.read_text(stream.pk))
    assert taken.arguments["call"]["earlier"] == pytest.approx(1_000, abs=10)
    append(taken, (Kind.REASONING, "Once more."), TEXT)
    assert lifecycle.end(taken.pk, taken.epoch, COMPLETED)
    entry = read_entry()
    assert entry.input_tokens == pytest.approx(2_000, abs=10)
    assert entry.output_tokens == 200 + estimate_tokens(TEXT + THOUGHT)
    assert (entry.replies, entry.estimated) == (1, 1)


def test_a_second_preparation_of_the_same_attempt_counts_once(owner: User) -> None:
    stream = call_provider(ask(owner))
    before = stream.arguments["call"]
    replies.prepare(stream, StreamText())
    assert stream.arguments["call"] == before


def test_a_model_without_a_price_counts_its_tokens(owner: User) -> None:
    with override_settings(OPENAI_BASE_URL="http://127.0.0.1:9/v1"):
        stream = call_provider(ask(owner))
        assert lifecycle.end(stream.pk, stream.epoch, COMPLETED)
    assert (read_entry().input_tokens, read_entry().unpriced) == (1_000, 1)
    assert read_entry().cost == 0


def test_a_stream_of_an_older_version_counts(owner: User) -> None:
    """Its worker stored no call, and its arguments name no provider."""
    reply = ask(owner)
    stream = write_reply(reply, TEXT)
    arguments = {name: stream.arguments[name] for name in ("message", "model")}
    Stream.objects.filter(pk=stream.pk).update(arguments=arguments)
    assert lifecycle.end(stream.pk, stream.epoch, COMPLETED)
    assert (read_entry().provider, read_entry().input_tokens) == ("openai", 1_000)


# Titles


@pytest.fixture
def title(owner: User) -> Stream:
    """A claimed and prepared title, when the reply has been counted."""
    with override_settings(GENERATE_TITLES=True):
        finish_reply(ask(owner))
    LedgerEntry.objects.all().delete()
    (stream,) = lifecycle.claim(lifecycle.register_worker("titles"), 10)
    titles.prepare(stream, StreamText())
    return stream


def test_a_title_counts(title: Stream) -> None:
    append(title, "The late tide")
    assert lifecycle.end(title.pk, title.epoch, COMPLETED)
    entry = read_entry()
    assert (entry.titles, entry.replies, entry.input_tokens) == (1, 0, 1_000)
    assert entry.model == title.arguments["model"]


def test_a_stopped_title_counts(title: Stream) -> None:
    append(title, "The late")
    lifecycle.stop(title.pk)
    assert (read_entry().titles, read_entry().estimated) == (1, 1)
    assert read_entry().output_tokens == estimate_tokens("The late")


@pytest.mark.django_db(transaction=True)
def test_replies_that_end_at_the_same_time_all_count(owner: User) -> None:
    streams = [call_provider(ask(owner)) for _ in range(4)]
    ended = run_at_once(*(lambda s=s: lifecycle.end(s.pk, s.epoch, COMPLETED) for s in streams))
    assert ended == [True] * 4
    assert (read_entry().replies, read_entry().input_tokens) == (4, 4_000)
    assert read_entry().cost == sum(
        (message.cost or Decimal() for message in Message.objects.filter(role="assistant")),
        Decimal(),
    )
