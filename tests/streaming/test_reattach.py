"""Replies that the provider stores continue without a seam, a second request or a lost
character."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from accounts.models import User
from streaming import journal, lifecycle, sources
from streaming.database import run_in_db
from streaming.events import StreamText
from streaming.models import Kind, State, Stream
from streaming.providers import errors, reattach
from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter
from streaming.providers.reply_source import ReplySource
from streaming.providers.types import CONTINUE_PROMPT, Request, Turn
from streaming.sources import StreamHandler
from tests.streaming.conftest import WorkerPool
from tests.streaming.factories import (
    SOURCE,
    abandon_stream,
    build_append,
    join_deltas,
    queue_stream,
    read_rows,
    reload_stream,
    start_stream,
    wait_for_row,
)
from tests.streaming.fake_source import FakeSource
from tools.fake_provider import Behaviour, ErrorAnswer, Fake, Piece
from tools.waiting import until_async

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = ("Kelp \ud83c", "\udf0a holds ", "fast, ", "é", "\n\n", "and sways", " above.")
COMPLETE = Behaviour.of(*WORDS).text


@pytest.fixture
def background(provider: Fake, fake_source: FakeSource) -> Fake:
    """The provider of all streams in this file. It stores the replies."""
    provider.reset()
    adapter = get_adapter("openai", base_url=provider.openai)

    def prepare(stream: Stream, text: StreamText) -> ReplySource:
        turns: tuple[Turn, ...] = (Turn("user", "Kelp?"),)
        if text.content:
            turns += (Turn("assistant", text.content), Turn("user", CONTINUE_PROMPT))
        request = Request("gpt-6.2-astra", turns, background=True)
        return ReplySource(adapter, request, Secret("sk-kept-0123456789"))

    handler = StreamHandler(prepare=prepare, load_text=lambda stream: StreamText())
    sources.register(SOURCE, handler)
    return provider


def count_generations(background: Fake) -> int:
    return [request.wire for request in background.requests()].count("openai.responses")


def is_completed(row: Stream) -> bool:
    return row.state == State.COMPLETED


async def wait_until_held(background: Fake, stream: Stream, sent: int) -> None:
    """Wait until the provider waits, and the text before is written with its position."""
    await asyncio.to_thread(background.wait_for, "held")
    # A delta that ends in half a character waits for the next one.
    written = Behaviour.of(*WORDS[: 0 if sent == 1 else sent]).text

    async def is_written() -> bool:
        has_upstream_id = bool((await run_in_db(reload_stream, stream)).upstream_id)
        return has_upstream_id and join_deltas(await run_in_db(read_rows, stream)) == written

    await until_async(is_written, within=10, what=f"{written!r} is written")


@pytest.mark.parametrize("sent", range(len(WORDS) + 1))
async def test_after_a_dead_worker_the_next_one_continues_the_exact_text(
    background: Fake, owner: User, worker_pool: WorkerPool, sent: int
) -> None:
    background.script(Behaviour.of(*WORDS, hold_after=(sent,)))
    await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    await wait_until_held(background, stream, sent)
    await run_in_db(abandon_stream, stream)
    await worker_pool.start()
    await asyncio.to_thread(background.wait, lambda seen: len(seen) == 2)
    background.release()
    row = await wait_for_row(stream, is_completed, within=20)
    written = await run_in_db(read_rows, stream)
    assert join_deltas(written) == COMPLETE
    assert Kind.SEAM not in {kind for _, kind, _, _ in written}
    assert (count_generations(background), row.attempts) == (1, 1)


async def test_a_draining_worker_releases_the_stored_reply_without_cancelling_it(
    background: Fake, owner: User, worker_pool: WorkerPool
) -> None:
    background.script(Behaviour.of(*WORDS, hold_after=(3,)))
    first = await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    await wait_until_held(background, stream, 3)
    await worker_pool.start()
    await worker_pool.drain(first)
    await asyncio.to_thread(background.wait, lambda seen: len(seen) == 2)
    background.release()
    await wait_for_row(stream, is_completed, within=20)
    assert join_deltas(await run_in_db(read_rows, stream)) == COMPLETE
    assert [request.wire for request in background.requests()] == [
        "openai.responses",
        "openai.responses.attached",
    ]


@pytest.mark.parametrize("cut_after", [0, 1, 4, len(WORDS)])
async def test_the_same_worker_reconnects_a_broken_connection(
    background: Fake,
    owner: User,
    worker_pool: WorkerPool,
    cut_after: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reattach, "REATTACH_DELAY_SECONDS", 0.01)
    background.script(Behaviour.of(*WORDS, cut_after=cut_after))
    await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    row = await wait_for_row(stream, is_completed, within=20)
    assert join_deltas(await run_in_db(read_rows, stream)) == COMPLETE
    assert (count_generations(background), row.epoch) == (1, 1)


async def test_reasoning_is_continued_as_well(
    background: Fake, owner: User, worker_pool: WorkerPool
) -> None:
    thoughts = (Piece("Hm, ", "reasoning"), Piece("tides.", "reasoning"), Piece("Yes."))
    background.script(Behaviour(thoughts, hold_after=(1,)))
    await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    await asyncio.to_thread(background.wait_for, "held")

    async def has_reasoning() -> bool:
        return join_deltas(await run_in_db(read_rows, stream), Kind.REASONING) == "Hm, "

    await until_async(has_reasoning, within=10, what="the first thought is written")
    await run_in_db(abandon_stream, stream)
    await worker_pool.start()
    await asyncio.to_thread(background.wait, lambda seen: len(seen) == 2)
    background.release()
    await wait_for_row(stream, is_completed, within=20)
    text = await run_in_db(journal.read_text, stream.pk)
    assert (text.reasoning, text.content, text.seams) == ("Hm, tides.", "Yes.", ())


async def test_an_expired_stored_reply_continues_as_usual(
    background: Fake, owner: User, worker_pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reattach, "REATTACH_DELAY_SECONDS", 0.01)
    background.script(
        Behaviour.of(*WORDS, hold_after=(3,)),
        Behaviour(on="attach", error=ErrorAnswer(404)),
        Behaviour.of("and the rest."),
    )
    await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    await wait_until_held(background, stream, 3)
    await run_in_db(abandon_stream, stream)
    await worker_pool.start()
    row = await wait_for_row(stream, is_completed, within=20)
    before = Behaviour.of(*WORDS[:3]).text
    text = await run_in_db(journal.read_text, stream.pk)
    assert (text.content, text.seams) == (before + "and the rest.", (len(before),))
    assert background.requests()[-1].prompt == CONTINUE_PROMPT
    assert (count_generations(background), row.state) == (2, "completed")


async def test_a_stop_cancels_the_reply_at_the_provider(
    background: Fake, owner: User, worker_pool: WorkerPool
) -> None:
    background.script(Behaviour.of(*WORDS, hold_after=(3,)))
    await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    await wait_until_held(background, stream, 3)
    await run_in_db(lifecycle.stop, stream.pk)
    _, cancelled = await asyncio.to_thread(background.wait, lambda seen: len(seen) == 2)
    assert cancelled.wire == "openai.responses.cancelled"
    assert background.requests()[0].state == "closed"


async def test_a_failed_stored_reply_is_requested_again_while_nothing_is_written(
    background: Fake, owner: User, worker_pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming.providers.retries.RETRY_DELAYS_SECONDS", (0.01, 0.01))
    background.script(Behaviour.of("lost", error_after=0), Behaviour.of("Kelp."))
    await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    await wait_for_row(stream, is_completed, within=20)
    assert join_deltas(await run_in_db(read_rows, stream)) == "Kelp."
    assert [request.wire for request in background.requests()] == ["openai.responses"] * 2


# Checkpoints


def test_the_checkpoint_is_written_with_the_text_or_not_at_all(owner: User) -> None:
    stream = start_stream(owner)
    entry = build_append(stream, "Kelp")
    assert journal.append([replace(entry, checkpoint="resp_1 7")]) == {stream.pk}
    late = replace(entry, checkpoint="resp_late 9")
    assert journal.append([late]) == set()
    assert reload_stream(stream).checkpoint == "resp_1 7"
    journal.append([build_append(reload_stream(stream), " holds")])
    assert reload_stream(stream).checkpoint == "resp_1 7"


def test_only_the_current_epoch_moves_the_checkpoint(owner: User) -> None:
    stream = start_stream(owner)
    assert not lifecycle.save_checkpoint(stream.pk, stream.epoch - 1, "resp_late 0")
    assert lifecycle.save_checkpoint(stream.pk, stream.epoch, "resp_1 0")
    assert reload_stream(stream).checkpoint == "resp_1 0"


@pytest.mark.parametrize("checkpoint", ["x" * 201 + " 1", "resp_1 " + "1" * 201, "r\0 1"])
def test_a_checkpoint_too_long_for_its_column_is_dropped(owner: User, checkpoint: str) -> None:
    stream = start_stream(owner)
    assert journal.append([replace(build_append(stream, "a"), checkpoint="resp_1 7")])
    assert journal.append(
        [replace(build_append(reload_stream(stream), "b"), checkpoint=checkpoint)]
    )
    assert reload_stream(stream).checkpoint == ""


@pytest.mark.parametrize("checkpoint", ["", "4096", "resp_1 7", "some file 17 4096"])
def test_a_checkpoint_is_read_as_it_was_written(owner: User, checkpoint: str) -> None:
    stream = start_stream(owner)
    assert journal.append([replace(build_append(stream, "Kelp"), checkpoint=checkpoint)])
    assert reload_stream(stream).checkpoint == checkpoint


@pytest.mark.parametrize(
    ("error", "gone"),
    [
        (errors.ConnectionFailed(), False),
        (errors.TimedOut(), False),
        (errors.Overloaded(status=503), False),
        (errors.Overloaded(), True),
        (errors.ModelNotFound(status=404), True),
        (errors.BadRequest(status=400), True),
    ],
)
def test_an_unreachable_stored_reply_is_not_expired(
    error: errors.ProviderError, gone: bool
) -> None:
    assert reattach.is_expired(error) is gone
