"""A part of a request that a server refuses is left out, in whatever shape the refusal comes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from streaming.events import Delta, Note, StreamText
from streaming.providers.adapter import Adapter
from streaming.providers.anthropic import AnthropicAdapter
from streaming.providers.errors import BadRequest, NoPermission, Overloaded, ProviderError
from streaming.providers.google import GoogleAdapter
from streaming.providers.http.classify import Endpoint, to_provider_error
from streaming.providers.http.parsed import ErrorResponse
from streaming.providers.openai.chat_completions import ChatCompletionsAdapter, CompatibleAdapter
from streaming.providers.openai.responses import ResponsesAdapter
from streaming.providers.optional_parts import OPTIONAL_PARTS, omit_part
from streaming.providers.redaction import Secret
from streaming.providers.refusals import find_refused_part
from streaming.providers.reply_source import ReplySource
from streaming.providers.types import Request, Turn
from tests.providers.factories import KEY
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

TURNS = (Turn("user", "What is kelp?"), Turn("assistant", "Algae."), Turn("user", "More."))
REQUEST = Request("kelp-7b", TURNS)
EXTRA = "Extra inputs are not permitted"


def describe_violation(*loc: Any, kind: str = "extra_forbidden", msg: str = EXTRA) -> Any:
    return {"detail": [{"type": kind, "loc": ["body", *loc], "msg": msg, "input": "Kelp?"}]}


async def ask(
    adapter: Adapter, request: Request = REQUEST, refused: list[str] | None = None
) -> tuple[list[str], list[str]]:
    """Ask as a worker does, and return the notes and the parts to remember."""
    remembered = [] if refused is None else refused

    async def remember(name: str) -> None:
        remembered.append(name)

    for name in tuple(remembered):
        request = omit_part(request, name)
    source = ReplySource(adapter, request, Secret(KEY), remember)
    events = [event async for event in source.events(StreamText(), "")]
    assert "".join(event.text for event in events if isinstance(event, Delta)) == "Kelp."
    return [event.text for event in events if isinstance(event, Note)], remembered


def refuse(status: int, body: Any) -> Behaviour:
    return Behaviour(error=ErrorAnswer(status, body))


KELP = Behaviour.of("Kelp.")
NOT_PERMITTED = "Extra inputs are not permitted, field: 'stream_options'"
UNKNOWN_FIELD = "Unknown field 'stream_options'"
SHAPES: dict[str, tuple[int, Any]] = {
    "an object": (400, {"error": {"message": NOT_PERMITTED, "type": "invalid_request_error"}}),
    "a param": (400, {"error": {"message": "Not here.", "param": "stream_options"}}),
    "pydantic": (422, describe_violation("stream_options")),
    "pydantic inside": (422, {"message": describe_violation("stream_options"), "code": 3051}),
    "a path": (400, {"errors": [{"detail": "is unknown", "pointer": "/stream_options"}]}),
    "a detail": (422, {"detail": "unexpected field stream_options"}),
    "two texts": (400, {"error": "Bad Request", "message": "stream_options is not supported"}),
    "a message": (400, {"message": "property 'stream_options' is unsupported", "code": 400}),
    "a string": (400, {"error": "Unknown name stream_options: cannot find field"}),
    "errors": (400, {"errors": ["additional properties are not allowed: stream_options"]}),
    "a list": (400, [{"error": {"code": 400, "message": 'Unknown name "stream_options"'}}]),
    "text": (400, "unknown field `stream_options`, expected one of `model`, `messages`"),
    "a page": (400, f"<html><head><title>400</title></head><body>{NOT_PERMITTED}</body></html>"),
    "a fault": (500, {"error": {"message": "unexpected keyword argument 'stream_options'"}}),
    "a text fault": (500, "TypeError: create() got an unexpected keyword argument stream_options"),
    "a key": (500, "KeyError: 'stream_options'"),
    "a value": (400, {"error": "Stream options can only be defined when `stream=True`."}),
    "an option": (400, {"error": {"message": "No such option: stream_options"}}),
    "Laravel": (422, {"message": "Invalid data.", "errors": {"stream_options": ["Not allowed."]}}),
    "zod": (400, {"issues": [{"keys": ["stream_options"], "path": [], "message": "Unknown key"}]}),
    "zod inside": (
        400,
        {
            "success": False,
            "error": {"issues": [{"path": ["stream_options"], "message": "Not allowed"}]},
        },
    ),
    "forbidden": (400, {"error": {"message": "Parameter stream_options is forbidden"}}),
    "an arrow": (400, {"error": f"{UNKNOWN_FIELD} (request -> messages, stream_options)"}),
    "input too long": (400, {"error": f"{UNKNOWN_FIELD}; the input is at most 40 parts"}),
    "memory": (400, {"error": "Memory limit: stream_options not supported"}),
    "missing": (404, {"error": {"message": "The parameter stream_options is not supported"}}),
    "not done": (501, {"error": {"message": "stream_options is not implemented"}}),
    "a gateway": (502, {"detail": f"upstream: {NOT_PERMITTED}"}),
    "OpenRouter": (
        400,
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {"raw": json.dumps(describe_violation("stream_options"))},
            }
        },
    ),
    "LiteLLM": (
        400,
        {
            "error": {
                "message": "litellm.BadRequestError: OpenAIException - "
                + json.dumps(describe_violation("stream_options")),
                "type": None,
                "param": None,
                "code": "400",
            }
        },
    ),
    "JSON in a detail": (400, {"detail": json.dumps({"error": {"message": NOT_PERMITTED}})}),
    "RFC 7807": (
        400,
        {"title": "Bad", "invalid-params": [{"name": "stream_options", "reason": "is not known"}]},
    ),
    "RFC 7807, no words": (422, {"invalid_params": [{"name": "stream_options"}]}),
    "RFC 7807, named": (400, {"title": "Bad", "invalidParams": {"stream_options": "is not known"}}),
    "RFC 9457": (422, {"errors": [{"detail": "Leave it out.", "pointer": "#/stream_options"}]}),
    "Symfony": (
        422,
        {"violations": [{"propertyPath": "stream_options", "title": "Leave it out."}]},
    ),
    "ajv": (
        400,
        {
            "message": "body must NOT have additional properties",
            "params": {"additionalProperty": "stream_options"},
        },
    ),
    "ajv, a list": (
        400,
        {
            "errors": [
                {
                    "instancePath": "",
                    "keyword": "additionalProperties",
                    "params": {"additionalProperty": "stream_options"},
                    "message": "must NOT have additional properties",
                }
            ]
        },
    ),
    "ajv, unevaluated": (400, {"errors": [{"params": {"unevaluatedProperty": "stream_options"}}]}),
    "ajv, a path": (400, {"errors": [{"instancePath": "/stream_options", "message": "no"}]}),
    "ajv of old": (400, [{"dataPath": ".stream_options", "message": "should be left out"}]),
    "no permission": (403, {"error": {"message": "Unknown argument: stream_options"}}),
    "no permission, a field": (403, {"detail": "Field stream_options is not allowed"}),
    "Chinese": (400, {"error": {"message": "参数 stream_options 不支持"}}),
    "Chinese, unknown": (400, {"error": {"message": "未知参数：stream_options"}}),
    "Japanese": (400, {"error": "stream_options はサポートされていません"}),
    "a Python repr": (500, {"error": f"Error code: 400 - {describe_violation('stream_options')}"}),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_refused_hint_is_left_out_once_and_remembered(fake: Fake, shape: str) -> None:
    fake.script(refuse(*SHAPES[shape]), KELP, KELP)
    adapter = CompatibleAdapter(base_url=fake.openai)
    notes, refused = await ask(adapter)
    assert (notes, refused) == ([], ["stream_options"])
    await ask(adapter, refused=refused)
    sent = ["stream_options" in record.body for record in fake.requests()]
    assert sent == [True, False, False]


async def test_a_refusal_in_the_stream_is_one_too(fake: Fake) -> None:
    body = {"error": {"code": 400, "message": NOT_PERMITTED}}
    fake.script(Behaviour(error=ErrorAnswer(0, body), error_after=0), KELP)
    assert await ask(CompatibleAdapter(base_url=fake.openai)) == ([], ["stream_options"])


FULL = replace(REQUEST, system="Be brief.", max_tokens=50, temperature=0.5, reasoning_effort="low")
CHAT_REFUSALS: dict[str, tuple[Any, str, str]] = {
    "temperature": (describe_violation("temperature"), "temperature", "temperature"),
    "effort": ({"error": '"kelp-7b" does not support thinking'}, "reasoning_effort", "effort"),
    "system role": ({"error": "Jinja Exception: System role not supported"}, "system", ""),
    "system message": ({"message": "system messages are not supported"}, "system", ""),
    "one value": ({"error": "invalid temperature: only 1 is allowed"}, "temperature", "temp"),
    "think": ({"error": 'think value "low" is not supported'}, "reasoning_effort", "effort"),
    "invalid role": ({"error": "the role 'system' is invalid"}, "system", ""),
    "first message": ({"error": "The first message must have the role user"}, "system", ""),
    "only two roles": ({"error": "Only user and assistant roles are supported!"}, "system", ""),
    "unexpected role": ({"error": 'messages: Unexpected role "system"'}, "system", ""),
    "role of o1": (
        {
            "error": {
                "message": "'messages[0].role' does not support 'system' with this model.",
                "param": "messages[0].role",
                "code": "unsupported_value",
            }
        },
        "system",
        "",
    ),
    "pydantic role": (
        describe_violation("messages", 0, "role", kind="literal_error", msg="Input should be …"),
        "system",
        "",
    ),
    "FastAPI's role": (
        "body -> messages -> 0 -> role: unexpected value; permitted: 'user', 'assistant'",
        "system",
        "",
    ),
    "roles of messages": (
        {"error": "This model only accepts messages with role user or assistant"},
        "system",
        "",
    ),
    "role not in template": (
        {"error": "Messages with role 'system' are not allowed: <|system|> not in template"},
        "system",
        "",
    ),
    "at most one": (
        {"error": "messages may contain at most one system message, as the first"},
        "system",
        "",
    ),
    "at most 0": ({"error": "System messages must be at most 0"}, "system", ""),
    "template": ({"error": "system prompt exceeds what the template supports"}, "system", ""),
    "no system prompt": (
        {"error": "This model only accepts text inputs, no system prompt"},
        "system",
        "",
    ),
    "begins with a user": (
        {"message": "Conversation must start with a user message"},
        "system",
        "",
    ),
    "begins with role user": ({"error": "messages should begin with the role user"}, "system", ""),
    "Chinese role": ({"error": "不支持 system 角色"}, "system", ""),
    "Chinese role, no blanks": ({"error": "该模型不支持system角色"}, "system", ""),
    "Chinese role, named": ({"error": "角色 system 无效"}, "system", ""),
    "Chinese prompt": ({"error": "该模型暂不支持系统提示词"}, "system", ""),
    "Chinese parameter": ({"error": "temperature 参数不支持"}, "temperature", "temperature"),
    "Chinese value": ({"error": "temperature 必须为 1"}, "temperature", "temperature"),
    "Chinese thinking": ({"error": "该模型不支持思考模式"}, "reasoning_effort", "effort"),
    "no mode": (
        {"error": "Model m has no thinking mode, not available"},
        "reasoning_effort",
        "eff",
    ),
    "not available": (
        {"error": "For this model the parameter temperature is not available"},
        "temperature",
        "temperature",
    ),
    "alternation": (
        {"error": {"message": "Conversation roles must alternate user/assistant/user/…"}},
        "system",
        "",
    ),
}


@pytest.mark.parametrize(
    ("status", "case"),
    [*((400, case) for case in CHAT_REFUSALS), (500, "system role"), (500, "alternation")],
)
async def test_any_part_of_a_chat_completion_may_be_refused(
    fake: Fake, case: str, status: int
) -> None:
    body, part, word = CHAT_REFUSALS[case]
    fake.script(refuse(status, body), KELP)
    notes, refused = await ask(CompatibleAdapter(base_url=fake.openai), FULL)
    assert refused == [part]
    assert [word in note for note in notes] == ([True] if word else [])
    before, after = (record.body for record in fake.requests())
    if part == "system":
        assert before["messages"][0] == {"role": "system", "content": "Be brief."}
        assert after["messages"][0] == {"role": "user", "content": "Be brief.\n\nWhat is kelp?"}
        assert [turn["role"] for turn in after["messages"]] == ["user", "assistant", "user"]
    else:
        assert before.keys() - after.keys() == {part}


@pytest.mark.parametrize(
    ("message", "part"),
    [
        ("No endpoints found that support temperature", "temperature"),
        ("No endpoints found that support the temperature parameter.", "temperature"),
        ("No endpoints found that support cache control", "cache_control"),
        ("No provider supports reasoning effort for this model", "reasoning_effort"),
    ],
)
def test_a_router_without_a_server_for_a_part_refuses_the_part(message: str, part: str) -> None:
    error = to_provider_error(ErrorResponse(404, "404", message), Endpoint("Lab", str))
    assert type(error) is BadRequest
    error.sent_hints = frozenset({"cache_control"})
    refused = find_refused_part(error, FULL)
    assert refused is not None
    assert refused.name == part


async def test_a_limit_is_sent_under_its_other_name_before_it_is_left_out(fake: Fake) -> None:
    by_name = "Unsupported parameter: '{}' is not supported with this model. Use '{}' instead."
    old, new = "max_tokens", "max_completion_tokens"
    first = refuse(400, {"error": {"message": by_name.format(old, new), "param": old}})
    second = refuse(422, describe_violation(new))
    adapter = CompatibleAdapter(base_url=fake.openai)
    fake.script(first, KELP)
    assert await ask(adapter, FULL) == ([], ["token_limit_name"])
    fake.script(first, second, KELP, KELP)
    notes, refused = await ask(adapter, FULL)
    assert refused == ["token_limit_name", "max_tokens"]
    assert notes == ["This model has no token limit setting. Retrying without it."]
    await ask(adapter, FULL, refused)
    sent = [sorted({old, new} & record.body.keys()) for record in fake.requests()]
    assert sent == [[old], [new], [old], [new], [], []]


async def test_a_limit_that_is_too_high_is_left_out_and_not_remembered(fake: Fake) -> None:
    message = "max_tokens is too large: 50. This model supports at most 40 completion tokens."
    fake.script(refuse(400, {"error": {"message": message, "param": "max_tokens"}}), KELP)
    notes, refused = await ask(CompatibleAdapter(base_url=fake.openai), FULL)
    assert (notes, refused) == (["This model rejected the token limit. Retrying without it."], [])
    assert "max_completion_tokens" not in fake.requests()[1].body


@pytest.mark.parametrize(
    "detail",
    [
        "temperature: Input should be less than or equal to 1",
        "'reasoning_effort' does not support 'low'. Supported values are: 'high' and 'max'.",
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 0.4.",
        "temperature must be between 0 and 0.4",
    ],
)
async def test_a_refused_value_is_not_remembered(fake: Fake, detail: str) -> None:
    param = "reasoning_effort" if "effort" in detail else "temperature"
    fake.script(refuse(400, {"error": {"message": detail, "param": param}}), KELP)
    assert (await ask(CompatibleAdapter(base_url=fake.openai), FULL))[1] == []
    assert param not in fake.requests()[1].body


WRONG_VALUES = ("{} must be positive", "Range of {} should be [1, 40]", "{} (50) exceeds limit 40")
VALUE_REFUSALS = {
    "temperature": (
        *WRONG_VALUES,
        "{} must be in (0, 0.4]",
        "invalid params: {} has to be > 0",
        "参数 {} 必须在 (0, 0.4) 范围内",
    ),
    "max_tokens": (
        *WRONG_VALUES,
        "{} must be <= 50",
        "Invalid {} value, the valid range of {} is [1, 8192]",
        "The parameter {} specified in the request is not valid: integer above maximum value",
        "Value error, {} must be at least 100",
    ),
    "reasoning_effort": (
        *WRONG_VALUES,
        "{} must be one of high, max",
        "Invalid value: 'low'. Supported values: 'high'.",
        "unknown variant `low`, expected `max`",
    ),
}


@pytest.mark.parametrize(
    ("part", "detail"),
    [
        (part, detail.format(part, part))
        for part, details in VALUE_REFUSALS.items()
        for detail in details
    ],
)
async def test_a_value_that_only_the_sentence_names_is_left_out_for_now(
    fake: Fake, part: str, detail: str
) -> None:
    fake.script(refuse(400, {"error": {"message": detail, "type": "invalid_request_error"}}), KELP)
    notes, refused = await ask(CompatibleAdapter(base_url=fake.openai), FULL)
    assert (len(notes), refused) == (1, [])
    assert notes[0].startswith("This model rejected")
    before, after = (record.body for record in fake.requests())
    assert before.keys() - after.keys() == {part}


@pytest.mark.parametrize(
    "detail",
    [
        "temperature must be 1",
        "Value error, temperature must be 0, got 0.5",
        "temperature should be exactly 1.0 for this model.",
        "`temperature` may only be set to 1 when thinking is enabled",
    ],
)
async def test_a_setting_with_only_one_value_is_remembered(fake: Fake, detail: str) -> None:
    fake.script(refuse(400, detail), KELP)
    _, refused = await ask(CompatibleAdapter(base_url=fake.openai), FULL)
    assert refused == ["temperature"]


@pytest.mark.parametrize("status", [400, 500])
async def test_a_limit_of_a_server_that_calls_the_refusal_a_fault_is_left_out(
    fake: Fake, status: int
) -> None:
    fake.script(refuse(status, {"detail": "ValueError: max_tokens must be <= 40"}), KELP)
    notes, refused = await ask(CompatibleAdapter(base_url=fake.openai), FULL)
    assert (notes, refused) == (["This model rejected the token limit. Retrying without it."], [])


async def test_a_server_may_refuse_one_part_after_the_other(fake: Fake) -> None:
    names = ("stream_options", "temperature", "reasoning_effort", "max_tokens")
    refusals = [refuse(422, describe_violation(name)) for name in names]
    fake.script(*refusals, refuse(422, describe_violation("max_completion_tokens")))
    fake.script(refuse(400, "System role not supported"), KELP, KELP)
    adapter = CompatibleAdapter(base_url=fake.openai)
    _, refused = await ask(adapter, FULL)
    assert len(refused) == 6
    await ask(adapter, FULL, refused)
    records = fake.requests()
    assert len(records) == 8
    assert records[-1].body.keys() == {"model", "messages", "stream"}


async def test_a_refusal_that_leaving_out_does_not_help_is_not_remembered(fake: Fake) -> None:
    no = refuse(400, {"error": {"message": "thinking about it: temperature is not supported"}})
    fake.script(no, no, no, no)
    refused: list[str] = []
    with pytest.raises(BadRequest):
        await ask(CompatibleAdapter(base_url=fake.openai), replace(REQUEST, temperature=1), refused)
    assert (refused, len(fake.requests())) == ([], 2)


async def test_hints_of_the_official_chat_completions_are_left_out_alone(fake: Fake) -> None:
    adapter = ChatCompletionsAdapter(base_url=fake.openai)
    adapter.is_official = True
    first = {"error": {"message": "Unknown parameter", "param": "stream_options.include_usage"}}
    second = {"error": {"message": "Unrecognized: stream_options.include_obfuscation"}}
    fake.script(refuse(400, first), refuse(400, second), KELP)
    assert (await ask(adapter))[1] == ["include_usage", "include_obfuscation"]
    assert [record.body.get("stream_options") for record in fake.requests()] == [
        {"include_usage": True, "include_obfuscation": False},
        {"include_obfuscation": False},
        None,
    ]


async def test_hints_of_responses_are_left_out_alone(fake: Fake) -> None:
    request = replace(FULL, model="gpt-6.2-sol", temperature=None, background=True)
    fake.script(
        refuse(400, {"error": {"message": "Unknown parameter: 'reasoning.summary'."}}),
        refuse(422, describe_violation("background")),
        refuse(422, describe_violation("store")),
        refuse(400, {"error": {"message": "instructions: not supported", "param": "instructions"}}),
        KELP,
    )
    adapter = ResponsesAdapter(base_url=fake.openai)
    notes, refused = await ask(adapter, request)
    assert (notes, refused) == ([], ["reasoning_summary", "background", "store", "system"])
    records = fake.requests()
    assert records[0].body.keys() - records[-1].body.keys() == {
        "background",
        "store",
        "instructions",
    }
    assert records[-1].body["reasoning"] == {"effort": "low"}


async def test_a_refusal_for_an_organisation_is_not_remembered_for_all(fake: Fake) -> None:
    message = "background is not supported for organizations with zero data retention."
    fake.script(refuse(400, {"error": {"message": message, "param": "background"}}), KELP)
    adapter = ResponsesAdapter(base_url=fake.openai)
    assert await ask(adapter, replace(REQUEST, background=True)) == ([], [])
    assert ["background" in record.body for record in fake.requests()] == [True, False]


ANTHROPIC_REFUSALS: dict[str, tuple[str, str, Any]] = {
    "adaptive": ("adaptive thinking is not supported on this model", "thinking", None),
    "tag": ("thinking: Input tag 'adaptive' does not match the expected tags", "thinking", None),
    "tag alone": (
        "Input tag 'adaptive' found using 'type' does not match any of the expected tags",
        "thinking",
        None,
    ),
    "type": ("thinking.type must be enabled or disabled", "thinking", None),
    "summarized": (
        "Invalid value 'summarized', expected 'omitted'",
        "thinking_display",
        {"type": "adaptive"},
    ),
    "display": (f"thinking.adaptive.display: {EXTRA}", "thinking_display", {"type": "adaptive"}),
    "effort": (
        "output_config: This model does not support the effort parameter.",
        "reasoning_effort",
        {"type": "adaptive", "display": "summarized"},
    ),
}


@pytest.mark.parametrize("case", ANTHROPIC_REFUSALS)
async def test_hints_of_anthropic_are_left_out_alone(fake: Fake, case: str) -> None:
    message, part, thinking = ANTHROPIC_REFUSALS[case]
    error = {"type": "invalid_request_error", "message": message}
    fake.script(refuse(400, {"type": "error", "error": error}), KELP)
    request = replace(FULL, model="claude-opus-5-5", temperature=None)
    assert (await ask(AnthropicAdapter(base_url=fake.url), request))[1] == [part]
    body = fake.requests()[1].body
    assert body.get("thinking") == thinking
    assert ("output_config" in body) is (part != "reasoning_effort")


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens: 32000 > 4096, which is the maximum allowed number of output tokens",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
        "max output tokens must be at most 4096",
    ],
)
async def test_a_model_with_short_replies_gets_a_lower_limit_of_ours(
    fake: Fake, message: str
) -> None:
    error = {"type": "invalid_request_error", "message": message}
    fake.script(refuse(400, {"type": "error", "error": error}), KELP)
    adapter = AnthropicAdapter(base_url=fake.url)
    assert await ask(adapter, replace(REQUEST, model="claude-3-haiku")) == (
        [],
        ["default_max_tokens"],
    )
    assert [record.body["max_tokens"] for record in fake.requests()] == [32_000, 4_096]


async def test_hints_of_google_are_left_out_alone(fake: Fake) -> None:
    gemma = {"error": {"code": 400, "message": "Developer instruction is not enabled for Gemma"}}
    named = [{"field": "generation_config.thinking_config.include_thoughts", "description": "No."}]
    violation = {"error": {"code": 400, "message": "Bad.", "details": [{"fieldViolations": named}]}}
    level = {"error": {"code": 400, "message": "Thinking level is not supported for this model."}}
    fake.script(*(refuse(400, body) for body in (gemma, violation, level)), KELP)
    request = replace(FULL, model="gemini-3.8-flash", temperature=None, max_tokens=None)
    notes, refused = await ask(GoogleAdapter(base_url=fake.url), request)
    assert refused == ["system", "thinking_display", "reasoning_effort"]
    assert notes == ["This model has no reasoning effort setting. Retrying without it."]
    first, *_, last = (record.body for record in fake.requests())
    assert first["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert last.keys() == {"contents"}
    assert last["contents"][0]["parts"] == [{"text": "Be brief.\n\nWhat is kelp?"}]


NOT_REFUSED = [
    BadRequest(detail="Your message about the system prompt and temperature is empty."),
    BadRequest(detail="This model does not support image inputs."),
    BadRequest(detail="The model thinking-kelp is not supported."),
    BadRequest(param="messages", detail="messages: text content blocks must be non-empty"),
    Overloaded(detail="An unexpected error occurred while reasoning about the system."),
    ProviderError(detail="The background worker of the store failed."),
    Overloaded(detail="This region is not supported at the moment, please try an alternative"),
    Overloaded(detail="Model is not available, an alternative deployment is not yet enabled"),
    ProviderError(detail="System message: operation not supported on closed socket"),
    Overloaded(detail="GPU temperature too high, requests not accepted"),
    Overloaded(detail="reasoning engine is not available; not permitted now"),
    Overloaded(detail="The thinking cluster is in maintenance, new requests are not allowed"),
    Overloaded(detail="Reasoning effort is not supported right now, try again later"),
    ProviderError(detail="system prompt cache: this file system is not supported"),
    ProviderError(detail="effort to connect failed: address family not supported"),
    BadRequest(detail="This region is not supported. Choose an alternative."),
    Overloaded(detail="GPU temperature must be below 90 degrees"),
    ProviderError(detail="thinking about it exceeds the time that a worker may take"),
    ProviderError(detail="Invalid state of the store, expected 'low'"),
    BadRequest(detail="messages: at least one message must be there. The temperature was read."),
    BadRequest(detail="不支持图片输入"),
    Overloaded(detail="系统繁忙，不支持新请求"),
    NoPermission(detail="Your key has no access to the system prompt or this temperature."),
    NoPermission(detail="Country, region, or territory not supported"),
    NoPermission(detail="Access is not allowed for thinking models"),
    Overloaded(detail="The server must start with a fresh user database"),
]


@pytest.mark.parametrize("error", NOT_REFUSED, ids=lambda error: error.detail)
def test_a_sentence_that_refuses_no_part_leaves_the_request_as_it_is(error: ProviderError) -> None:
    error.sent_hints = frozenset(part.name for part in OPTIONAL_PARTS if not part.label)
    assert find_refused_part(error, replace(FULL, model="thinking-kelp")) is None


@pytest.mark.parametrize(
    ("detail", "name"),
    [
        ("temperature is not supported", "temperature"),
        ("unexpected keyword argument 'temperature'", "temperature"),
        ("This model does not support thinking", "reasoning_effort"),
        ("Unsupported parameter: reasoning_effort", "reasoning_effort"),
        ("System messages are not supported by this template", "system"),
        ("Only user and assistant roles are supported!", "system"),
        ("conversation roles must alternate", "system"),
        ("unexpected field 'generation.max_tokens'", "max_tokens"),
    ],
)
@pytest.mark.parametrize("kind", [Overloaded, ProviderError])
def test_a_fault_refuses_a_part_only_where_it_names_it_as_one(
    kind: type[ProviderError], detail: str, name: str
) -> None:
    part = find_refused_part(kind(detail=detail), FULL)
    assert part is not None
    assert part.name == name


def test_names_of_parts_fit_their_column() -> None:
    assert all(0 < len(part.name) <= 30 for part in OPTIONAL_PARTS)


@pytest.mark.parametrize(
    "sentence",
    [
        "Invalid role: system",
        "'system' is not one of ['user', 'assistant']",
        "expected role user but got system",
        "role must be one of user, assistant",
        "'messages[0].role' must be user",
        "invalid message role",
    ],
)
def test_a_sentence_about_roles_refuses_the_system_role(sentence: str) -> None:
    request = replace(REQUEST, system="Be brief.")
    part = find_refused_part(BadRequest(detail=sentence), request)
    assert part is not None
    assert part.name == "system"


TOO_MUCH_WITH_LIMIT = (
    "'max_tokens' is too large: 100000. This model's maximum context length is 32768 tokens and "
    "your request has 10 input tokens",
    "maximum context length is 4097 tokens, however you requested 5000 tokens (1000 in the "
    "messages, 4000 in the completion)",
)


@pytest.mark.parametrize("sentence", TOO_MUCH_WITH_LIMIT)
async def test_a_limit_that_does_not_fit_behind_the_chat_is_left_out_for_now(
    fake: Fake, sentence: str
) -> None:
    fake.script(refuse(400, {"error": {"message": sentence}}), KELP)
    request = replace(REQUEST, max_tokens=100_000)
    notes, remembered = await ask(CompatibleAdapter(base_url=fake.openai), request)
    assert notes == ["This model rejected the token limit. Retrying without it."]
    assert remembered == []
    assert ["max_tokens" in asked.body for asked in fake.requests()] == [True, False]


async def test_anthropics_limit_that_nobody_chose_gets_lower(fake: Fake) -> None:
    sentence = "input length and `max_tokens` exceed context limit: 184915 + 32000 > 204648"
    fake.script(
        refuse(400, {"error": {"type": "invalid_request_error", "message": sentence}}), KELP
    )
    adapter = AnthropicAdapter(base_url=fake.anthropic)
    assert (await ask(adapter, replace(REQUEST, model="claude-opus-5-5")))[0] == []
    assert [asked.body["max_tokens"] for asked in fake.requests()] == [32_000, 4_096]
