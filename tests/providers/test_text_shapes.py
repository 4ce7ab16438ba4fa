"""A text that stands in another shape or place than it should is a part of the reply, once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streaming.events import Finish
from streaming.providers.registry import get_adapter
from streaming.providers.types import Request, Turn
from tests.providers.factories import collect_until_error, join_text
from tests.providers.wires import WIRES, Wire
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

WIRES_BY_NAME = {wire.name: wire for wire in WIRES}
every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
Event = dict[str, Any]


def build_chat(choice: Any) -> Event:
    return {"choices": [choice]}


def build_anthropic(delta: Any) -> Event:
    return {"type": "content_block_delta", "index": 0, "delta": delta}


def build_google(content: Any) -> Event:
    return {"candidates": [{"content": content}]}


def build_responses(**fields: Any) -> Event:
    return {"type": "response.output_text.delta", **fields}


TEXTS = {
    "compatible": [build_chat({"delta": {"content": text}}) for text in ("A ", "C")],
    "anthropic": [build_anthropic({"type": "text_delta", "text": text}) for text in ("A ", "C")],
    "google": [build_google({"parts": [{"text": text}]}) for text in ("A ", "C")],
    "openai": [build_responses(delta=text) for text in ("A ", "C")],
}
ENDS: dict[str, list[Event]] = {
    "compatible": [build_chat({"delta": {}, "finish_reason": "stop"})],
    "anthropic": [
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_stop"},
    ],
    "google": [{"candidates": [{"finishReason": "STOP"}]}],
    "openai": [{"type": "response.completed", "response": {"status": "completed"}}],
}
WHOLE_REPLIES: dict[str, Event] = {
    "compatible": {"choices": [{"message": {"content": "A C"}, "finish_reason": "stop"}]},
    "anthropic": {"type": "message", "content": [{"type": "text", "text": "A C"}]},
    "google": {"candidates": [{"content": {"parts": [{"text": "A C"}]}, "finishReason": "STOP"}]},
    "openai": {
        "object": "response",
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "A C"}]}],
    },
}
SHAPES: dict[str, list[Event]] = {
    "compatible": [
        build_chat({"delta": "B "}),
        build_chat({"delta": ["B "]}),
        build_chat({"delta": {"text": "B "}}),
        build_chat({"delta": {"value": "B "}}),
        build_chat({"delta": {"content": "", "text": [{"text": "B "}]}}),
        build_chat({"delta": {}, "text": "B "}),
        build_chat({"delta": {"role": "assistant"}, "text": "B "}),
        build_chat({"delta": {}, "content": "B "}),
        build_chat({"content": "B "}),
        build_chat({"delta": None, "content": ["B "]}),
        build_chat("B "),
        {"choices": "B "},
        {"choices": ["B ", "of another reply"]},
        build_chat({"delta": {"content": "B ", "text": "B "}, "text": "B ", "content": "B "}),
    ],
    "anthropic": [
        build_anthropic({"text": "B "}),
        build_anthropic({"type": None, "text": "B "}),
        build_anthropic({"text": ["B", " "]}),
        build_anthropic({"content": "B "}),
        build_anthropic("B "),
        build_anthropic(["B "]),
        build_anthropic([{"type": "text_delta", "text": "B "}]),
        {"type": "content_block_delta", "text": "B "},
        build_anthropic({"type": "markdown_delta", "text": "B "}),
    ],
    "google": [
        build_google({"parts": ["B "]}),
        build_google({"parts": "B "}),
        build_google({"parts": ["B", {"text": " "}]}),
        build_google([{"parts": [{"text": "B "}]}]),
        build_google([{"text": "B "}]),
        build_google({"text": "B "}),
        build_google("B "),
        {"candidates": ["B "]},
        {"candidates": [{"text": "B "}]},
    ],
    "openai": [
        build_responses(text="B "),
        build_responses(delta=None, text="B "),
        build_responses(content="B "),
        build_responses(delta={"text": "B "}),
        build_responses(delta=["B "]),
        build_responses(delta="B ", text="B "),
    ],
}


async def read_events(fake: Fake, wire: Wire, events: list[Event]) -> str:
    return await read_body(fake, wire, encode_events(wire, events))


def encode_events(wire: Wire, events: list[Event]) -> bytes:
    lines = [json.dumps(event) for event in events]
    lines += ["[DONE]"] if wire.name == "compatible" else []
    return "".join(f"data: {line}\n\n" for line in lines).encode()


async def read_body(fake: Fake, wire: Wire, body: bytes) -> str:
    """Return the text of a reply, which has to be complete."""
    answer = ErrorAnswer(200, body.decode(errors="surrogateescape"))
    fake.script(Behaviour(error=answer))
    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake))
    request = Request(wire.model, (Turn("user", "?"),))
    found, error = await collect_until_error(adapter, request)
    assert error is None
    assert isinstance(found[-1], Finish)
    return join_text(found)


@pytest.mark.parametrize(
    ("name", "shape"),
    [(name, shape) for name, shapes in SHAPES.items() for shape in shapes],
    ids=str,
)
async def test_a_text_in_another_shape_is_no_hole_in_the_reply(
    fake: Fake, name: str, shape: Event
) -> None:
    first, last = TEXTS[name]
    events = [first, shape, last, *ENDS[name]]
    assert await read_events(fake, WIRES_BY_NAME[name], events) == "A B C"


@pytest.mark.parametrize("key", ["text", "content", "message"])
async def test_all_of_the_text_beside_the_last_delta_is_not_taken_twice(
    fake: Fake, key: str
) -> None:
    whole = {"role": "assistant", "content": "A C"} if key == "message" else "A C"
    end = build_chat({"delta": {}, key: whole, "finish_reason": "stop"})
    assert await read_events(fake, WIRES_BY_NAME["compatible"], [*TEXTS["compatible"], end]) == (
        "A C"
    )
    assert await read_events(fake, WIRES_BY_NAME["compatible"], [end]) == "A C"


# Bytes that are no text

HALVES = {"logprobs": [{"token": "\ud83e"}], "model": "kelp\ud83e"}
"""Token strings are often halves of characters."""


def halve_chars(body: bytes) -> bytes:
    return body.replace(b"\\ud83e", b"\xf0\x9f")


@every_wire
async def test_a_byte_that_is_no_utf8_costs_no_more_than_itself(fake: Fake, wire: Wire) -> None:
    first, last = TEXTS[wire.name]
    events = [first | HALVES, last, *ENDS[wire.name]]
    body = halve_chars(encode_events(wire, events))
    assert b'\xf0\x9f"' in body
    assert await read_body(fake, wire, body) == "A C"
    single_lines = body.replace(b"\n\n", b"\n")
    assert await read_body(fake, wire, single_lines) == "A C"


async def test_a_byte_that_is_no_utf8_in_the_text_is_replaced(fake: Fake) -> None:
    wire = WIRES_BY_NAME["compatible"]
    text = build_chat({"delta": {"content": "kelp\ud83e "}})
    body = halve_chars(encode_events(wire, [text, TEXTS[wire.name][1], *ENDS[wire.name]]))
    assert await read_body(fake, wire, body) == "kelp\N{REPLACEMENT CHARACTER} C"


@every_wire
async def test_a_byte_that_is_no_utf8_is_replaced_in_a_reply_in_one_piece(
    fake: Fake, wire: Wire
) -> None:
    body = halve_chars(json.dumps(WHOLE_REPLIES[wire.name] | HALVES, indent=1).encode())
    assert await read_body(fake, wire, body) == "A C"
