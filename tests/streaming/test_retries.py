"""Retries of a request: their number, delays and notes, and that a stop ends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from accounts.models import User
from streaming import lifecycle, sources
from streaming.database import run_in_db
from streaming.events import Delta, Finish, StreamText
from streaming.follow import StateChanged, follow_stream
from streaming.models import Stream
from streaming.providers import errors, retries
from streaming.providers.adapter import Adapter, ReplyEvent
from streaming.providers.errors import ProviderError
from streaming.providers.redaction import Secret
from streaming.providers.refusals import find_refused_part, is_permanent
from streaming.providers.registry import get_adapter
from streaming.providers.reply_source import ReplySource
from streaming.providers.types import Request, Turn
from streaming.sources import StreamHandler
from tests.streaming.conftest import WorkerPool
from tests.streaming.factories import (
    SOURCE,
    join_deltas,
    queue_stream,
    read_rows,
    reload_stream,
    wait_for_end,
)
from tools.fake_provider import Behaviour, ErrorAnswer, Fake, Piece
from tools.waiting import until_async

TEMPORARY_ERRORS = [errors.RateLimited, errors.Overloaded, errors.ConnectionFailed, errors.TimedOut]
PERMANENT_ERRORS = [
    errors.InvalidKey,
    errors.NoPermission,
    errors.NoCredit,
    errors.AccountSettings,
    errors.ContextTooLong,
    errors.ExceedsRateLimit,
    errors.OutOfMemory,
    errors.ModelNotFound,
    errors.WrongAddress,
    errors.NoResponse,
    errors.ProxyFailed,
    errors.BadRequest,
    errors.ContentRefused,
    errors.ProviderError,
]


# The rules, without a worker


@pytest.mark.parametrize("kind", TEMPORARY_ERRORS)
def test_a_temporary_error_is_tried_three_times_in_all(kind: type[ProviderError]) -> None:
    assert [retries.choose_retry_delay(kind(), tries) for tries in (1, 2, 3)] == [2.0, 4.0, None]


@pytest.mark.parametrize("kind", PERMANENT_ERRORS)
def test_a_permanent_error_is_not_retried(kind: type[ProviderError]) -> None:
    assert retries.choose_retry_delay(kind(), 1) is None


@pytest.mark.parametrize(
    ("retry_after", "pause"), [(0.5, 2.0), (7.0, 7.0), (60.0, 60.0), (60.5, None), (3600.0, None)]
)
def test_a_retry_waits_for_the_time_the_provider_names_up_to_a_minute(
    retry_after: float, pause: float | None
) -> None:
    assert retries.choose_retry_delay(errors.RateLimited(retry_after=retry_after), 1) == pause


@pytest.mark.parametrize(
    ("retry_after", "time"),
    [(61.0, "61 s"), (300.0, "5 min"), (301.0, "6 min"), (7200.0, "2 h"), (100_000.0, "28 h")],
)
def test_a_longer_time_is_in_the_error_message(retry_after: float, time: str) -> None:
    error = retries.add_retry_time(errors.RateLimited(provider="OpenAI", retry_after=retry_after))
    assert error.message == (f"You’ve hit the rate limit of OpenAI. Try again in {time}.")


def test_an_error_message_without_a_time_stays_unchanged() -> None:
    error = errors.Overloaded(provider="OpenAI", retry_after=3)
    assert retries.add_retry_time(error).message == errors.Overloaded(provider="OpenAI").message


def test_the_note_says_what_is_being_done() -> None:
    assert retries.format_waiting_note(errors.Overloaded(), 4.0, 1) == (
        "Overloaded. Retrying in 4 s (2 of 3)"
    )
    assert retries.format_waiting_note(errors.RateLimited(), 0.2, 2) == (
        "Rate limited. Retrying in 1 s (3 of 3)"
    )


REQUEST = Request("m", (Turn("user", "q"),), max_tokens=5, temperature=0.2, reasoning_effort="low")


@pytest.mark.parametrize(
    ("param", "parameter"),
    [
        ("temperature", "temperature"),
        ("generation_config.temperature", "temperature"),
        ("max_tokens", "max_tokens"),
        ("max_completion_tokens", "max_tokens"),
        ("max_output_tokens", "max_tokens"),
        ("maxOutputTokens", "max_tokens"),
        ("reasoning_effort", "reasoning_effort"),
        ("reasoning.effort", "reasoning_effort"),
        ("output_config.effort", "reasoning_effort"),
        ("thinking_config.thinking_level", "reasoning_effort"),
        ("messages", ""),
        ("", ""),
    ],
)
def test_a_refused_parameter_is_found_by_any_of_its_names(param: str, parameter: str) -> None:
    assert find_name(errors.BadRequest(param=param)) == parameter


@pytest.mark.parametrize(
    ("message", "parameter"),
    [
        ("`temperature` is deprecated for this model.", "temperature"),
        ("property 'reasoning_effort' is unsupported", "reasoning_effort"),
        ('"kelp" does not support thinking', "reasoning_effort"),
        ('Unknown name "maxOutputTokens": Cannot find field.', "max_tokens"),
        ("max_tokens must be at least 1", "max_tokens"),
        ("`temperature` may only be set to 1 when thinking is enabled", "temperature"),
        ("Your message about temperature is empty.", ""),
        ("", ""),
    ],
)
def test_a_refused_parameter_may_be_named_in_the_message_alone(
    message: str, parameter: str
) -> None:
    assert find_name(errors.BadRequest(detail=message)) == parameter


def test_a_parameter_that_was_not_sent_is_not_dropped() -> None:
    bare_request = Request("m", REQUEST.turns)
    assert find_name(errors.BadRequest(param="temperature"), bare_request) == ""
    assert find_name(errors.Overloaded()) == ""


def find_name(error: ProviderError, request: Request = REQUEST) -> str:
    part = find_refused_part(error, request)
    return part.name if part else ""


@pytest.mark.parametrize(
    ("message", "for_good"),
    [
        ("Unsupported parameter: 'max_tokens' is not supported with this model.", True),
        ("'temperature' does not support 0.2 with this model. Only the default (1) value", True),
        ("temperature: Extra inputs are not permitted", True),
        ("Unrecognized request argument supplied: reasoning_effort", True),
        ("max_tokens: 99999 > 8192, which is the maximum for this model", False),
        ("temperature: range: 0..1", False),
        ("", False),
    ],
)
def test_only_a_refusal_of_the_parameter_itself_is_permanent(message: str, for_good: bool) -> None:
    assert is_permanent(errors.BadRequest(param="x", detail=message)) is for_good


# With a worker

UpstreamStep = ProviderError | str


class Upstream:
    """A provider whose answers are given: texts and errors, one after the other."""

    def __init__(self, *steps: UpstreamStep) -> None:
        self.steps = list(steps)
        self.requests: list[Request] = []
        self.refused: list[str] = []
        self.adapter: Adapter = self
        handler = StreamHandler(
            prepare=self.prepare, finalize=self.finalize, load_text=self.load_text
        )
        sources.register(SOURCE, handler)

    def prepare(self, stream: Stream, text: StreamText) -> ReplySource:
        return ReplySource(self.adapter, REQUEST, Secret("key-1234"), self.record_refusal)

    async def record_refusal(self, parameter: str) -> None:
        self.refused.append(parameter)

    def finalize(self, stream: Stream) -> None:
        pass

    def load_text(self, stream: Stream) -> StreamText:
        return StreamText()

    async def stream(self, request: Request, key: Secret) -> AsyncGenerator[ReplyEvent, None]:
        self.requests.append(request)
        step = self.steps.pop(0)
        if isinstance(step, ProviderError):
            raise step
        yield Delta(step)
        after = self.steps.pop(0) if self.steps else ""
        if isinstance(after, ProviderError):
            raise after
        yield Finish("stop")


@pytest.fixture
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "RETRY_DELAYS_SECONDS", (0.05, 0.05))


db = pytest.mark.django_db(transaction=True)


@db
async def test_a_third_attempt_may_succeed(
    owner: User, worker_pool: WorkerPool, short_delays: None
) -> None:
    upstream = Upstream(errors.Overloaded(), errors.RateLimited(), "tide")
    await worker_pool.start()
    row = await wait_for_end(await run_in_db(queue_stream, owner), within=30)
    assert (row.state, row.note, row.attempts, row.epoch) == ("completed", "", 0, 1)
    assert join_deltas(await run_in_db(read_rows, row)) == "tide"
    assert len(upstream.requests) == 3


@db
async def test_a_third_failure_ends_the_stream_with_its_details(
    owner: User, worker_pool: WorkerPool, short_delays: None
) -> None:
    last = errors.Overloaded(provider="OpenAI", detail="{busy}", upstream_id="req_9")
    upstream = Upstream(errors.ConnectionFailed(), errors.TimedOut(), last, "never")
    await worker_pool.start()
    row = await wait_for_end(await run_in_db(queue_stream, owner), within=30)
    assert (row.state, row.error_class, row.error) == ("failed", "overloaded", last.message)
    assert (row.error_detail, row.upstream_id, row.note) == ("{busy}", "req_9", "")
    assert len(upstream.requests) == 3


@db
@pytest.mark.parametrize("kind", PERMANENT_ERRORS)
async def test_a_permanent_error_costs_one_request(
    owner: User, worker_pool: WorkerPool, kind: type[ProviderError]
) -> None:
    upstream = Upstream(kind(), "never")
    await worker_pool.start()
    row = await wait_for_end(await run_in_db(queue_stream, owner), within=30)
    assert (row.state, row.error_class) == ("failed", kind.code)
    assert len(upstream.requests) == 1


@db
async def test_after_text_is_written_there_is_no_retry(
    owner: User, worker_pool: WorkerPool, short_delays: None
) -> None:
    upstream = Upstream("half a ti", errors.Overloaded(), "never")
    await worker_pool.start()
    row = await wait_for_end(await run_in_db(queue_stream, owner), within=30)
    assert (row.state, row.error_class) == ("interrupted", "overloaded")
    assert join_deltas(await run_in_db(read_rows, row)) == "half a ti"
    assert len(upstream.requests) == 1


@db
@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ErrorAnswer(0, {"error": {"message": "boom"}}), "interrupted"),
        (ErrorAnswer(0, {"error": {"message": "<html><h1>502 Bad Gateway</h1>"}}), "interrupted"),
        (ErrorAnswer(0, {"error": {"message": "CUDA out of memory"}}), "interrupted"),
        (ErrorAnswer(0, {"error": {"message": "Context size has been exceeded."}}), "interrupted"),
        (ErrorAnswer(0, {"error": {"message": "slow down", "code": 429}}), "interrupted"),
        (ErrorAnswer(0, {"error": {"message": "no", "code": 401}}), "interrupted"),
        (ErrorAnswer(0, {"error": {"message": "no", "code": "insufficient_quota"}}), "interrupted"),
        (ErrorAnswer(0, {"error": {"message": "no", "code": "content_filter"}}), "failed"),
    ],
    ids=lambda value: str(value.body) if isinstance(value, ErrorAnswer) else value,
)
async def test_any_error_of_the_server_after_text_leaves_text_to_continue(
    owner: User, worker_pool: WorkerPool, fake: Fake, error: ErrorAnswer, state: str
) -> None:
    upstream = Upstream()
    upstream.adapter = get_adapter("local", base_url=fake.openai)
    await asyncio.to_thread(fake.script, Behaviour.of("half ", "a", error=error, error_after=2))
    await worker_pool.start()
    row = await wait_for_end(await run_in_db(queue_stream, owner), within=30)
    assert (row.state, join_deltas(await run_in_db(read_rows, row))) == (state, "half a")
    assert "Try again" not in row.error


@db
async def test_a_long_retry_time_is_not_waited_for(owner: User, worker_pool: WorkerPool) -> None:
    upstream = Upstream(errors.RateLimited(provider="OpenAI", retry_after=600), "never")
    await worker_pool.start()
    row = await wait_for_end(await run_in_db(queue_stream, owner), within=30)
    assert row.state == "failed"
    assert row.error.endswith("Try again in 10 min.")
    assert len(upstream.requests) == 1


@db
async def test_followers_see_the_retry_and_a_stop_ends_it_at_once(
    owner: User, worker_pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "RETRY_DELAYS_SECONDS", (50.0, 50.0))
    upstream = Upstream(errors.Overloaded(), "never")
    await worker_pool.start()
    stream = await run_in_db(queue_stream, owner)
    notes: list[str] = []

    async def read() -> None:
        async for event in follow_stream(stream):
            if isinstance(event, StateChanged):
                notes.append(event.note)

    reading = asyncio.create_task(read())
    message = "Overloaded. Retrying in 50 s (2 of 3)"

    async def has_note() -> bool:
        return message in notes

    await until_async(has_note, within=20, what="the follower gets the note")
    assert (await run_in_db(reload_stream, stream)).note == message
    assert await run_in_db(lifecycle.stop, stream.pk)
    await asyncio.wait_for(reading, 20)
    row = await run_in_db(reload_stream, stream)
    assert (row.state, row.note, len(upstream.requests)) == ("stopped", "", 1)


@db
async def test_an_unsupported_parameter_is_dropped_and_remembered(
    owner: User, worker_pool: WorkerPool
) -> None:
    refusal = errors.BadRequest(param="temperature", detail="'temperature' is not supported")
    upstream = Upstream(refusal, "tide")
    await worker_pool.start()
    row = await wait_for_end(await run_in_db(queue_stream, owner), within=30)
    assert (row.state, row.note) == ("completed", "")
    assert [request.temperature for request in upstream.requests] == [0.2, None]
    assert [request.max_tokens for request in upstream.requests] == [5, 5]
    assert upstream.refused == ["temperature"]


@db
async def test_a_refused_value_is_dropped_and_not_remembered(
    owner: User, worker_pool: WorkerPool
) -> None:
    upstream = Upstream(errors.BadRequest(param="max_tokens", detail="5 is too few"), "tide")
    await worker_pool.start()
    assert (
        await wait_for_end(await run_in_db(queue_stream, owner), within=30)
    ).state == "completed"
    assert [request.max_tokens for request in upstream.requests] == [5, None]
    assert upstream.refused == []


@db
async def test_a_refusal_of_a_dropped_parameter_ends_the_stream(
    owner: User, worker_pool: WorkerPool
) -> None:
    no = "temperature is not supported"
    upstream = Upstream(*(errors.BadRequest(param="temperature", detail=no) for _ in range(9)))
    await worker_pool.start()
    row = await wait_for_end(await run_in_db(queue_stream, owner), within=30)
    assert (row.state, row.error_class) == ("failed", "bad_request")
    assert len(upstream.requests) == 2


# The same through a socket


TIDE = Behaviour(pieces=(Piece("tide"),))


@db
@pytest.mark.parametrize(
    ("before", "state", "requests"),
    [
        ([Behaviour(error=ErrorAnswer(503))] * 2, "completed", 3),
        ([Behaviour(error=ErrorAnswer(429, headers={"retry-after": "0"}))], "completed", 2),
        ([Behaviour(cut_after=0)], "completed", 2),
        ([Behaviour(error=ErrorAnswer(503))] * 3, "failed", 3),
        ([Behaviour(error=ErrorAnswer(429, headers={"retry-after": "120"}))], "failed", 1),
        ([Behaviour(error=ErrorAnswer(401))], "failed", 1),
    ],
)
async def test_a_provider_gets_exactly_the_intended_requests(
    owner: User,
    worker_pool: WorkerPool,
    short_delays: None,
    fake: Fake,
    before: list[Behaviour],
    state: str,
    requests: int,
) -> None:
    upstream = Upstream()
    upstream.adapter = get_adapter("local", base_url=fake.openai)
    await asyncio.to_thread(fake.script, *before, TIDE)
    await worker_pool.start()
    row = await wait_for_end(await run_in_db(queue_stream, owner), within=30)
    assert row.state == state
    assert len(await asyncio.to_thread(fake.requests)) == requests
    assert join_deltas(await run_in_db(read_rows, row)) == ("tide" if state == "completed" else "")
