"""Reasons and flags at other places and under other names than the documented ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streaming.events import Finish
from streaming.providers.registry import get_adapter
from streaming.providers.types import Request, Turn
from tests.providers.factories import collect_until_error, join_text
from tests.providers.wires import WIRES
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

WIRES_BY_NAME = {wire.name: wire for wire in WIRES}


async def ask_wire(
    fake: Fake, name: str, *events: dict[str, Any], end: str = ""
) -> tuple[str, str, str]:
    """The text, the reasoning and the reason."""
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + end
    fake.script(Behaviour(error=ErrorAnswer(200, body)))
    wire = WIRES_BY_NAME[name]
    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake))
    found, error = await collect_until_error(adapter, Request(wire.model, (Turn("user", "?"),)))
    assert error is None
    reason = found[-1].reason if found and isinstance(found[-1], Finish) else ""
    return join_text(found), join_text(found, "reasoning"), reason


TEXT = {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]}


@pytest.mark.parametrize(
    "last",
    [
        {"choices": [{"delta": {}, "finishReason": "length"}]},
        {"choices": [{"delta": {}, "stop_reason": "max_tokens"}]},
        {"choices": [{"delta": {}, "finish_reason": None, "stopReason": "MAX_TOKENS"}]},
        {"choices": [{"delta": {"finish_reason": "length"}}]},
        {"choices": [{"delta": {"stop_reason": "length"}, "finish_reason": None}]},
        {"choices": [{"delta": {"content": ""}, "finish_reason": None}], "finishReason": "length"},
        {"choices": [], "finish_reason": "length"},
        {"choices": [{"delta": {"content": "."}, "finishReason": "length"}]},
        {"choices": [{"delta": {"content": "."}, "finish_reason": None, "stop_reason": "length"}]},
        {"choices": [{"delta": {"content": "."}, "finish_reason": None}], "stopReason": "length"},
        {"choices": [{"delta": {}, "finish_reason": "length", "stop_reason": 128009}]},
        {"choices": [{"delta": {}, "finish_reason": "length", "stopReason": "stop"}]},
    ],
    ids=str,
)
async def test_a_reason_is_seen_at_every_place(fake: Fake, last: dict[str, Any]) -> None:
    found = await ask_wire(fake, "compatible", TEXT, last, end="data: [DONE]\n\n")
    assert found[2] == "length"


async def test_the_id_of_a_token_is_no_reason(fake: Fake) -> None:
    last: dict[str, Any] = {"choices": [{"delta": {}, "finish_reason": None, "stop_reason": 7}]}
    found = await ask_wire(fake, "compatible", TEXT, last, end="data: [DONE]\n\n")
    assert found == ("Hi", "", "unknown")


@pytest.mark.parametrize(
    "last",
    [
        ({"type": "message_stop", "stop_reason": "max_tokens"},),
        ({"type": "message_stop", "message": {"stop_reason": "max_tokens"}},),
        ({"type": "message_delta", "stop_reason": "max_tokens"}, {"type": "message_stop"}),
        ({"type": "message_delta", "delta": None, "stop_reason": "max_tokens"},),
    ],
    ids=str,
)
async def test_anthropics_reason_is_seen_at_every_place(
    fake: Fake, last: tuple[dict[str, Any], ...]
) -> None:
    text = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi"}}
    block_end = {"type": "content_block_stop"}
    assert await ask_wire(fake, "anthropic", text, block_end, *last) == ("Hi", "", "length")


@pytest.mark.parametrize("flag", [True, "true", "True", 1])
async def test_googles_thoughts_are_no_text_under_any_flag(fake: Fake, flag: object) -> None:
    parts = [{"text": "Hm.", "thought": flag}, {"text": "Hi", "thought": "false"}]
    event = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}
    assert await ask_wire(fake, "google", event) == ("Hi", "Hm.", "stop")


@pytest.mark.parametrize("index", [None, 0, "0"])
async def test_googles_first_candidate_may_stand_behind_another(fake: Fake, index: object) -> None:
    def describe(text: str, index: object) -> dict[str, Any]:
        return {"content": {"parts": [{"text": text}]}, "index": index, "finishReason": "STOP"}

    both = {"candidates": [describe("Other", 1), describe("Hi", index)]}
    assert await ask_wire(fake, "google", both) == ("Hi", "", "stop")


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
@pytest.mark.parametrize("reason", [{}, {"finish_reason": None}, {"finish_reason": ""}])
async def test_a_whole_message_needs_no_reason(
    fake: Fake, end: str, reason: dict[str, Any]
) -> None:
    body = json.dumps({"choices": [{"message": {"content": "Hi"}, **reason}]}) + end
    assert await ask_wire(fake, "compatible", end=body) == ("Hi", "", "unknown")


@pytest.mark.parametrize(
    "events",
    [
        ({"choices": [{"message": {"content": "Hi"}}]},) * 2,
        ({"choices": [{"message": {"content": "HiHi"}, "delta": {"content": "HiHi"}}]},),
        ({"message": {"content": "HiHi"}, "done": False},),
    ],
    ids=str,
)
async def test_a_part_of_a_stream_is_no_whole_message(
    fake: Fake, events: tuple[dict[str, Any], ...]
) -> None:
    assert await ask_wire(fake, "compatible", *events) == ("HiHi", "", "")


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            {"choices": None, "base_resp": {"status_code": 1008, "status_msg": "no balance"}},
            "no balance",
        ),
        ({"error_code": 17, "error_msg": "daily limit reached"}, "daily limit reached"),
        ({"code": "1113", "msg": "account in arrears"}, "account in arrears"),
        ({"success": False, "message": "out of order"}, "out of order"),
        ({"errors": [{"message": "not today"}]}, "not today"),
    ],
    ids=str,
)
async def test_an_error_under_a_status_of_success_keeps_its_words(
    fake: Fake, event: dict[str, Any], words: str
) -> None:
    body = f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n"
    fake.script(Behaviour(error=ErrorAnswer(200, body)))
    adapter = get_adapter("lab", base_url=fake.openai)
    found, error = await collect_until_error(adapter, Request("kelp", (Turn("user", "?"),)))
    assert found == []
    assert error is not None
    assert words in error.detail


async def test_a_field_for_errors_that_says_success_is_no_error(fake: Fake) -> None:
    fields = {"error": {"code": 0, "message": "success"}, "base_resp": {"status_code": 0}}
    last = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    found = await ask_wire(fake, "compatible", TEXT | fields, last | fields)
    assert found == ("Hi", "", "stop")
