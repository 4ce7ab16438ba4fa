"""Chat Completions only: the format of requests, and the oddities of compatible servers."""

import json
from dataclasses import replace
from typing import Any

import pytest

from streaming.events import Delta, Finish
from streaming.providers import errors
from streaming.providers.adapter import ReplyEvent
from streaming.providers.http import call as calls
from streaming.providers.openai import chat_completions
from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter
from streaming.providers.types import CONTINUE_PROMPT, Request, Turn, Usage
from tests.providers.factories import collect_events
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

KEY = "sk-canary-0123456789"
TURNS = (Turn("user", "Kelp?"), Turn("assistant", "It is"), Turn("user", CONTINUE_PROMPT))


async def ask_ollama(fake: Fake, request: Request | None = None) -> list[ReplyEvent]:
    request = request or Request("gpt-4o", TURNS)
    adapter = get_adapter("ollama", base_url=fake.openai)
    return await collect_events(adapter, request, KEY)


def encode_event(**chunk: Any) -> bytes:
    return b"data: " + json.dumps({"id": "chatcmpl-1", "choices": [], **chunk}).encode() + b"\n\n"


def encode_choice(finish: str | None = None, **delta: Any) -> bytes:
    return encode_event(choices=[{"index": 0, "delta": delta, "finish_reason": finish}])


