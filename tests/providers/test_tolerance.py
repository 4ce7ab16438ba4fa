"""Of an event only the text may fail a reply: every other field may hold anything."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from streaming.events import Delta, Finish
from streaming.providers import errors
from streaming.providers.adapter import ReplyEvent
from streaming.providers.http.parse import is_true, to_count
from streaming.providers.registry import get_adapter
from streaming.providers.tools import FunctionTool, Tools
from streaming.providers.types import Request, Turn
from tests.providers.factories import collect_until_error, join_text
from tests.providers.wires import WIRES, Wire
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

NAMES = ("index", "id", "type", "code", "status", "details", "prompt_tokens", "parts", "x")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=5,
)
EMPTY: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", {}, [], 0, False, {"message": ""}, {"code": None}]
)


def not_another_index(value: Any) -> bool:
    """Whether a value says of no other choice that it holds this text."""
    return not (isinstance(value, (int, float)) and value) and not str(value).isdigit()


def is_no_text(value: Any) -> bool:
    """Whether a value is no text where one stands, alone or in a list."""
    return not isinstance(value, str) and (
        not isinstance(value, list) or all(map(is_no_text, value))
    )


NO_TEXT = JSON.filter(is_no_text)
Draw = Callable[..., Any]


def build_call(draw: Draw, *names: str, **more: Any) -> dict[str, Any]:
    """A call of a tool, or a part of one, with anything in its fields."""
    return {name: draw(JSON) for name in names} | more


def build_chat_events(draw: Draw, text: str) -> list[dict[str, Any]]:
    delta = {name: draw(JSON) for name in ("role", "tool_calls", "audio", "reasoning")}
    details = {"reasoning_details": draw(JSON), "reasoning_content": draw(JSON)}
    index = draw(JSON.filter(not_another_index))
    choice = {"index": index, "delta": delta | details | {"content": text}}
    choice |= {"logprobs": draw(JSON), "message": draw(JSON)}
    usage = {"prompt_tokens": draw(JSON), "prompt_tokens_details": draw(JSON)}
    names = ("id", "object", "created", "model", "system_fingerprint")
    event = {name: draw(JSON) for name in names} | {"error": draw(EMPTY), "choices": [None, choice]}
    odd = {"choices": draw(NO_TEXT), "usage": draw(JSON)}
    function = build_call(draw, "name", "arguments", "index")
    call = build_call(draw, "index", "id", "extra_content", function=function)
    called = {"choices": [{"delta": {"tool_calls": [call], "function_call": draw(JSON)}}]}
    return [event | {"usage": draw(JSON)}, odd, called, {"choices": [], "usage": usage}]


ITEM_FIELDS = ("id", "call_id", "name", "arguments", "status")


def build_responses_events(draw: Draw, text: str) -> list[dict[str, Any]]:
    delta = {
        name: draw(JSON) for name in ("item_id", "output_index", "sequence_number", "logprobs")
    }
    response = {"id": draw(JSON), "usage": draw(JSON), "output": draw(JSON)}
    return [
        {"type": "response.created", "response": response},
        {"type": "response.in_progress", "response": draw(JSON)},
        delta | {"type": "response.output_text.delta", "delta": text},
        {"type": draw(JSON), "response": draw(JSON), "error": draw(EMPTY)},
        {"type": "response.output_item.done", "item": draw(JSON)},
        {
            "type": "response.output_item.done",
            "output_index": draw(JSON),
            "item": build_call(draw, *ITEM_FIELDS, type="function_call"),
        },
        build_call(draw, "delta", "item_id", "item", type="response.function_call_arguments.delta"),
    ]


def build_anthropic_events(draw: Draw, text: str) -> list[dict[str, Any]]:
    delta = {"type": "text_delta", "text": text, "citations": draw(JSON)}
    usage = {"input_tokens": draw(JSON), "output_tokens_details": draw(JSON)}
    return [
        {"type": "message_start", "message": draw(JSON)},
        {"type": "message_start", "message": {"id": draw(JSON), "usage": draw(JSON)}},
        {"type": "content_block_start", "index": draw(JSON), "content_block": draw(NO_TEXT)},
        {
            "type": "content_block_start",
            "index": draw(JSON),
            "content_block": build_call(draw, "id", "name", "input", type="tool_use"),
        },
        {
            "type": "content_block_delta",
            "index": draw(JSON),
            "delta": build_call(draw, "partial_json", type="input_json_delta"),
        },
        {"type": "content_block_delta", "index": draw(JSON), "delta": delta},
        {"type": "content_block_delta", "delta": draw(NO_TEXT)},
        {"type": "content_block_stop", "index": draw(JSON)},
        {"type": "message_delta", "delta": draw(JSON), "usage": usage},
        {"type": draw(JSON), "delta": draw(JSON), "error": draw(EMPTY)},
    ]


def build_google_events(draw: Draw, text: str) -> list[dict[str, Any]]:
    part = {"text": text, "thought": draw(JSON.filter(lambda value: not is_true(value)))}
    called = {
        "functionCall": build_call(draw, "id", "name", "args"),
        "thoughtSignature": draw(JSON),
    }
    content = {"parts": [None, draw(NO_TEXT), part | {"thoughtSignature": draw(JSON)}, called]}
    index = draw(JSON.filter(not_another_index))
    candidate = {"content": content, "index": index, "safetyRatings": draw(JSON)}
    usage = {"promptTokenCount": draw(JSON), "thoughtsTokenCount": draw(JSON)}
    return [
        {"candidates": [candidate], "responseId": draw(JSON), "usageMetadata": draw(JSON)},
        {"candidates": draw(NO_TEXT), "error": draw(EMPTY), "promptFeedback": {"x": draw(JSON)}},
        {"usageMetadata": usage, "promptFeedback": draw(JSON)},
    ]


BUILDERS = {
    "openai": build_responses_events,
    "compatible": build_chat_events,
    "anthropic": build_anthropic_events,
    "google": build_google_events,
}
TEXTS = [f"word {number}, " for number in range(4)]


@st.composite
def odd_bodies(draw: Draw, wire: Wire) -> bytes:
    events = [event for text in TEXTS for event in BUILDERS[wire.name](draw, text)]
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def ask_wire(fake: Fake, wire: Wire, body: bytes) -> list[ReplyEvent]:
    fake.script(Behaviour(extra=body))
    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake))
    request = Request(wire.model, (Turn("user", "Kelp?"),), tools=Tools((FunctionTool("f"),)))
    events, error = asyncio.run(collect_until_error(adapter, request))
    assert error is None
    return events


def check_odd_bodies(fake: Fake, wire: Wire, max_examples: int) -> None:
    """Run so many replies with odd fields, and require the whole text of each."""

    @seed(16)
    @settings(
        max_examples=max_examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(body=odd_bodies(wire))
    def check(body: bytes) -> None:
        fake.reset()
        events = ask_wire(fake, wire, body)
        assert join_text(events) == "".join(TEXTS)
        assert isinstance(events[-1], Finish)

    check()


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_any_value_in_any_other_field_leaves_the_text_whole(fake: Fake, wire: Wire) -> None:
    check_odd_bodies(fake, wire, max_examples=5)


@pytest.mark.prove
@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_thousands_of_odd_values_leave_the_text_whole(fake: Fake, wire: Wire) -> None:
    check_odd_bodies(fake, wire, max_examples=1_000)


@pytest.mark.parametrize(
    ("sent", "count"),
    [(7, 7), ("7", 7), (7.0, 7), (-1, None), (True, None), (1 << 40, None), ("many", None)],
)
def test_a_count_is_taken_if_it_fits(sent: Any, count: int | None) -> None:
    assert to_count(sent) == count


@pytest.mark.parametrize(
    "body",
    [
        {"detail": "the model is asleep"},
        {"code": 50001, "message": "the model is asleep", "data": None},
        {"status": 503, "message": "the model is asleep"},
        {"error": "the model is asleep"},
        {"error": {"message": "the model is asleep", "code": None}},
    ],
    ids=str,
)
def test_an_error_under_a_status_of_success_is_the_servers_own(
    fake: Fake, body: dict[str, Any]
) -> None:
    fake.script(Behaviour(error=ErrorAnswer(200, body)))
    adapter = get_adapter("ollama", base_url=fake.openai)
    _, error = asyncio.run(collect_until_error(adapter, Request("m", (Turn("user", "?"),))))
    assert error is not None
    assert "the model is asleep" in error.detail


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("error: context length exceeded", errors.ContextTooLong),
        ("502 Bad Gateway", errors.Overloaded),
        ("[ERROR] 503 Service Unavailable", errors.Overloaded),
        ("Error: CUDA out of memory", errors.OutOfMemory),
        ("Error: upstream died", errors.ProviderError),
        ("Unauthorized", errors.InvalidKey),
    ],
)
@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_words_in_place_of_an_event_are_the_servers_error(
    fake: Fake, wire: Wire, words: str, kind: type[errors.ProviderError]
) -> None:
    fake.script(Behaviour(error=ErrorAnswer(200, f"data: {words}\n\ndata: [DONE]\n\n")))
    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake))
    request = Request(wire.model, (Turn("user", "?"),))
    _, error = asyncio.run(collect_until_error(adapter, request))
    assert type(error) is kind
    assert words.rpartition(": ")[2] in error.detail
    assert "could not be read" not in error.message


WHOLE_REPLIES: dict[str, Any] = {
    "openai": {
        "object": "response",
        "status": "completed",
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "h"}]},
            {"type": "message", "content": [{"type": "output_text", "text": "a"}]},
        ],
    },
    "anthropic": {
        "type": "message",
        "content": [{"type": "thinking", "thinking": "h"}, {"type": "text", "text": "a"}],
        "stop_reason": "end_turn",
    },
    "google": [
        {"candidates": [{"content": {"parts": [{"text": "h", "thought": True}]}}]},
        {"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]},
    ],
    "compatible": {
        "choices": [
            {"message": {"reasoning_content": "h", "content": "a"}, "finish_reason": "stop"}
        ]
    },
}


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_a_reply_in_one_piece_is_whole_on_every_wire(fake: Fake, wire: Wire) -> None:
    fake.script(Behaviour(error=ErrorAnswer(200, WHOLE_REPLIES[wire.name])))
    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake))
    request = Request(wire.model, (Turn("user", "?"),))
    events, error = asyncio.run(collect_until_error(adapter, request))
    assert (join_text(events), join_text(events, "reasoning"), error) == ("a", "h", None)
    assert isinstance(events[-1], Finish)
    assert events[-1].reason == "stop"


# The text itself, in the shapes of servers


def parse_chat(fake: Fake, *choices: dict[str, Any]) -> list[tuple[str, str]]:
    body = b"".join(
        b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n" for choice in choices
    )
    fake.script(Behaviour(error=ErrorAnswer(200, body.decode() + "data: [DONE]\n\n")))
    adapter = get_adapter("ollama", base_url=fake.openai)
    events, error = asyncio.run(collect_until_error(adapter, Request("m", (Turn("user", "?"),))))
    assert error is None
    return [(event.kind, event.text) for event in events if isinstance(event, Delta)]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"delta": {"content": ["a", "b"]}}, [("text", "a"), ("text", "b")]),
        ({"delta": {"content": {"text": "a"}}}, [("text", "a")]),
        ({"delta": {"content": [{"type": "output_text", "text": "a"}]}}, [("text", "a")]),
        ({"delta": {"content": [{"type": "text", "text": {"value": "a"}}]}}, [("text", "a")]),
        (
            {"delta": {"content": [{"type": "thinking", "thinking": "h"}, None, {"text": "a"}]}},
            [("reasoning", "h"), ("text", "a")],
        ),
        (
            {"delta": {"content": [{"type": "image_url", "image_url": {}}, {"text": "a"}]}},
            [("text", "a")],
        ),
        ({"delta": {"content": [{"type": "markdown", "text": "a"}]}}, [("text", "a")]),
        ({"delta": {"content": {"type": "Paragraph", "text": "a"}}}, [("text", "a")]),
        ({"delta": {"type": "message_delta", "text": "a"}}, [("text", "a")]),
        ({"delta": {"content": [{"type": "analysis", "text": "h"}]}}, [("reasoning", "h")]),
        ({"delta": {"content": [{"type": "md", "text": "h", "thought": 1}]}}, [("reasoning", "h")]),
        *(
            ({"delta": {"content": [{"type": kind, "text": "no"}, {"text": "a"}]}}, [("text", "a")])
            for kind in ("citation", "tool_result", "image", "documentRef", "search_query", "x")
        ),
        ({"delta": {"content": [{"type": "markdown", "text": 5}, {"text": "a"}]}}, [("text", "a")]),
        ({"message": {"content": "a"}}, [("text", "a")]),
        ({"delta": None, "text": "a"}, [("text", "a")]),
        ({"index": "0", "delta": {"content": "a"}}, [("text", "a")]),
        ({"delta": [{"content": "a"}]}, [("text", "a")]),
        ({"delta": {"content": "a"}, "message": {"content": "all of it: a"}}, [("text", "a")]),
    ],
    ids=str,
)
def test_text_is_taken_in_every_shape(
    fake: Fake, choice: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert parse_chat(fake, choice, {"delta": {"content": "."}}) == [*expected, ("text", ".")]


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning": "h", "reasoning_content": "h"},
        {"reasoning_content": "h", "reasoning_details": [{"type": "reasoning.text", "text": "h"}]},
        {"thinking": "h"},
        {"thought": "h"},
        {"reasoning_text": "h"},
        {"thinking_blocks": [{"type": "thinking", "thinking": "h", "signature": "x"}]},
        {"content": [{"type": "text", "text": "h", "thought": True}]},
        {"content": [{"text": "h", "thought": "true"}]},
        {"content": [{"type": "text", "text": "h", "thought": 1}]},
        {"reasoning": {"text": "h"}},
        {"reasoning": {"content": "h"}},
        {"reasoning": ["h"]},
        {"reasoning": {"effort": "low"}, "reasoning_content": "h"},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "h"}]},
        {
            "reasoning_details": [
                {"type": "reasoning.text", "text": "h", "signature": None},
                {"type": "reasoning.encrypted", "data": "gAAAA"},
                {"type": "unknown", "text": "no"},
            ]
        },
    ],
    ids=str,
)
def test_reasoning_is_taken_once_under_every_name(fake: Fake, delta: dict[str, Any]) -> None:
    found = parse_chat(fake, {"delta": delta}, {"delta": {"content": "a"}})
    assert found == [("reasoning", "h"), ("text", "a")]


def test_events_of_ollamas_own_interface_are_a_reply(fake: Fake) -> None:
    lines = [
        {"message": {"role": "assistant", "content": "", "thinking": "h"}, "done": False},
        {"message": {"role": "assistant", "content": "a"}, "done": False},
        {"message": {"content": ""}, "done": True, "done_reason": "stop", "eval_count": 3},
    ]
    body = "".join(f"data: {json.dumps(line)}\n\n" for line in lines)
    fake.script(Behaviour(error=ErrorAnswer(200, body)))
    adapter = get_adapter("ollama", base_url=fake.openai)
    events, _ = asyncio.run(collect_until_error(adapter, Request("m", (Turn("user", "?"),))))
    assert events == [
        Delta("h", "reasoning"),
        Delta("a"),
        Finish("stop", {"output": 3}, "req_fake"),
    ]
