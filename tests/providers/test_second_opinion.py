"""The contract's core against aimock, a fake of the same wires that this project did not write.

The cases in which it differs from the real providers are left out by name: see DIFFERENCES.
"""

import asyncio
import json
import urllib.request
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from streaming.events import Delta, Finish
from streaming.providers import errors
from streaming.providers.adapter import Adapter, ReplyEvent
from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter
from streaming.providers.types import CONTINUE_PROMPT, Request, Timeouts, Turn
from tests.providers.factories import KEY, collect_until_error, join_text
from tests.providers.wires import WIRES, Wire
from tests.skipping import skip_or_fail
from tools.services.aimock import Aimock, Missing, aimock

TEXT = "Kelp 🌊 is anchored by a holdfast.\n\n| a | b |\n|---|---|\n"

DIFFERENCES = {
    ("openai", "length"): "Responses end with response.completed whatever the reason",
    ("openai", "content_filter"): "the same",
    ("anthropic", "content_filter"): "it sends a stop_reason that Anthropic does not have",
}
"""Known differences of aimock; docs/providers.md has the complete list."""


def build_error(status: int, code: str, kind: str = "invalid_request_error", **more: Any) -> Any:
    return {"error": {"message": "No.", "type": kind, "code": code}, "status": status, **more}


REPLIES: dict[str, dict[str, Any]] = {
    "plain": {"response": {"content": TEXT}, "chunkSize": 3},
    "thinking": {"response": {"content": "Yes.", "reasoning": "Hm, tides."}, "chunkSize": 4},
    "too long": {"response": {"content": "Too lo", "finishReason": "length"}},
    "filtered": {"response": {"content": "I must", "finishReason": "content_filter"}},
    "cut off": {
        "response": {"content": TEXT * 5},
        "latency": 20,
        "chunkSize": 6,
        "truncateAfterChunks": 10,
    },
    "slow": {"response": {"content": TEXT * 20}, "latency": 100, "chunkSize": 4},
    "late": {"response": {"content": "Late."}, "streamingProfile": {"ttft": 400, "tps": 100}},
    "wrong key": {"response": build_error(401, "invalid_api_key", "authentication_error")},
    "no model": {"response": build_error(404, "model_not_found", "not_found_error")},
    "limited": {
        "response": build_error(429, "rate_limit_exceeded", "rate_limit_error", retryAfter=7)
    },
    "overloaded": {"response": build_error(529, "overloaded", "overloaded_error")},
    "bad": {"response": build_error(400, "unsupported_value")},
}


@pytest.fixture(scope="module")
def mock() -> Iterator[Aimock]:
    fixtures = [{"match": {"userMessage": prompt}, **reply} for prompt, reply in REPLIES.items()]
    try:
        with aimock(json.dumps({"fixtures": fixtures})) as running:
            yield running
    except Missing as missing:
        skip_or_fail(str(missing))


@pytest.fixture(params=WIRES, ids=lambda wire: wire.name)
def wire(request: pytest.FixtureRequest) -> Wire:
    wire: Wire = request.param
    return wire


def build_call(mock: Aimock, wire: Wire, prompt: str, **options: Any) -> tuple[Adapter, Request]:
    adapter = get_adapter(wire.provider, base_url=mock.url + wire.path, **options)
    turns = (Turn("user", "Kelp?"), Turn("assistant", "It is"), Turn("user", prompt))
    return adapter, Request(wire.model, turns, system="Be brief.", max_tokens=500)


async def ask_mock(
    mock: Aimock, wire: Wire, prompt: str, **options: Any
) -> tuple[list[ReplyEvent], errors.ProviderError | None]:
    return await collect_until_error(*build_call(mock, wire, prompt, **options))


async def test_text_arrives_completely_and_ends_once(mock: Aimock, wire: Wire) -> None:
    events, error = await ask_mock(mock, wire, "plain")
    assert (join_text(events), error) == (TEXT, None)
    assert [type(event) for event in events[-2:]] == [Delta, Finish]
    assert len(events) > 5
    assert isinstance(events[-1], Finish)
    assert events[-1].reason == "stop"


