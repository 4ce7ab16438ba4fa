"""Google only: versions, thinking by level or budget, blocked prompts, delays in details."""

import json
from typing import Any

import pytest

from streaming.events import Finish
from streaming.providers import errors, google
from streaming.providers.adapter import ReplyEvent
from streaming.providers.registry import get_adapter
from streaming.providers.types import CONTINUE_PROMPT, Request, Turn, Usage
from tests.providers.factories import collect_events, collect_until_error, join_text
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

KEY = "AIza-canary-0123456789"
TURNS = (Turn("user", "Kelp?"), Turn("assistant", "It is"), Turn("user", CONTINUE_PROMPT))
FLASH = Request("gemini-3.8-flash", TURNS)


async def ask_gemini(fake: Fake, request: Request = FLASH, base_url: str = "") -> list[ReplyEvent]:
    adapter = get_adapter("google", base_url=base_url or fake.google)
    return await collect_events(adapter, request, KEY)


async def test_turns_and_settings_are_converted_to_googles_format(fake: Fake) -> None:
    await ask_gemini(fake, Request("gemini-3.8-flash", TURNS, system="Be brief.", max_tokens=50))
    [record] = fake.requests()
    assert record.path == "/v1beta/models/gemini-3.8-flash:streamGenerateContent"
    assert [turn["role"] for turn in record.body["contents"]] == ["user", "model", "user"]
    assert record.body["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert record.body["generationConfig"] == {
        "maxOutputTokens": 50,
        "thinkingConfig": {"include_thoughts": True},
    }


@pytest.mark.parametrize(
    ("suffix", "version"),
    [("", "v1"), ("/v1", "v1"), ("/v1beta", "v1beta"), ("/v1beta/", "v1beta")],
)
async def test_the_base_url_may_name_the_version(fake: Fake, suffix: str, version: str) -> None:
    await ask_gemini(fake, base_url=fake.url + suffix)
    assert fake.requests()[0].path.startswith(f"/{version}/models/")


@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        ("gemini-3.8-flash", "high", {"include_thoughts": True, "thinking_level": "HIGH"}),
        ("gemini-3.8-flash", "unheard-of", {"include_thoughts": True}),
        ("gemini-2.5-flash", "low", {"include_thoughts": True, "thinking_budget": 2_048}),
        ("gemini-2.5-pro", None, {"include_thoughts": True}),
        ("gemini-2.0-flash", "high", None),
    ],
)
async def test_the_reasoning_effort_is_sent_in_each_models_format(
    fake: Fake, model: str, effort: str | None, thinking: dict[str, object] | None
) -> None:
    await ask_gemini(fake, Request(model, TURNS, reasoning_effort=effort))
    sent = fake.requests()[0].body.get("generationConfig", {})
    assert sent.get("thinkingConfig") == thinking


async def test_a_blocked_prompt_is_refused(fake: Fake) -> None:
    body = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    fake.script(Behaviour(extra=b"data: " + json.dumps(body).encode() + b"\n\n"))
    with pytest.raises(errors.ContentRefused) as caught:
        await ask_gemini(fake)
    assert "PROHIBITED_CONTENT" in caught.value.detail
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("delay", "headers", "seconds"),
    [("37s", {}, 37.0), ("1.5s", {}, 1.5), ("soon", {}, None), ("37s", {"retry-after": "2"}, 2.0)],
)
async def test_the_retry_time_may_be_in_the_details(
    fake: Fake, delay: str, headers: dict[str, str], seconds: float | None
) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    body = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [info, "odd"]}}
    fake.script(Behaviour(error=ErrorAnswer(429, body, headers)))
    with pytest.raises(errors.RateLimited) as caught:
        await ask_gemini(fake)
    assert caught.value.retry_after == seconds


async def test_a_continuation_token_causes_no_second_request(fake: Fake) -> None:
    token = {"candidates": [{"finishReason": "CONTINUATION", "continuationToken": "dGlkZQ=="}]}
    fake.script(Behaviour(extra=b"data: " + json.dumps(token).encode() + b"\n\n", end_after=0))
    await ask_gemini(fake)
    assert len(fake.requests()) == 1