async def test_unset_parameters_are_not_sent(fake: Fake) -> None:
    await ask_ollama(fake)
    [record] = fake.requests()
    assert record.path == "/v1/chat/completions"
    assert record.body == {
        "model": "gpt-4o",
        "messages": [
            {"role": "user", "content": "Kelp?"},
            {"role": "assistant", "content": "It is"},
            {"role": "user", "content": CONTINUE_PROMPT},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_all_set_parameters_are_sent(fake: Fake) -> None:
    request = Request("llama", TURNS, system="Be brief.", max_tokens=50, temperature=0.0)
    await ask_ollama(fake, request)
    [record] = fake.requests()
    assert record.body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert record.body["max_tokens"] == 50
    assert record.body["temperature"] == 0.0


def test_openai_itself_gets_the_newer_parameter_names() -> None:
    sent = chat_completions.build_body(
        Request("gpt-6.2-astra", TURNS, max_tokens=50), is_official=True
    )
    assert sent["max_completion_tokens"] == 50
    assert "max_tokens" not in sent
    assert sent["stream_options"] == {"include_usage": True, "include_obfuscation": False}


@pytest.mark.parametrize(
    ("base_url", "official"),
    [
        ("", True),
        ("https://api.openai.com/v1/", True),
        ("http://127.0.0.1:11434/v1", False),
        ("https://api.openai.com.example/v1", False),
    ],
)
def test_openai_itself_is_recognised_by_its_host(base_url: str, official: bool) -> None:
    assert chat_completions.ChatCompletionsAdapter(base_url=base_url).is_official is official


async def test_the_servers_environment_stays_out_of_the_request(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask_ollama(fake)
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID", "BASE_URL"):
        monkeypatch.setenv(f"OPENAI_{name}", "http://127.0.0.1:1/of-the-administrator")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-administrator: yes")
    await ask_ollama(fake)
    before, after = fake.requests()
    assert (after.key, after.headers) == (before.key, before.headers)


async def test_both_field_names_of_reasoning_are_read(fake: Fake) -> None:
    body = (
        encode_choice(reasoning="a")
        + encode_choice(reasoning_content="b")
        + encode_choice(content="c")
    )
    fake.script(Behaviour(extra=body))
    events = await ask_ollama(fake)
    assert events[:-1] == [Delta("a", "reasoning"), Delta("b", "reasoning"), Delta("c")]


async def test_reasoning_of_an_unknown_shape_fails_no_reply(fake: Fake) -> None:
    body = encode_choice(reasoning={"effort": "low"}) + encode_choice(reasoning=[5], content="c")
    fake.script(Behaviour(extra=body))
    assert (await ask_ollama(fake))[:-1] == [Delta("c")]


async def test_content_in_parts_is_split_into_text_and_reasoning(fake: Fake) -> None:
    thoughts = [{"type": "thinking", "thinking": [{"type": "text", "text": t}]} for t in "ab"]
    text = {"type": "text", "text": "c"}
    body = encode_choice(content=thoughts) + encode_choice(
        content=[text, {"type": "reference", "ids": [1]}]
    )
    fake.script(Behaviour(extra=body + encode_choice(content=[])))
    events = await ask_ollama(fake)
    assert events[:-1] == [Delta("a", "reasoning"), Delta("b", "reasoning"), Delta("c")]


async def test_the_first_of_several_choices_is_used(fake: Fake) -> None:
    second = {"index": 1, "delta": {"content": "no"}, "finish_reason": "length"}
    first = {"index": 0, "delta": {"content": "Yes"}}
    body = (
        encode_event(choices=[second, first])
        + encode_event(choices=[second])
        + encode_choice("stop")
    )
    fake.script(Behaviour(extra=body, end_after=0))
    assert await ask_ollama(fake) == [Delta("Yes"), Finish("stop", None, "req_fake")]


async def test_null_fields_are_ignored(fake: Fake) -> None:
    body = (
        encode_event(choices=None, usage=None)
        + encode_event(choices=[{"index": 0, "delta": None, "finish_reason": None}])
        + encode_choice(content=None, refusal=None, tool_calls=None)
        + encode_choice("stop", content="Yes")
        + encode_event(usage={"prompt_tokens": 3, "completion_tokens": None})
    )
    fake.script(Behaviour(extra=body, end_after=0))
    assert await ask_ollama(fake) == [
        Delta("Yes"),
        Finish("stop", Usage(input=3).to_counts(), "req_fake"),
    ]


async def test_a_response_without_streaming_is_a_reply(fake: Fake) -> None:
    message = {"role": "assistant", "content": "Yes"}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    fake.script(Behaviour(error=ErrorAnswer(200, body)))
    assert await ask_ollama(fake) == [Delta("Yes"), Finish("stop", None, "req_fake")]


@pytest.mark.parametrize(
    "body",
    [
        encode_event(error={"message": "full", "code": 503}),
        encode_event(
            error={"message": "full", "code": "overloaded"}, choices=[{"finish_reason": "error"}]
        ),
        encode_event(object="error", message="full", type="overloaded_error"),
        b'event: error\ndata: {"message": "full", "code": "overloaded"}\n\n',
    ],
    ids=["code", "with a finish", "object", "event"],
)
async def test_every_form_of_an_error_is_recognised(fake: Fake, body: bytes) -> None:
    fake.script(Behaviour(extra=encode_choice(content="Yes") + body))
    events = get_adapter("ollama", base_url=fake.openai).stream(Request("m", TURNS), Secret(KEY))
    assert await anext(events) == Delta("Yes")
    with pytest.raises(errors.Overloaded) as caught:
        await anext(events)
    assert "full" in caught.value.detail


async def test_a_finish_reason_of_error_is_no_success(fake: Fake) -> None:
    fake.script(Behaviour(extra=encode_choice(content="Yes") + encode_choice("error"), end_after=0))
    with pytest.raises(errors.CutOff, match="Cut off by the server: error"):
        await ask_ollama(fake)


@pytest.mark.parametrize(
    "ending", [Behaviour(cut_after=0), Behaviour(stall_after=0), Behaviour(end_after=0)]
)
async def test_after_the_end_marker_nothing_can_fail(
    fake: Fake, ending: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "USAGE_WAIT_SECONDS", 0.1)
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    body = encode_choice(content="Yes") + encode_choice("stop") + encode_event(usage=usage)
    fake.script(replace(ending, extra=body))
    assert await ask_ollama(fake) == [
        Delta("Yes"),
        Finish("stop", Usage(input=3, output=2).to_counts(), "req_fake"),
    ]


async def test_the_marker_in_the_same_chunk_as_the_last_text_counts(fake: Fake) -> None:
    fake.script(Behaviour(extra=encode_choice("length", content="Yes"), end_after=0))
    assert await ask_ollama(fake) == [Delta("Yes"), Finish("length", None, "req_fake")]


@pytest.mark.parametrize("done", [b"data: [DONE]\n\n", b"data: [DONE]\n", b"data:[DONE] \r\n\r\n"])
async def test_done_without_a_reason_completes_with_reason_unknown(fake: Fake, done: bytes) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    body = encode_choice(content="Yes") + encode_event(usage=usage) + done
    fake.script(Behaviour(error=ErrorAnswer(200, body.decode())))
    assert await ask_ollama(fake) == [
        Delta("Yes"),
        Finish("unknown", Usage(3, 2).to_counts(), "req_fake"),
    ]


async def test_an_unknown_reason_before_done_becomes_other(fake: Fake) -> None:
    body = encode_choice(content="Yes") + encode_choice("something_new") + b"data: [DONE]\n\n"
    fake.script(Behaviour(error=ErrorAnswer(200, body.decode())))
    end = Finish("other", None, "req_fake", "something_new")
    assert await ask_ollama(fake) == [Delta("Yes"), end]


async def test_continuing_a_complete_reply_adds_nothing(fake: Fake) -> None:
    fake.script(Behaviour(error=ErrorAnswer(200, "data: [DONE]\n\n")))
    assert await ask_ollama(fake) == [Finish("unknown", None, "req_fake")]


async def test_comments_that_keep_a_connection_alive_are_no_text(fake: Fake) -> None:
    fake.script(Behaviour.of("Yes", extra=b": PROCESSING\n\n:\n\n"))
    assert [e.text for e in await ask_ollama(fake) if isinstance(e, Delta)] == ["Yes"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"data: {not json\n\n",
        b"data: \xff\xfe\n\n",
        encode_choice(content=5),
        encode_choice(content={"no": "text"}),
        encode_choice(content=[{"type": "text", "text": 5}]),
    ],
)
async def test_garbage_is_an_error_and_not_a_crash(fake: Fake, garbage: bytes) -> None:
    fake.script(Behaviour.of("Yes", extra=garbage))
    with pytest.raises(errors.ProviderError) as caught:
        await ask_ollama(fake)
    assert caught.value.message == "The provider sent an answer that could not be read."


@pytest.mark.parametrize("flood", [b"data: " + b"x" * 2_000_000, b"data: x\n" * 200_000])
async def test_a_flood_without_an_event_is_cut_off(fake: Fake, flood: bytes) -> None:
    fake.script(Behaviour(extra=flood, packet=65_536, stall_after=0))
    with pytest.raises(errors.ProviderError, match="more than one event can hold"):
        await ask_ollama(fake)


async def test_a_flood_in_an_error_is_cut_off(fake: Fake) -> None:
    fake.script(Behaviour(error=ErrorAnswer(500, "x" * 2_000_000)))
    with pytest.raises(errors.ProviderError, match="more than one event can hold"):
        await ask_ollama(fake)


async def test_an_unknown_compression_is_refused(fake: Fake) -> None:
    fake.script(Behaviour.of("Yes", headers={"content-encoding": "br"}))
    with pytest.raises(errors.ProviderError, match="compressed"):
        await ask_ollama(fake)


async def test_a_redirect_is_not_followed(fake: Fake) -> None:
    headers_elsewhere = {"location": f"{fake.url}/elsewhere/chat/completions"}
    fake.script(Behaviour(error=ErrorAnswer(307, "", headers=headers_elsewhere)))
    with pytest.raises(errors.ProviderError) as caught:
        await ask_ollama(fake)
    assert caught.value.status == 307
    assert [record.path for record in fake.requests()] == ["/v1/chat/completions"]


async def test_the_unsupported_parameter_is_named(fake: Fake) -> None:
    body = {
        "error": {
            "message": "Only the default (1) value is supported.",
            "type": "invalid_request_error",
            "param": "temperature",
            "code": "unsupported_value",
        }
    }
    fake.script(Behaviour(error=ErrorAnswer(400, body)))
    with pytest.raises(errors.BadRequest) as caught:
        await ask_ollama(fake)
    assert caught.value.param == "temperature"
    assert "“temperature”" in caught.value.message
    assert "Only the default (1) value" in caught.value.detail
    assert not caught.value.retryable


async def test_an_event_whose_code_is_a_status_is_read_as_one(fake: Fake) -> None:
    fake.script(
        Behaviour.of(
            "Yes", error=ErrorAnswer(0, {"error": {"code": 429, "message": "no"}}), error_after=1
        )
    )
    with pytest.raises(errors.RateLimited):
        await ask_ollama(fake)
