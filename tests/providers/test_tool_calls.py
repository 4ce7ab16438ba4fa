"""Calls of tools come whole and at the end, over every wire, however the server sends them."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest

from streaming.events import Delta, Finish, SourceError, SourceEvent, StreamText
from streaming.providers import errors
from streaming.providers.adapter import ReplyEvent
from streaming.providers.http import call_assembler
from streaming.providers.http.call_assembler import CallAssembler
from streaming.providers.http.parsed import CallPart
from streaming.providers.http.reply_calls import clean_call
from streaming.providers.key_filter import KeyFilter
from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter
from streaming.providers.tools import MAX_CALLS, MAX_FUNCTION_NAME_CHARS, ToolCall, Tools
from streaming.providers.types import Upstream
from tests.providers.factories import (
    KEY,
    collect_from_source,
    collect_until_error,
    join_text,
)
from tests.providers.tool_replies import (
    COMPATIBLE,
    TIDE_CALL,
    TOOLS,
    WIND_CALL,
    WIRES_BY_NAME,
    ToolReply,
    build_item,
    build_message,
    build_request,
    build_response,
    encode_events,
    encode_reply,
    find_reason,
    read_calls,
    read_shapes,
    script_body,
)
from tests.providers.wires import WIRES, Wire
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

BOTH = (TIDE_CALL, WIND_CALL)
LENGTH = {
    "openai": "max_output_tokens",
    "compatible": "length",
    "anthropic": "max_tokens",
    "google": "MAX_TOKENS",
}
every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


async def ask(
    fake: Fake, wire: Wire, body: bytes, tools: Tools | None = TOOLS, **fields: Any
) -> tuple[list[ReplyEvent], errors.ProviderError | None]:
    fake.script(script_body(body, **fields))
    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake))
    return await collect_until_error(adapter, build_request(wire.model, tools=tools))


async def ask_chat(fake: Fake, *choices: dict[str, Any]) -> list[ReplyEvent]:
    """The events of a reply over Chat Completions with these choices."""
    body = encode_events(({"choices": [choice]} for choice in choices), is_done=True)
    events, error = await ask(fake, COMPATIBLE, body)
    assert error is None
    return events


async def read_source(
    fake: Fake, wire: Wire, so_far: StreamText | None = None, tools: Tools | None = TOOLS
) -> tuple[list[SourceEvent], SourceError | None]:
    request = build_request(wire.model, tools=tools)
    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake))
    return await collect_from_source(adapter, request, so_far)


# Whole replies


@every_wire
async def test_a_call_without_text(fake: Fake, wire: Wire) -> None:
    events, error = await ask(fake, wire, encode_reply(wire.name, ToolReply()))
    assert error is None
    assert read_shapes(read_calls(events)) == read_shapes([TIDE_CALL])
    assert [type(event) for event in events if event != Delta("", checkpoint="")] == [Delta, Finish]
    assert find_reason(events) == "tool_calls"


@every_wire
async def test_parallel_calls_follow_the_text(fake: Fake, wire: Wire) -> None:
    reply = ToolReply(BOTH, text="Let me see.", thought="Hm.")
    events, error = await ask(fake, wire, encode_reply(wire.name, reply))
    assert error is None
    assert join_text(events) == "Let me see."
    assert join_text(events, "reasoning") == "Hm."
    assert read_shapes(read_calls(events)) == read_shapes(BOTH)
    kinds = [event.kind for event in events if isinstance(event, Delta) and event.text]
    assert kinds[-2:] == ["tool_call", "tool_call"]
    assert find_reason(events) == "tool_calls"


@every_wire
@pytest.mark.parametrize("seed", range(3))
async def test_calls_survive_any_cut_of_the_bytes(fake: Fake, wire: Wire, seed: int) -> None:
    chance = random.Random(seed)
    reply = ToolReply(BOTH, text="Übrigens…", thought="Hm.", piece=chance.randrange(1, 9))
    body = encode_reply(wire.name, reply)
    places = tuple(sorted(chance.sample(range(1, len(body)), 40)))
    events, error = await ask(fake, wire, body, split_at=places)
    assert error is None
    assert join_text(events) == "Übrigens…"
    assert read_shapes(read_calls(events)) == read_shapes(BOTH)


@every_wire
async def test_calls_that_no_tool_was_declared_for_are_left_out(fake: Fake, wire: Wire) -> None:
    for tools in (None, Tools()):
        fake.script(script_body(encode_reply(wire.name, ToolReply())))
        events, error = await read_source(fake, wire, tools=tools)
        assert read_calls(events) == []
        assert error
        assert error.code in {"only_tool_call", "empty_reply"}


@every_wire
async def test_calls_that_the_request_forbids_are_left_out(fake: Fake, wire: Wire) -> None:
    """Compatible servers may ignore the choice."""
    forbidden = replace(TOOLS, choice="none")
    body = encode_reply(wire.name, ToolReply(BOTH, text="At noon."))
    events, error = await ask(fake, wire, body, forbidden)
    assert error is None
    assert join_text(events) == "At noon."
    assert read_calls(events) == []
    fake.script(script_body(encode_reply(wire.name, ToolReply())))
    events_of_source, failure = await read_source(fake, wire, tools=forbidden)
    assert read_calls(events_of_source) == []
    assert failure
    assert failure.code in {"only_tool_call", "empty_reply"}


@every_wire
@pytest.mark.parametrize("parallel", [None, True, False])
async def test_a_reply_has_one_call_if_parallel_ones_are_forbidden(
    fake: Fake, wire: Wire, parallel: bool | None
) -> None:
    """Google has no field for it, and compatible servers may ignore theirs."""
    body = encode_reply(wire.name, ToolReply(BOTH, thought="Hm."))
    events, error = await ask(fake, wire, body, replace(TOOLS, parallel=parallel))
    assert error is None
    expected = BOTH[:1] if parallel is False else BOTH
    assert read_shapes(read_calls(events)) == read_shapes(expected)
    assert find_reason(events) == "tool_calls"


@every_wire
async def test_a_key_that_is_echoed_in_a_call_is_removed(fake: Fake, wire: Wire) -> None:
    escaped = "".join(f"\\u{ord(char):04x}" for char in KEY)
    for written in (KEY, escaped):
        arguments = f'{{"at": "{written}", "is": "Oban"}}'
        call = ToolCall(KEY, f"find_{KEY}", arguments)
        reply = ToolReply((call,), thought="Hm.", signature=KEY)
        events, error = await ask(fake, wire, encode_reply(wire.name, reply))
        assert error is None
        [cleaned] = read_calls(events)
        assert KEY not in repr(events)
        assert json.loads(cleaned.arguments) == {"at": "[key]", "is": "Oban"}
        assert cleaned.name == "find_[key]"
        assert cleaned.id.startswith("call_")
        assert cleaned.state == ("" if wire.name != "compatible" else cleaned.state)


@pytest.mark.parametrize(
    "arguments",
    [
        '{"at": "%s"}',
        '{"at": "%s", "is"',  # cut, so it is no JSON
        '{"at": "%s", "at": "Oban"}',  # one reader takes the first value, another one the last
        '["%s"]',
    ],
)
def test_a_key_in_an_escaped_form_is_removed_from_any_arguments(arguments: str) -> None:
    key = "lab/0a1b2c3d/4e5f60718293"
    spelled = "".join(f"\\u{ord(char):04X}" for char in key)
    first = key.replace("l", "\\u006c", 1)
    for written in (key, spelled, first, key.replace("/", "\\/"), key.replace("/", "\\/", 1)):
        call = ToolCall("call_1", "find_tide", arguments % written)
        cleaned = clean_call(call, KeyFilter(Secret(key))).arguments
        plain = cleaned.replace("\\/", "/")
        assert key not in plain
        assert spelled not in plain
        assert "\\u006c" not in plain
        assert "[key]" in plain or plain == '{"at": "Oban"}'


@pytest.mark.parametrize("arguments", ['{"at": "Br\\u00e8st\\/"}', '{"at": "\\u006c', "\\ud83d"])
def test_arguments_without_a_key_keep_their_spelling(arguments: str) -> None:
    call = ToolCall("call_1", "find_tide", arguments)
    assert clean_call(call, KeyFilter(Secret("lab/0a1b2c3d/4e5f60718293"))) == call


@every_wire
async def test_calls_are_an_answer_and_their_end_is_given_once(fake: Fake, wire: Wire) -> None:
    fake.script(script_body(encode_reply(wire.name, ToolReply())))
    events, error = await read_source(fake, wire)
    assert error is None
    assert len(read_calls(events)) == 1
    ends = [event for event in events if isinstance(event, Finish)]
    assert [end.reason for end in ends] == ["tool_calls"]


async def test_a_reason_of_calls_without_calls_is_no_answer(fake: Fake) -> None:
    fake.script(script_body(encode_reply("compatible", ToolReply(()))))
    _, error = await read_source(fake, COMPATIBLE)
    assert error
    assert error.code == "only_tool_call"


async def test_text_that_no_database_holds_is_replaced(fake: Fake) -> None:
    call = {"index": 0, "id": "c\0", "function": {"name": "f\ud83d", "arguments": '"\ud83c'}}
    rest = {"index": 0, "function": {"arguments": '\udf0a\0"'}}
    events = await ask_chat(
        fake,
        {"delta": {"tool_calls": [call]}},
        {"delta": {"tool_calls": [rest]}, "finish_reason": "tool_calls"},
    )
    assert read_calls(events) == [ToolCall("c�", "f�", '"🌊�"')]


# Replies that end otherwise


@every_wire
async def test_of_a_reply_that_is_too_long_only_complete_calls_are_kept(
    fake: Fake, wire: Wire
) -> None:
    half = replace(WIND_CALL, arguments='{"at": "Oban", "ho')
    calls = BOTH[:1] if wire.name == "google" else (TIDE_CALL, half)
    reply = ToolReply(calls, finish=LENGTH[wire.name])
    events, error = await ask(fake, wire, encode_reply(wire.name, reply))
    assert error is None
    assert read_shapes(read_calls(events)) == read_shapes([TIDE_CALL])
    assert find_reason(events) == "length"


async def test_a_call_without_arguments_is_complete_once_its_block_is_closed(fake: Fake) -> None:
    wire = WIRES_BY_NAME["anthropic"]
    empty = replace(WIND_CALL, arguments="")
    events = build_message(ToolReply((empty,), finish="max_tokens"))
    whole, _ = await ask(fake, wire, encode_events(events))
    assert read_calls(whole)[0].arguments == "{}"
    open_block = [event for event in events if event["type"] != "content_block_stop"]
    cut, _ = await ask(fake, wire, encode_events(open_block))
    assert read_calls(cut) == []


@every_wire
async def test_a_connection_that_breaks_within_the_calls_leaves_none(
    fake: Fake, wire: Wire
) -> None:
    body = encode_reply(wire.name, ToolReply(BOTH, text="Let me see."))
    cut = body[: body.rindex(b"\n\n", 0, body.rindex(b"find_wind"))]
    fake.script(script_body(cut + b"\n\n", cut_after=0, end_after=None))
    events, error = await read_source(fake, wire)
    assert read_calls(events) == []
    assert error
    assert error.interrupted


@every_wire
async def test_a_reply_of_calls_alone_that_breaks_is_asked_for_again(
    fake: Fake, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming.providers.retries.RETRY_DELAYS_SECONDS", (0.0, 0.0))
    body = encode_reply(wire.name, ToolReply(BOTH))
    half = body[: body.rindex(b"\n\n", 0, len(body) // 2)] + b"\n\n"
    fake.script(script_body(half, cut_after=0, end_after=None), script_body(body))
    events, error = await read_source(fake, wire)
    assert error is None
    assert read_shapes(read_calls(events)) == read_shapes(BOTH)
    assert len(fake.requests()) == 2


async def test_too_much_of_calls_is_an_error(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_assembler, "MAX_CALL_CHARS", 100)
    reply = ToolReply((replace(TIDE_CALL, arguments=json.dumps({"at": "x" * 100})),), piece=10)
    events, error = await ask(fake, COMPATIBLE, encode_reply("compatible", reply))
    assert events == []
    assert error
    assert error.message == errors.CALLS_TOO_LONG
    many = tuple(ToolCall(f"c{at}", "f", "{}") for at in range(MAX_CALLS + 1))
    monkeypatch.setattr(call_assembler, "MAX_CALL_CHARS", 10_000)
    _, error = await ask(fake, COMPATIBLE, encode_reply("compatible", ToolReply(many)))
    assert error
    assert error.message == errors.TOO_MANY_CALLS


PIECES = 500


@pytest.mark.parametrize(
    ("name", "first_id", "next_id"),
    [("find_tide", "a", "a"), ("find_tide", "", ""), ("", "a", "b"), ("", "", "")],
)
def test_the_pieces_of_a_call_are_joined_once(
    monkeypatch: pytest.MonkeyPatch, name: str, first_id: str, next_id: str
) -> None:
    """Joined for each piece, they would hold the worker up for seconds."""
    joined = 0

    def join(call: Any) -> str:
        nonlocal joined
        joined += 1
        return "".join(call.pieces)

    monkeypatch.setattr(
        "streaming.providers.http.call_assembler._OpenCall.arguments", property(join)
    )
    assembler = CallAssembler()
    assembler.add(CallPart(("0",), id=first_id, name=name))
    for _ in range(PIECES):
        assembler.add(CallPart(("0",), id=next_id, name=name, arguments="1"))
    calls = assembler.build(is_cut=False)
    assert [call.arguments for call in calls] == (["1" * PIECES] if name else [])
    assert joined == 1


def test_a_name_in_too_many_pieces_is_not_collected() -> None:
    copied = 0

    class NamePiece(str):
        __slots__ = ()

        def __radd__(self, before: str) -> str:
            nonlocal copied
            copied += len(before)
            return before + str(self)

    assembler = CallAssembler()
    for at in range(PIECES):
        assembler.add(CallPart(("0",), name=NamePiece(f"f{at}")))
    assert assembler.build(is_cut=False) == []
    assert 0 < copied < MAX_FUNCTION_NAME_CHARS**2


# Another run


async def test_a_run_after_the_calls_adds_only_the_end(fake: Fake) -> None:
    so_far = StreamText("Let me see.", next_index=2, calls=TIDE_CALL.to_line())
    events, error = await read_source(fake, COMPATIBLE, so_far)
    assert (events, error) == ([Finish("tool_calls")], None)
    assert fake.requests() == []


async def test_the_rest_of_a_text_may_end_in_calls(fake: Fake) -> None:
    """The model repeats the end of the text, which waits for more of it until the calls come."""
    fake.script(script_body(encode_reply("compatible", ToolReply(text="at the pier and"))))
    so_far = StreamText("I look at the pier and", next_index=1)
    events, error = await read_source(fake, COMPATIBLE, so_far)
    assert error is None
    deltas = [event for event in events if isinstance(event, Delta) and event.text]
    assert [delta.kind for delta in deltas] == ["tool_call"]
    [record] = fake.requests()
    assert [tool["function"]["name"] for tool in record.body["tools"]] == ["find_tide", "find_wind"]


async def test_held_text_comes_before_the_calls(fake: Fake) -> None:
    fake.script(script_body(encode_reply("compatible", ToolReply(text="at the"))))
    so_far = StreamText("I look at the pier and at the", next_index=1)
    events, _ = await read_source(fake, COMPATIBLE, so_far)
    kinds = [event.kind for event in events if isinstance(event, Delta) and event.text]
    assert kinds == ["text", "tool_call"]


# Servers that send calls otherwise


async def test_calls_without_an_index_are_told_apart_by_their_ids(fake: Fake) -> None:
    def delta(**call: Any) -> dict[str, Any]:
        return {"delta": {"tool_calls": call}}

    events = await ask_chat(
        fake,
        delta(id="a", function={"name": "find_tide", "arguments": '{"x":'}),
        delta(function={"arguments": "1}"}),
        delta(id="b", function={"name": "find_tide", "arguments": ""}),
        delta(id="a", function={"arguments": " "}),
        delta(id="b", function={"arguments": '{"x":2}'}),
        {"delta": {}, "finish_reason": "stop"},
    )
    assert read_calls(events) == [
        ToolCall("a", "find_tide", '{"x":1}'),
        ToolCall("b", "find_tide", '{"x":2}'),
    ]
    assert find_reason(events) == "tool_calls"


async def test_calls_that_all_have_the_index_0_are_told_apart_by_their_ids(fake: Fake) -> None:
    calls = [
        {
            "index": 0,
            "id": name,
            "function": {"name": "find_tide", "arguments": f'{{"x":"{name}"}}'},
        }
        for name in "ab"
    ]
    events = await ask_chat(
        fake, {"delta": {"tool_calls": calls}}, {"delta": {}, "finish_reason": "tool_calls"}
    )
    assert read_calls(events) == [
        ToolCall("a", "find_tide", '{"x":"a"}'),
        ToolCall("b", "find_tide", '{"x":"b"}'),
    ]


async def test_parts_that_repeat_the_name_under_other_ids_are_one_call(fake: Fake) -> None:
    parts = [
        {"index": 0, "id": "a", "function": {"name": "find_tide", "arguments": '{"x"'}},
        {"index": 0, "id": "a", "function": {"name": "find_tide", "arguments": ":1"}},
        {"index": 0, "id": "random", "function": {"name": None, "arguments": "}"}},
    ]
    events = await ask_chat(
        fake,
        *({"delta": {"tool_calls": [part]}} for part in parts),
        {"delta": {}, "finish_reason": "tool_calls"},
    )
    assert read_calls(events) == [ToolCall("a", "find_tide", '{"x":1}')]


async def test_a_name_may_come_in_pieces(fake: Fake) -> None:
    parts = [
        {"index": 0, "id": "a", "function": {"name": "find_"}},
        {"index": 0, "function": {"name": "tide"}},
        {"index": 0, "function": {"arguments": "{}"}},
    ]
    events = await ask_chat(
        fake,
        *({"delta": {"tool_calls": [part]}} for part in parts),
        {"delta": {}, "finish_reason": "tool_calls"},
    )
    assert read_calls(events) == [ToolCall("a", "find_tide", "{}")]


async def test_a_message_in_one_piece_has_its_calls(fake: Fake) -> None:
    calls = [
        {"id": call.id, "function": {"name": call.name, "arguments": call.arguments}}
        for call in BOTH
    ]
    message = {"message": {"content": None, "tool_calls": calls}, "finish_reason": "tool_calls"}
    assert read_calls(await ask_chat(fake, message)) == list(BOTH)
    deltas = [{"delta": {"tool_calls": [call | {"index": at}]}} for at, call in enumerate(calls)]
    repeated = await ask_chat(fake, *deltas, message | {"delta": {}})
    assert read_calls(repeated) == list(BOTH)


async def test_the_old_name_of_a_call_is_read(fake: Fake) -> None:
    events = await ask_chat(
        fake,
        {"delta": {"function_call": {"name": "find_tide", "arguments": '{"at":'}}},
        {"delta": {"function_call": {"arguments": '"Oban"}'}}, "finish_reason": "function_call"},
    )
    [call] = read_calls(events)
    assert (call.name, call.arguments) == ("find_tide", '{"at":"Oban"}')


async def test_ollamas_calls_have_objects_and_no_ids(fake: Fake) -> None:
    lines = [
        {"message": {"tool_calls": [{"function": {"name": "find_tide", "arguments": {"x": x}}}]}}
        | {"done": False}
        for x in (1, 2)
    ]
    ended = {"message": {"content": ""}, "done": True, "done_reason": "stop"}
    body = "".join(json.dumps(line) + "\n" for line in [*lines, ended]).encode()
    events, error = await ask(
        fake, COMPATIBLE, body, headers={"Content-Type": "application/x-ndjson"}
    )
    assert error is None
    calls = read_calls(events)
    assert [json.loads(call.arguments) for call in calls] == [{"x": 1}, {"x": 2}]
    assert len({call.id for call in calls}) == 2
    assert find_reason(events) == "tool_calls"


async def test_two_calls_of_one_id_get_different_ones(fake: Fake) -> None:
    calls = [
        {"index": at, "id": "same", "function": {"name": "find_tide", "arguments": "{}"}}
        for at in range(2)
    ]
    events = await ask_chat(
        fake, {"delta": {"tool_calls": calls}}, {"delta": {}, "finish_reason": "tool_calls"}
    )
    first, second = read_calls(events)
    assert first.id == "same"
    assert second.id.startswith("call_")


@pytest.mark.parametrize(
    "left_out",
    [
        {"output_item.done"},
        {"output_item.done", "function_call_arguments.done"},
        {"output_item.added", "function_call_arguments.delta", "function_call_arguments.done"},
        {"output_item.added"},
    ],
)
async def test_responses_may_leave_events_of_a_call_out(fake: Fake, left_out: set[str]) -> None:
    wire = WIRES_BY_NAME["openai"]
    events = build_response(ToolReply(BOTH, text="Let me see."))
    kept = [e for e in events if e["type"].removeprefix("response.") not in left_out]
    if "output_item.done" in left_out:
        kept[-1]["response"]["output"] = []
    events_read, error = await ask(fake, wire, encode_events(kept))
    assert error is None
    assert read_calls(events_read) == list(BOTH)


async def test_the_items_of_a_response_may_have_other_ids_in_each_event(fake: Fake) -> None:
    events = build_response(ToolReply(BOTH))
    for number, event in enumerate(events):
        for holder in (event, event.get("item", {})):
            for name in ("item_id", "id"):
                if name in holder:
                    holder[name] = f"other_{number}"
    read, _ = await ask(fake, WIRES_BY_NAME["openai"], encode_events(events))
    assert read_calls(read) == list(BOTH)


async def test_the_last_event_of_a_response_may_have_all_of_it(fake: Fake) -> None:
    output = [build_item(call, at) for at, call in enumerate(BOTH)]
    response = {"id": "resp_1", "object": "response", "status": "completed", "output": output}
    wire = WIRES_BY_NAME["openai"]
    last = encode_events([{"type": "response.completed", "response": response}])
    events, _ = await ask(fake, wire, last)
    assert read_calls(events) == list(BOTH)
    fake.script(Behaviour(error=ErrorAnswer(200, json.dumps(response))))
    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake))
    events, error = await collect_until_error(adapter, build_request(wire.model))
    assert error is None
    assert read_calls(events) == list(BOTH)


@pytest.mark.parametrize("after", range(0, 14, 3))
async def test_the_rest_of_a_providers_copy_has_all_calls_once(fake: Fake, after: int) -> None:
    wire = WIRES_BY_NAME["openai"]
    rest = build_response(ToolReply(BOTH, piece=8))[after:]
    body = encode_events(rest).decode()
    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake))
    request = build_request(wire.model, background=True)
    kept, _ = await collect_until_error(adapter, request)
    assert isinstance(kept[0], Delta)
    copy = Upstream.from_checkpoint(kept[0].checkpoint)
    fake.script(Behaviour(on="attach", error=ErrorAnswer(200, body)))
    request = replace(request, upstream=Upstream(copy.id, str(after)))
    events, error = await collect_until_error(adapter, request)
    assert error is None
    assert read_shapes(read_calls(events)) == read_shapes(BOTH)
    assert find_reason(events) == "tool_calls"


async def test_anthropics_message_in_one_piece_has_its_calls(fake: Fake) -> None:
    blocks = [
        {"type": "redacted_thinking", "data": "c2VjcmV0"},
        {"type": "tool_use", "id": "toolu_1", "name": "find_tide", "input": {"at": "Oban"}},
    ]
    message = {"type": "message", "content": blocks, "stop_reason": "tool_use"}
    events, error = await ask(fake, WIRES_BY_NAME["anthropic"], encode_events([message]))
    assert error is None
    state = 'anthropic [{"type": "redacted_thinking", "data": "c2VjcmV0"}]'
    assert read_calls(events) == [ToolCall("toolu_1", "find_tide", '{"at": "Oban"}', state)]


async def test_googles_calls_may_have_no_id_and_the_spelling_of_a_proxy(fake: Fake) -> None:
    call = {"function_call": {"name": "find_tide", "args": {"x": 1}}, "thought_signature": "c2ln"}
    other = {"function_call": {"name": "find_tide", "args": {"x": 2}}}
    content = {"content": {"parts": [call, other]}, "finish_reason": "STOP"}
    events, error = await ask(
        fake, WIRES_BY_NAME["google"], encode_events([{"candidates": [content]}])
    )
    assert error is None
    first, second = read_calls(events)
    assert [first.arguments, second.arguments] == ['{"x": 1}', '{"x": 2}']
    assert (first.state, second.state) == ("google c2ln", "")
    assert first.id != second.id