async def test_the_unsupported_parameter_is_named(fake: Fake) -> None:
    for message, param in (
        ("Unable to submit: thinking_level is not supported by this model.", ""),
        ("thinking_level is not supported by this model.", "thinking_level"),
        ('Invalid JSON payload received. Unknown name "topK": Cannot find field.', "topK"),
    ):
        body = {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": message}}
        fake.script(Behaviour(error=ErrorAnswer(400, body)))
        with pytest.raises(errors.BadRequest) as caught:
            await ask_gemini(fake)
        assert caught.value.param == param


async def test_the_servers_environment_stays_out_of_the_request(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask_gemini(fake)
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.setenv(name, "of-the-administrator")
    for name in ("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "v9")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:1")
    await ask_gemini(fake)
    before, after = fake.requests()
    assert (after.key, after.path, after.headers) == (before.key, before.path, before.headers)


def test_reasoning_tokens_are_part_of_the_output() -> None:
    counted = {"promptTokenCount": 9, "candidatesTokenCount": 20, "thoughtsTokenCount": 30}
    assert google.parse_usage(counted) == Usage(input=9, output=50, reasoning=30)


async def test_reasons_may_be_numbers_of_the_enumeration(fake: Fake) -> None:
    for number, ours in ((1, "stop"), (2, "length"), (3, "content_filter")):
        candidate = {"content": {"parts": [{"text": "Kelp"}]}, "finishReason": number}
        body = f"data: {json.dumps({'candidates': [candidate]})}\n\n"
        fake.script(Behaviour(error=ErrorAnswer(200, body)))
        end = (await ask_gemini(fake))[-1]
        assert isinstance(end, Finish)
        assert (number, end.reason) == (number, ours)


def build_chunk(text: str, **candidate: str) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": [{"text": text}]}, **candidate}]}


@pytest.mark.parametrize("indent", [None, 2], ids=["in one line", "in many lines"])
@pytest.mark.parametrize(
    ("document", "reason", "word"),
    [
        (build_chunk("Kelp."), "unknown", ""),
        ([build_chunk("Ke"), build_chunk("lp.")], "unknown", ""),
        ([build_chunk("Ke"), build_chunk("lp.", finishReason="MAX_TOKENS")], "length", ""),
        (build_chunk("Kelp.", finishReason="SOMETHING_NEW"), "other", "SOMETHING_NEW"),
        (build_chunk("Kelp.", finishReason="FINISH_REASON_UNSPECIFIED"), "unknown", ""),
    ],
)
async def test_the_end_of_a_whole_document_is_the_end_of_the_reply(
    fake: Fake, document: Any, reason: str, word: str, indent: int | None
) -> None:
    fake.script(Behaviour(error=ErrorAnswer(200, json.dumps(document, indent=indent))))
    *events, end = await ask_gemini(fake)
    assert join_text(events) == "Kelp."
    assert isinstance(end, Finish)
    assert (end.reason, end.detail) == (reason, word)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([build_chunk("Ke"), build_chunk("lp.")])[:-1],
        f"data: {json.dumps(build_chunk('Kelp.'))}\n\n",
        json.dumps({"usageMetadata": {"promptTokenCount": 9}}),
    ],
    ids=["a list that is cut", "a stream", "a document without a reply"],
)
async def test_no_other_end_without_a_reason_completes_a_reply(fake: Fake, body: str) -> None:
    fake.script(Behaviour(error=ErrorAnswer(200, body)))
    adapter = get_adapter("google", base_url=fake.google)
    events, _ = await collect_until_error(adapter, FLASH, KEY)
    assert not any(isinstance(event, Finish) for event in events)


def encode_events(*events: dict[str, Any]) -> str:
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events)


async def test_events_in_snake_case_are_read(fake: Fake) -> None:
    part = {"text": "Kelp.", "thought": None, "function_call": None}
    candidate = {"content": {"parts": [part]}, "finish_reason": None, "index": None}
    usage = {"prompt_token_count": 3, "candidates_token_count": 2, "cached_content_token_count": 1}
    first = {"candidates": [candidate], "usage_metadata": None, "response_id": "snake"}
    end = {"content": None, "finish_reason": "MAX_TOKENS"}
    body = encode_events(first, {"candidates": [end], "usage_metadata": usage})
    fake.script(Behaviour(error=ErrorAnswer(200, body)))
    *_, finish = await ask_gemini(fake)
    assert isinstance(finish, Finish)
    assert finish.reason == "length"
    assert finish.usage == {"input": 3, "output": 2, "cached": 1}


async def test_a_reason_alone_may_be_in_snake_case(fake: Fake) -> None:
    candidate = {"content": {"parts": [{"text": "Kelp."}]}, "finish_reason": "MAX_TOKENS"}
    body = encode_events({"candidates": [candidate], "usageMetadata": {"promptTokenCount": 3}})
    fake.script(Behaviour(error=ErrorAnswer(200, body)))
    *_, finish = await ask_gemini(fake)
    assert isinstance(finish, Finish)
    assert finish.reason == "length"


async def test_a_blocked_prompt_in_snake_case_says_so(fake: Fake) -> None:
    body = encode_events({"candidates": None, "prompt_feedback": {"block_reason": "SAFETY"}})
    fake.script(Behaviour(error=ErrorAnswer(200, body)))
    _, error = await collect_until_error(get_adapter("google", base_url=fake.google), FLASH, KEY)
    assert isinstance(error, errors.ContentRefused)
