"""Tools, calls and their outputs in the requests of every wire, and the round trip of a call."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from streaming.events import Delta, StreamText
from streaming.providers.http.call_arguments import read_arguments
from streaming.providers.openai.chat_completions import build_body
from streaming.providers.prompt_cache import MARK, build_marked_prompt
from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter
from streaming.providers.reply_source import ReplySource
from streaming.providers.tools import FunctionTool, ToolCall, ToolOutput, Tools
from streaming.providers.types import CONTINUE_PROMPT, Request, Turn
from tests.providers.factories import KEY, collect_events, collect_until_error
from tests.providers.tool_replies import (
    COMPATIBLE,
    QUESTION,
    SCHEMA,
    TIDE_CALL,
    TOOLS,
    WIND_CALL,
    WIRES_BY_NAME,
    ToolReply,
    build_request,
    encode_events,
    encode_reply,
    read_calls,
    script_body,
)
from tests.providers.wires import WIRES, Wire
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

CALLED = Turn("assistant", "Let me see.", calls=(TIDE_CALL, WIND_CALL))
ANSWERED = Turn(
    "user", "", outputs=(ToolOutput("call_1", "At noon."), ToolOutput("call_2", '{"knots": 9}'))
)
EXCHANGE = (QUESTION, CALLED, ANSWERED)
NO_PARAMETERS = {"type": "object", "properties": {}}
TIDE_INPUT, WIND_INPUT = {"at": "Brèst"}, {"at": "Oban", "hours": [1, 2]}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"}
every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


async def send(fake: Fake, wire: Wire, request: Request) -> dict[str, Any]:
    """The body that the server got."""
    await collect_until_error(get_adapter(wire.provider, base_url=wire.base_url(fake)), request)
    body: dict[str, Any] = fake.requests()[-1].body
    return body


async def send_tools(fake: Fake, name: str, tools: Tools, *turns: Turn) -> dict[str, Any]:
    wire = WIRES_BY_NAME[name]
    return await send(fake, wire, build_request(wire.model, *turns, tools=tools))


# The declarations


async def test_declarations_for_chat_completions(fake: Fake) -> None:
    body = await send_tools(fake, "compatible", TOOLS)
    assert body["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "find_tide",
                "description": "When the tide comes in.",
                "parameters": SCHEMA,
            },
        },
        {"type": "function", "function": {"name": "find_wind", "parameters": NO_PARAMETERS}},
    ]
    assert not {"tool_choice", "parallel_tool_calls"} & set(body)


async def test_declarations_for_responses(fake: Fake) -> None:
    strict = Tools((FunctionTool("find_tide", parameters=SCHEMA, strict=True),))
    body = await send_tools(fake, "openai", strict)
    declared = {"type": "function", "name": "find_tide", "parameters": SCHEMA, "strict": True}
    assert body["tools"] == [declared]
    assert not {"tool_choice", "parallel_tool_calls"} & set(body)


async def test_declarations_for_anthropic(fake: Fake) -> None:
    strict = Tools((*TOOLS.functions, FunctionTool("stop", strict=True)))
    body = await send_tools(fake, "anthropic", strict)
    assert body["tools"] == [
        {
            "name": "find_tide",
            "description": "When the tide comes in.",
            "input_schema": SCHEMA,
        },
        {"name": "find_wind", "input_schema": NO_PARAMETERS},
        {"name": "stop", "input_schema": NO_PARAMETERS, "strict": True},
    ]
    assert "tool_choice" not in body
    assert "thinking" in body


async def test_declarations_for_google(fake: Fake) -> None:
    body = await send_tools(fake, "google", TOOLS)
    declared = [
        {
            "name": "find_tide",
            "description": "When the tide comes in.",
            "parametersJsonSchema": SCHEMA,
        },
        {"name": "find_wind", "description": ""},
    ]
    assert body["tools"] == [{"functionDeclarations": declared}]
    assert "toolConfig" not in body


CHOICES: dict[str, dict[str, Any]] = {
    "openai": {
        "none": {"tool_choice": "none"},
        "required": {"tool_choice": "required"},
        "function:find_tide": {"tool_choice": {"type": "function", "name": "find_tide"}},
    },
    "compatible": {
        "none": {"tool_choice": "none"},
        "required": {"tool_choice": "required"},
        "function:find_tide": {
            "tool_choice": {"type": "function", "function": {"name": "find_tide"}}
        },
    },
    "anthropic": {
        "none": {"tool_choice": {"type": "none"}},
        "required": {"tool_choice": {"type": "any"}},
        "function:find_tide": {"tool_choice": {"type": "tool", "name": "find_tide"}},
    },
    "google": {
        "none": {"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}},
        "required": {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
        "function:find_tide": {
            "toolConfig": {
                "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["find_tide"]}
            }
        },
    },
}


@every_wire
async def test_the_choice_of_a_tool(fake: Fake, wire: Wire) -> None:
    for choice, fields in CHOICES[wire.name].items():
        body = await send_tools(fake, wire.name, replace(TOOLS, choice=choice))
        assert {name: body.get(name) for name in fields} == fields


async def test_whether_calls_may_be_parallel(fake: Fake) -> None:
    for parallel in (True, False):
        tools = replace(TOOLS, parallel=parallel)
        for name in ("openai", "compatible"):
            assert (await send_tools(fake, name, tools))["parallel_tool_calls"] is parallel
    for choice, kind in (("auto", "auto"), ("required", "any"), ("none", "none")):
        serial = replace(TOOLS, parallel=False, choice=choice)
        limit = {} if choice == "none" else {"disable_parallel_tool_use": True}
        body = await send_tools(fake, "anthropic", serial)
        assert body["tool_choice"] == {"type": kind} | limit


@every_wire
async def test_a_request_without_tools_has_no_fields_about_them(fake: Fake, wire: Wire) -> None:
    for tools in (None, Tools()):
        body = await send(fake, wire, build_request(wire.model, tools=tools))
        fields = {"tools", "tool_choice", "toolConfig", "parallel_tool_calls"}
        assert not fields & set(body)


@every_wire
async def test_a_request_to_continue_keeps_the_tools(fake: Fake, wire: Wire) -> None:
    turns = (QUESTION, Turn("assistant", "It co"), Turn("user", CONTINUE_PROMPT))
    assert "tools" in await send(fake, wire, build_request(wire.model, *turns))


# The turns


async def test_turns_for_chat_completions(fake: Fake) -> None:
    body = await send_tools(fake, "compatible", TOOLS, *EXCHANGE)
    assert body["messages"] == [
        {"role": "user", "content": "When does the tide come in?"},
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in CALLED.calls
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "At noon."},
        {"role": "tool", "tool_call_id": "call_2", "content": '{"knots": 9}'},
    ]


async def test_turns_for_responses(fake: Fake) -> None:
    body = await send_tools(fake, "openai", TOOLS, *EXCHANGE)
    assert body["input"] == [
        {"role": "user", "content": "When does the tide come in?"},
        {"role": "assistant", "content": "Let me see."},
        *(
            {
                "type": "function_call",
                "call_id": call.id,
                "name": call.name,
                "arguments": call.arguments,
            }
            for call in CALLED.calls
        ),
        {"type": "function_call_output", "call_id": "call_1", "output": "At noon."},
        {"type": "function_call_output", "call_id": "call_2", "output": '{"knots": 9}'},
    ]


async def test_turns_for_anthropic(fake: Fake) -> None:
    body = await send_tools(fake, "anthropic", TOOLS, *EXCHANGE)
    assert body["messages"] == [
        {"role": "user", "content": "When does the tide come in?"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "call_1", "name": "find_tide", "input": TIDE_INPUT},
                {"type": "tool_use", "id": "call_2", "name": "find_wind", "input": WIND_INPUT},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "At noon."},
                {"type": "tool_result", "tool_use_id": "call_2", "content": '{"knots": 9}'},
            ],
        },
    ]
    assert "thinking" not in body, "the reasoning before the calls is not known"


async def test_turns_for_google(fake: Fake) -> None:
    body = await send_tools(fake, "google", TOOLS, *EXCHANGE)
    called = {"id": "call_1", "name": "find_tide", "args": TIDE_INPUT}
    other = {"id": "call_2", "name": "find_wind", "args": WIND_INPUT}
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "When does the tide come in?"}]},
        {
            "role": "model",
            "parts": [
                {"text": "Let me see."},
                {
                    "functionCall": called,
                    "thoughtSignature": "skip_thought_signature_validator",
                },
                {"functionCall": other},
            ],
        },
        {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "id": "call_1",
                        "name": "find_tide",
                        "response": {"output": "At noon."},
                    }
                },
                {
                    "functionResponse": {
                        "id": "call_2",
                        "name": "find_wind",
                        "response": {"output": '{"knots": 9}'},
                    }
                },
            ],
        },
    ]
    older = await send(fake, WIRES_BY_NAME["google"], build_request("gemini-2.5-pro", *EXCHANGE))
    assert "thoughtSignature" not in json.dumps(older)


@every_wire
async def test_text_stands_behind_the_outputs_and_an_empty_one_is_left_out(
    fake: Fake, wire: Wire
) -> None:
    turns = (QUESTION, replace(CALLED, text=""), replace(ANSWERED, text="And now?"))
    written = json.dumps(await send(fake, wire, build_request(wire.model, *turns)))
    assert "Let me see." not in written
    assert '""' not in json.dumps(
        await send(fake, wire, build_request(wire.model, *turns, tools=None))
    )
    assert written.index("At noon.") < written.index("And now?")


@every_wire
@pytest.mark.parametrize("key", ["", "k1"])
@pytest.mark.parametrize("blank", ["\n\n", " \t"])
async def test_blank_text_beside_calls_and_outputs_is_left_out(
    fake: Fake, wire: Wire, key: str, blank: str
) -> None:
    """Claude refuses blocks of blanks, and servers that pass a request on to it do, too."""

    async def send_with(text: str) -> dict[str, Any]:
        turns = (QUESTION, replace(CALLED, text=text), replace(ANSWERED, text=text))
        return await send(fake, wire, build_request(wire.model, *turns, cache_key=key))

    assert await send_with(blank) == await send_with("")
    assert json.dumps(blank) not in json.dumps(await send_with(blank))


@pytest.mark.parametrize("key", ["", "k1"])
def test_claude_gets_no_blank_system_prompt(key: str) -> None:
    request = Request("claude-opus-5-5", (QUESTION,), system="\n", cache_key=key)
    assert not build_marked_prompt(request)[0]


def test_a_call_without_text_has_null_as_its_content() -> None:
    request = Request("m", (QUESTION, replace(CALLED, text=""), ANSWERED))
    body = build_body(request, is_official=False)
    assert body["extra_body"]["messages"][1]["content"] is None


async def test_arguments_that_are_no_object_are_sent_as_text(fake: Fake) -> None:
    broken = ToolCall("call_1", "find_tide", '{"at": ')
    turns = (QUESTION, Turn("assistant", "", calls=(broken,)), ANSWERED)
    for name in ("openai", "compatible"):
        assert '{\\"at\\": ' in json.dumps(await send_tools(fake, name, TOOLS, *turns))
    for name in ("anthropic", "google"):
        written = json.dumps(await send_tools(fake, name, TOOLS, *turns))
        assert '{"arguments": "{\\"at\\": "}' in written
    assert read_arguments('{"at": NaN}') == {"arguments": '{"at": NaN}'}
    assert read_arguments('{"at": "\\ud83c\\udf0a \\ud83c"}') == {"at": "🌊 �"}


async def test_ids_that_anthropic_refuses_are_changed_alike(fake: Fake) -> None:
    odd = ToolCall("functions.find_tide:0", "find_tide", "{}")
    answered = Turn("user", "", outputs=(ToolOutput(odd.id, "At noon."),))
    turns = (QUESTION, Turn("assistant", "", calls=(odd,)), answered)
    body = await send_tools(fake, "anthropic", TOOLS, *turns)
    assert await send_tools(fake, "anthropic", TOOLS, *turns) == body
    [called] = body["messages"][1]["content"]
    [result] = body["messages"][2]["content"]
    assert called["id"] == result["tool_use_id"]
    assert called["id"].startswith("call_")


# The round trip


async def ask_twice(
    fake: Fake, wire: Wire, reply: ToolReply, **more: Any
) -> tuple[list[ToolCall], dict[str, Any]]:
    """The calls of a reply, and the body of the request with their outputs."""
    fake.script(script_body(encode_reply(wire.name, reply)))
    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake))
    calls = read_calls(await collect_events(adapter, build_request(wire.model, **more)))
    turns = (
        QUESTION,
        Turn("assistant", reply.text, calls=tuple(calls)),
        Turn("user", "", outputs=tuple(ToolOutput(call.id, "At noon.") for call in calls)),
    )
    return calls, await send(fake, wire, build_request(wire.model, *turns, **more))


async def test_claude_gets_its_reasoning_back_unchanged(fake: Fake) -> None:
    wire = WIRES_BY_NAME["anthropic"]
    reply = ToolReply((TIDE_CALL, WIND_CALL), text="Let me see.", thought="Hm.")
    calls, body = await ask_twice(fake, wire, reply)
    assert [bool(call.state) for call in calls] == [True, False]
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert body["messages"][1]["content"] == [
        THOUGHT,
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "call_1", "name": "find_tide", "input": TIDE_INPUT},
        {"type": "tool_use", "id": "call_2", "name": "find_wind", "input": WIND_INPUT},
    ]


async def test_claude_may_go_on_reasoning_after_a_call_without_any(fake: Fake) -> None:
    wire = WIRES_BY_NAME["anthropic"]
    calls, body = await ask_twice(fake, wire, ToolReply())
    assert calls[0].state == "anthropic []"
    assert "thinking" in body
    assert [block["type"] for block in body["messages"][1]["content"]] == ["tool_use"]
    calls, body = await ask_twice(fake, wire, ToolReply(), temperature=0.5)
    assert calls[0].state == ""


async def test_reasoning_that_only_claude_can_read_comes_back(fake: Fake) -> None:
    wire = WIRES_BY_NAME["anthropic"]
    blocks: list[dict[str, Any]] = [
        {"type": "redacted_thinking", "data": "c2VjcmV0"},
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "tool_use", "id": "call_1", "name": "find_tide", "input": {}},
    ]
    events: list[dict[str, Any]] = [
        {"type": "content_block_start", "index": at, "content_block": block}
        for at, block in enumerate(blocks)
    ]
    signed = {"type": "signature_delta", "signature": "c2lnbmVk"}
    events += [
        {"type": "content_block_delta", "index": 1, "delta": signed},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"type": "message_stop"},
    ]
    fake.script(script_body(encode_events(events)))
    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake))
    calls = read_calls(await collect_events(adapter, build_request(wire.model)))
    turns = (
        QUESTION,
        Turn("assistant", "", calls=tuple(calls)),
        Turn("user", "", outputs=(ToolOutput("call_1", "At noon."),)),
    )
    body = await send(fake, wire, build_request(wire.model, *turns))
    assert body["messages"][1]["content"][:2] == [blocks[0], {**blocks[1], "signature": "c2lnbmVk"}]


async def test_claudes_older_reasoning_stays_out(fake: Fake) -> None:
    """It is needed only between the calls of one answer."""
    state = 'anthropic [{"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"}]'
    own = replace(TIDE_CALL, state=state)
    exchange = (
        QUESTION,
        Turn("assistant", "", calls=(own,)),
        Turn("user", "", outputs=ANSWERED.outputs[:1]),
    )
    answered = (*exchange, Turn("assistant", "At noon."), Turn("user", "Thanks."))
    body = await send_tools(fake, "anthropic", TOOLS, *answered)
    assert "c2lnbmVk" not in json.dumps(body)
    assert "thinking" in body
    mixed = (
        *exchange,
        Turn("assistant", "", calls=(WIND_CALL,)),
        replace(ANSWERED, outputs=ANSWERED.outputs[1:]),
    )
    body = await send_tools(fake, "anthropic", TOOLS, *mixed)
    assert "c2lnbmVk" not in json.dumps(body)
    assert "thinking" not in body


@pytest.mark.parametrize(
    "message",
    [
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        "messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant "
        "message cannot be modified. These blocks must remain as they were.",
        "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
        "`tool_use`.",
        "messages.1.content.0: this thinking block is of another conversation.",
    ],
)
async def test_reasoning_that_claude_refuses_is_left_out_of_this_request_only(
    fake: Fake, message: str
) -> None:
    wire = WIRES_BY_NAME["anthropic"]
    own = replace(TIDE_CALL, state=f"anthropic {json.dumps([THOUGHT])}")
    answered = Turn("user", "", outputs=ANSWERED.outputs[:1])
    request = build_request(wire.model, QUESTION, Turn("assistant", "", calls=(own,)), answered)
    words = {"type": "invalid_request_error", "message": message}
    fake.script(Behaviour(error=ErrorAnswer(400, {"type": "error", "error": words})))
    fake.script(Behaviour.of("At noon."))
    remembered: list[str] = []

    async def remember(name: str) -> None:
        remembered.append(name)

    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake))
    source = ReplySource(adapter, request, Secret(KEY), on_unsupported_parameter=remember)
    events = [event async for event in source.events(StreamText(), "")]
    assert [event.text for event in events if isinstance(event, Delta)] == ["At noon."]
    assert remembered == []
    first, second = fake.requests()
    assert "c2lnbmVk" in json.dumps(first.body)
    assert "thinking" in first.body
    assert "c2lnbmVk" not in json.dumps(second.body)
    assert "thinking" not in second.body


async def test_a_forced_call_has_no_reasoning_before_it(fake: Fake) -> None:
    for choice in ("required", "function:find_tide"):
        body = await send_tools(fake, "anthropic", replace(TOOLS, choice=choice))
        assert "thinking" not in body


async def test_gemini_gets_its_signature_back(fake: Fake) -> None:
    wire = WIRES_BY_NAME["google"]
    unnamed = (replace(TIDE_CALL, id=""), replace(WIND_CALL, id=""))
    calls, body = await ask_twice(fake, wire, ToolReply(unnamed, thought="Hm."))
    assert [call.state for call in calls] == ["google c2lnbmVk", ""]
    first, second = body["contents"][1]["parts"]
    assert first["thoughtSignature"] == "c2lnbmVk"
    assert "thoughtSignature" not in second
    answers = [part["functionResponse"] for part in body["contents"][2]["parts"]]
    assert [answer["name"] for answer in answers] == ["find_tide", "find_wind"]
    assert [answer["id"] for answer in answers] == [call.id for call in calls]


async def test_a_compatible_server_gets_back_what_it_sent_beside_the_calls(fake: Fake) -> None:
    """DeepSeek wants its reasoning, and Gemini behind this API its signature."""
    calls, body = await ask_twice(fake, COMPATIBLE, ToolReply(thought="Hm."))
    assert body["messages"][1]["reasoning_content"] == "Hm."
    turns = (QUESTION, Turn("assistant", "", calls=tuple(calls)), ANSWERED)
    other = await send(fake, COMPATIBLE, build_request("another-model", *turns))
    assert "reasoning_content" not in json.dumps(other)
    official = build_body(build_request(COMPATIBLE.model, *turns), is_official=True)
    assert "reasoning_content" not in json.dumps(official["extra_body"])

    extra = {"google": {"thought_signature": "c2lnbmVk"}}
    called = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    delta = {"tool_calls": [called | {"extra_content": extra}]}
    choice = {"delta": delta, "finish_reason": "tool_calls"}
    fake.script(script_body(encode_events([{"choices": [choice]}], is_done=True)))
    adapter = get_adapter(COMPATIBLE.provider, base_url=COMPATIBLE.base_url(fake))
    calls = read_calls(await collect_events(adapter, build_request(COMPATIBLE.model)))
    turns = (QUESTION, Turn("assistant", "", calls=tuple(calls)), ANSWERED)
    body = await send(fake, COMPATIBLE, build_request(COMPATIBLE.model, *turns))
    assert body["messages"][1]["tool_calls"][0]["extra_content"] == extra


@every_wire
async def test_no_provider_gets_the_state_of_another_one(fake: Fake, wire: Wire) -> None:
    states = {"anthropic": 'anthropic [{"x": "c2lnbmVk"}]', "google": "google c2lnbmVk"}
    states["compatible"] = 'chat {"model": "llama3.3", "reasoning_content": "c2lnbmVk"}'
    for name, state in states.items():
        if name != wire.name:
            turns = (QUESTION, replace(CALLED, calls=(replace(TIDE_CALL, state=state), WIND_CALL)))
            body = await send(fake, wire, build_request(wire.model, *turns, ANSWERED))
            assert "c2lnbmVk" not in json.dumps(body)


# The cache of prompts


def test_outputs_are_marked_like_questions_and_count_for_the_length() -> None:
    long = ToolOutput("call_1", "The tide comes in twice a day. " * 200)
    turns = (*EXCHANGE[:2], Turn("user", "", outputs=(long, ANSWERED.outputs[1])))
    request = Request("claude-opus-5-5", turns, tools=TOOLS, cache_key="k1")
    _, messages = build_marked_prompt(request)
    content = messages[2]["content"]
    assert isinstance(content, list)
    first, last = content
    assert "cache_control" not in first
    assert last["cache_control"] == MARK["cache_control"]
