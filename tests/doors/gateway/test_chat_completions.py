"""Chat completions and models, with OpenAI's own SDK and without it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from openai import OpenAI

from accounts.api_keys import keys
from accounts.models import User
from chat.models import Conversation, GatewayResponse
from chat.replies.handler import load_turns
from streaming.events import Finish
from streaming.lifecycle import STOPPED, Ending
from streaming.models import Kind, State, Stream
from tests.doors.gateway.program import Program, wait_for_stream, write_stream

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGES: list[Any] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "A"},
    {"role": "assistant", "content": "a"},
    {"role": "user", "content": [{"type": "text", "text": "B"}]},
]
FAILED = Ending(State.FAILED, error_class="rate_limited", error="Too often.")
SCHEMA_FORMAT = {"type": "json_schema", "json_schema": {"name": "W", "schema": {}}}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"n": 2}, "n"),
    ({"logprobs": True}, "logprobs"),
    ({"stop": ["x"]}, "stop"),
    ({"seed": 1}, "seed"),
    ({"tools": [{"type": "function"}]}, "tools[0].function"),
    ({"response_format": {"type": "json_object"}}, "response_format.type"),
    ({"audio": {}}, "audio"),
    ({"made_up": 1}, "made_up"),
    ({"max_completion_tokens": "x"}, "max_completion_tokens"),
    ({"reasoning_effort": "high"}, "reasoning_effort"),
    ({"verbosity": "low"}, "verbosity"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, ""),
    ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages[0].tool_calls[0]"),
    ({"messages": [{"type": "item_reference", "id": "msg_1"}]}, "messages[0].type"),
    ({"messages": None}, "messages"),
]


UNSUPPORTED: list[tuple[dict[str, Any], str]] = [
    ({"n": 2}, "n"),
    ({"top_logprobs": 1}, "top_logprobs"),
    ({"response_format": SCHEMA_FORMAT}, "response_format.type"),
]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_a_completion_is_answered_at_its_end(
    client: OpenAI, owner: User, pool: ThreadPoolExecutor
) -> None:
    asked = pool.submit(client.chat.completions.create, model="demo", messages=MESSAGES)
    write_stream(wait_for_stream(owner), (Kind.REASONING, "Hm."), "b", "c")
    completion = asked.result(20)
    choice = completion.choices[0]
    assert (choice.message.content, choice.finish_reason) == ("bc", "stop")
    assert choice.message.reasoning_content == "Hm."  # type: ignore[attr-defined]
    assert completion.usage is not None
    assert completion.usage.total_tokens == 19
    row = GatewayResponse.objects.get()
    assert row.stream.arguments["system_prompt"] == "Be brief."
    turns = load_turns(row.conversation, row.answer.parent_id)
    assert [turn.text for turn in turns] == ["A", "a", "B"]
    assert row.conversation.expires_at is not None


def test_a_completion_is_streamed_and_kept(client: OpenAI, owner: User) -> None:
    answer = client.chat.completions.with_raw_response.create(
        model="demo",
        messages=MESSAGES,
        stream=True,
        store=True,
        stream_options={"include_usage": True},
    )
    id = answer.headers["x-holdfast-response-id"]
    write_stream(wait_for_stream(owner), "b", "c", ending=Ending.from_finish(Finish("length", {})))
    chunks = [*answer.parse()]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "bc"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "length"
    assert (chunks[-1].choices, chunks[-1].usage) == ([], None)
    kept = client.responses.retrieve(id)
    assert (kept.output_text, kept.status) == ("bc", "incomplete")
    assert Conversation.objects.get().expires_at is None


def test_a_failure_is_an_error_that_is_not_tried_again(
    client: OpenAI, owner: User, pool: ThreadPoolExecutor
) -> None:
    stubborn = client.with_options(max_retries=2)
    asked = pool.submit(stubborn.chat.completions.create, model="demo", messages=MESSAGES)
    write_stream(wait_for_stream(owner), "b", ending=FAILED)
    with pytest.raises(openai.RateLimitError) as error:
        asked.result(20)
    assert error.value.code == "rate_limit_exceeded"
    assert Stream.objects.count() == 1
    chunks = iter(client.chat.completions.create(model="demo", messages=MESSAGES, stream=True))
    write_stream(wait_for_stream(owner), "b", ending=FAILED)
    with pytest.raises(openai.APIError, match=r"Too often\."):
        list(chunks)


def test_a_stopped_completion_does_not_look_complete(
    client: OpenAI, owner: User, pool: ThreadPoolExecutor
) -> None:
    stubborn = client.with_options(max_retries=2)
    asked = pool.submit(stubborn.chat.completions.create, model="demo", messages=MESSAGES)
    write_stream(wait_for_stream(owner), "b", ending=STOPPED)
    with pytest.raises(openai.ConflictError) as error:
        asked.result(20)
    assert error.value.code == "cancelled"
    assert Stream.objects.count() == 1
    chunks = iter(client.chat.completions.create(model="demo", messages=MESSAGES, stream=True))
    write_stream(wait_for_stream(owner), "b", ending=STOPPED)
    with pytest.raises(openai.APIError) as broken:
        list(chunks)
    assert broken.value.code == "cancelled"


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages"),
        ({"messages": [{"role": "system", "content": "x" * 100_001}, *MESSAGES]}, "messages"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
        ({"model": "gpt-4.1", "max_tokens": 9_999_999}, "max_tokens"),
        ({"model": "gpt-4.1", "max_completion_tokens": 9_999_999}, "max_completion_tokens"),
        (
            {"messages": [{"role": "tool", "tool_call_id": "c", "content": "x"}]},
            "messages",
        ),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_rejection_names_a_parameter_of_this_api(
    program: Program, owner: User, changed: dict[str, Any], param: str
) -> None:
    keys.save(owner, "openai", "sk-0123456789abcdef")
    refused = program.post("/chat/completions", {"model": "demo", "messages": MESSAGES} | changed)
    assert (refused.status_code, refused.data["error"]["param"]) == (400, param)


@pytest.mark.parametrize(("changed", "param"), REFUSED, ids=[str(case[0])[:50] for case in REFUSED])
def test_a_parameter_that_is_not_supported_is_named(
    program: Program, changed: dict[str, Any], param: str
) -> None:
    body = {"model": "demo", "messages": MESSAGES} | changed
    response = program.post("/chat/completions", body)
    assert response.status_code == 400
    assert response.data["error"]["param"] == (param or "messages[0].content[0].type")


# Models


def test_the_models_of_providers_with_a_key_are_listed(program: Program, owner: User) -> None:
    def list_ids() -> set[str]:
        return {model["id"] for model in program.get("/models").data["data"]}

    assert "demo" in list_ids()
    assert "gpt-5.5" not in list_ids()
    assert program.get("/models/gpt-5.5").status_code == 404
    keys.save(owner, "openai", "sk-0123456789abcdef")
    assert "gpt-5.5" in list_ids()
    for name in ("gpt-5.5", "openai/gpt-5.5"):
        shown = program.get(f"/models/{name}").data
        assert shown == {"id": name, "object": "model", "created": 0, "owned_by": "openai"}
    unknown = program.get("/models/no-such").data["error"]
    assert (unknown["code"], unknown["param"]) == ("model_not_found", "model")


def test_a_model_is_asked_by_each_of_its_names(program: Program) -> None:
    for name in ("demo", "demo/demo", "demo:demo"):
        shown = program.ask(model=name)
        assert shown["model"] == name
    assert {s.arguments["model"] for s in Stream.objects.all()} == {"demo"}


def test_a_completion_that_nobody_counted_has_no_usage(
    client: OpenAI, owner: User, pool: ThreadPoolExecutor
) -> None:
    asked = pool.submit(client.chat.completions.create, model="demo", messages=MESSAGES)
    write_stream(wait_for_stream(owner), "b", ending=Ending.from_finish(Finish("stop")))
    assert "usage" not in asked.result(20).to_dict()


def test_a_reply_whose_calls_were_left_out_does_not_wait_for_outputs(
    client: OpenAI, owner: User, pool: ThreadPoolExecutor
) -> None:
    asked = pool.submit(client.chat.completions.create, model="demo", messages=MESSAGES)
    write_stream(wait_for_stream(owner), "b", ending=Ending.from_finish(Finish("tool_calls")))
    assert asked.result(20).choices[0].finish_reason == "stop"


@pytest.mark.parametrize(("changed", "param"), UNSUPPORTED)
def test_what_only_others_have_is_said_to_be_unsupported(
    program: Program, changed: dict[str, Any], param: str
) -> None:
    body = {"model": "demo", "messages": MESSAGES} | changed
    error = program.post("/chat/completions", body).data["error"]
    assert (error["param"], error["code"]) == (param, "unsupported_parameter")
