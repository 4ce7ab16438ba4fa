"""Anthropic only: the format of messages, and parameters that its API no longer takes."""

import json

import pytest

from streaming.events import Delta, Finish
from streaming.providers import anthropic, errors
from streaming.providers.adapter import ReplyEvent
from streaming.providers.registry import get_adapter
from streaming.providers.types import CONTINUE_PROMPT, Request, Turn, Usage
from tests.providers.factories import collect_events
from tools.fake_provider import Behaviour, ErrorAnswer, Fake, Piece
from tools.fake_provider import Usage as Claimed

KEY = "sk-ant-canary-0123456789"
TURNS = (Turn("user", "Kelp?"), Turn("assistant", "It is"), Turn("user", CONTINUE_PROMPT))


async def ask_claude(fake: Fake, request: Request) -> list[ReplyEvent]:
    adapter = get_adapter("anthropic", base_url=fake.anthropic)
    return await collect_events(adapter, request, KEY)


async def test_a_request_always_has_a_token_limit_and_readable_reasoning(fake: Fake) -> None:
    await ask_claude(fake, Request("claude-opus-5-5", TURNS))
    [record] = fake.requests()
    assert record.body == {
        "model": "claude-opus-5-5",
        "messages": [
            {"role": "user", "content": "Kelp?"},
            {"role": "assistant", "content": "It is"},
            {"role": "user", "content": CONTINUE_PROMPT},
        ],
        "max_tokens": anthropic.DEFAULT_MAX_TOKENS,
        "thinking": {"type": "adaptive", "display": "summarized"},
        "stream": True,
    }


@pytest.mark.filterwarnings("ignore:The model .* is deprecated")
@pytest.mark.parametrize(
    ("model", "thinks"),
    [
        ("claude-haiku-4-5", False),
        ("claude-sonnet-4-5-20250929", False),
        ("claude-opus-4-20250514", False),
        ("claude-3-7-sonnet-latest", False),
        ("claude-opus-4-6", True),
        ("claude-sonnet-5", True),
        ("claude-fable-5-2", True),
    ],
)
async def test_only_models_with_adaptive_thinking_get_the_thinking_parameter(
    fake: Fake, model: str, thinks: bool
) -> None:
    await ask_claude(fake, Request(model, TURNS))
    assert ("thinking" in fake.requests()[0].body) is thinks


async def test_a_temperature_is_sent_over_the_api_that_accepts_one(fake: Fake) -> None:
    await ask_claude(fake, Request("claude-opus-4-6", TURNS, temperature=0.5))
    [record] = fake.requests()
    assert record.body["temperature"] == 0.5
    assert "thinking" not in record.body
    assert record.headers["anthropic-version"] == "2023-06-01"


async def test_the_unsupported_parameter_is_named(fake: Fake) -> None:
    body = {"type": "invalid_request_error", "message": "max_tokens: 9 > 8, the maximum"}
    fake.script(Behaviour(error=ErrorAnswer(400, {"type": "error", "error": body})))
    with pytest.raises(errors.BadRequest) as caught:
        await ask_claude(fake, Request("claude-opus-5-5", TURNS))
    assert caught.value.param == "max_tokens"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("overloaded_error", errors.Overloaded),
        ("api_error", errors.Overloaded),
        ("rate_limit_error", errors.RateLimited),
        ("timeout_error", errors.TimedOut),
        ("something_new", errors.ProviderError),
    ],
)
async def test_an_error_in_the_middle_is_classified_by_its_type(
    fake: Fake, kind: str, expected: type[errors.ProviderError]
) -> None:
    body = {"type": "error", "error": {"type": kind, "message": "No."}}
    fake.script(Behaviour.of("Kelp", error=ErrorAnswer(0, body), error_after=1))
    with pytest.raises(errors.ProviderError) as caught:
        await ask_claude(fake, Request("claude-opus-5-5", TURNS))
    assert type(caught.value) is expected
    assert caught.value.status is None


async def test_alternating_reasoning_and_text_stay_in_order(fake: Fake) -> None:
    pieces = (Piece("a", "reasoning"), Piece("b"), Piece("c", "reasoning"), Piece("d"))
    fake.script(Behaviour(pieces))
    events = await ask_claude(fake, Request("claude-opus-5-5", TURNS))
    assert events[:-1] == [Delta("a", "reasoning"), Delta("b"), Delta("c", "reasoning"), Delta("d")]


def test_tokens_written_to_the_cache_count_as_input() -> None:
    counted = {
        "input_tokens": 10,
        "cache_read_input_tokens": 200,
        "cache_creation_input_tokens": 3_000,
        "output_tokens": 5,
    }
    assert anthropic.parse_usage(counted) == Usage(
        input=3_210, output=5, cached=200, cache_written=3_000
    )


def test_a_null_count_does_not_overwrite_an_earlier_one() -> None:
    before = Usage(input=10, output=5, reasoning=2, cached=1)
    nothing = {"input_tokens": None, "output_tokens": None, "output_tokens_details": None}
    assert before.updated_by(anthropic.parse_usage(nothing)) == before


async def test_a_stop_reason_counts_although_the_last_event_is_missing(fake: Fake) -> None:
    body = (
        b'event: message_delta\ndata: {"type": "message_delta", "delta": '
        b'{"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}\n\n'
    )
    fake.script(Behaviour(extra=body, cut_after=0, usage=None))
    events = await ask_claude(fake, Request("claude-opus-5-5", TURNS))
    assert events == [Finish("stop", Usage(output=2).to_counts(), "req_fake")]


async def test_a_last_event_without_a_reason_completes_with_reason_unknown(fake: Fake) -> None:
    stop = b'event: message_stop\ndata: {"type": "message_stop"}\n\n'
    started = {"type": "content_block_start", "content_block": {"type": "text", "text": "Kelp"}}
    body = b"data: " + json.dumps(started).encode() + b"\n\n" + stop
    record = Request("claude-opus-5-5", TURNS[:1])
    fake.script(Behaviour(extra=body))
    assert await ask_claude(fake, record) == [Delta("Kelp"), Finish("unknown", None, "req_fake")]


async def test_the_servers_environment_stays_out_of_the_request(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask_claude(fake, Request("claude-opus-5-5", TURNS))
    for name in ("API_KEY", "AUTH_TOKEN", "BASE_URL", "CUSTOM_HEADERS", "PROFILE"):
        monkeypatch.setenv(f"ANTHROPIC_{name}", "x-administrator: http://127.0.0.1:1")
    await ask_claude(fake, Request("claude-opus-5-5", TURNS))
    before, after = fake.requests()
    assert (after.key, after.headers) == (before.key, before.headers)


async def test_missing_counts_of_usage_are_zero(fake: Fake) -> None:
    fake.script(Behaviour.of("Kelp", usage=Claimed(input=9, output=4)))
    events = await ask_claude(fake, Request("claude-opus-5-5", TURNS))
    assert events[-1] == Finish("stop", Usage(9, 4, 0, 0).to_counts(), "req_fake")


async def test_the_category_of_a_refusal_is_kept(fake: Fake) -> None:
    delta = {"stop_reason": "refusal", "stop_details": {"type": "refusal", "category": "bio"}}
    lines = [{"type": "message_delta", "delta": delta}, {"type": "message_stop"}]
    body = "".join(f"data: {json.dumps(line)}\n\n" for line in lines)
    fake.script(Behaviour(extra=body.encode()))
    events = await ask_claude(fake, Request("claude-opus-5-5", TURNS))
    assert events == [Finish("refusal", None, "req_fake", "bio")]