async def test_reasoning_is_separate_from_the_text(mock: Aimock, wire: Wire) -> None:
    events, _ = await ask_mock(mock, wire, "thinking")
    assert (join_text(events, "reasoning"), join_text(events)) == ("Hm, tides.", "Yes.")


@pytest.mark.parametrize(
    ("prompt", "reason"), [("too long", "length"), ("filtered", "content_filter")]
)
async def test_a_reply_that_ends_early_says_why(
    mock: Aimock, wire: Wire, prompt: str, reason: str
) -> None:
    if difference := DIFFERENCES.get((wire.name, reason)):
        pytest.skip(f"aimock differs: {difference}")
    events, error = await ask_mock(mock, wire, prompt)
    assert error is None
    assert isinstance(events[-1], Finish)
    assert events[-1].reason == reason


async def test_a_cut_in_the_middle_is_an_interruption(mock: Aimock, wire: Wire) -> None:
    events, error = await ask_mock(mock, wire, "cut off")
    assert type(error) is errors.Interrupted
    assert TEXT.startswith(join_text(events)[: len(TEXT)])
    assert join_text(events)


async def test_a_late_first_token_is_waited_for(mock: Aimock, wire: Wire) -> None:
    events, error = await ask_mock(mock, wire, "late")
    assert (join_text(events), error) == ("Late.", None)


async def test_a_first_token_after_the_limit_times_out(mock: Aimock, wire: Wire) -> None:
    quick = Timeouts(connect=2.0, first_delta=0.15, idle=0.15)
    events, error = await ask_mock(mock, wire, "late", timeouts=quick)
    assert events == []
    assert isinstance(error, errors.TimedOut)  # NoResponse, where it is no provider's own server


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("wrong key", errors.InvalidKey),
        ("no model", errors.ModelNotFound),
        ("limited", errors.RateLimited),
        ("overloaded", errors.Overloaded),
        ("bad", errors.BadRequest),
        ("nothing fits this", errors.Overloaded),
    ],
)
async def test_an_error_is_classified_and_costs_one_request(
    mock: Aimock, wire: Wire, prompt: str, expected: type[errors.ProviderError]
) -> None:
    before = len(read_requests(mock))
    events, error = await ask_mock(mock, wire, prompt)
    assert (events, type(error)) == ([], expected)
    assert len(read_requests(mock)) == before + 1
    assert KEY not in repr(vars(error))


async def test_the_retry_time_is_on_the_error(mock: Aimock, wire: Wire) -> None:
    _, error = await ask_mock(mock, wire, "limited")
    assert error is not None
    assert error.retry_after == 7


async def test_a_stop_ends_at_once(mock: Aimock, wire: Wire) -> None:
    adapter, request = build_call(mock, wire, "slow")
    async with aclosing(adapter.stream(request, Secret(KEY))) as events:
        assert isinstance(await anext(events), Delta)
        waiting = await start_waiting(events)
        waiting.cancel()
        async with asyncio.timeout(1):
            await asyncio.wait([waiting])
    assert waiting.cancelled()


async def start_waiting(events: AsyncGenerator[ReplyEvent, None]) -> asyncio.Task[ReplyEvent]:
    """Return the task that waits for the next event. Several may have arrived in one piece."""
    while True:
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(0)
        if not waiting.done():
            return waiting
        assert isinstance(waiting.result(), Delta)


async def test_continuing_a_partial_reply_is_accepted(mock: Aimock, wire: Wire) -> None:
    _, error = await ask_mock(mock, wire, f"plain. {CONTINUE_PROMPT}")
    assert error is None


def read_requests(mock: Aimock) -> list[Any]:
    """Return the requests that it got."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{mock.url}/__aimock/journal") as answer:
        requests: Any = json.load(answer)
    found: list[Any] = requests if isinstance(requests, list) else requests["entries"]
    return found
