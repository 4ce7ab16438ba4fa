"""A reply without an answer is no success, but the rest of one may be empty."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streaming.events import Delta, Finish, SourceError, SourceEvent, StreamText
from streaming.providers import missing_answer
from streaming.providers.registry import get_adapter
from streaming.providers.types import Request, Turn
from tests.providers.factories import collect_from_source
from tests.providers.wires import WIRES, Wire
from tools.fake_provider import Behaviour, ErrorAnswer, Fake, Piece
from tools.fake_provider import Usage as ReportedUsage

WIRES_BY_NAME = {wire.name: wire for wire in WIRES}
COMPATIBLE = WIRES_BY_NAME["compatible"]
NO_TEXT, ONLY_REASONING = missing_answer.NO_TEXT, missing_answer.ONLY_REASONING
every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


async def read_source(
    fake: Fake, wire: Wire, so_far: StreamText | None = None
) -> tuple[list[SourceEvent], SourceError | None]:
    """Return all events of a reply's source, and the error that ended them."""
    request = Request(wire.model, (Turn("user", "?"),))
    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake))
    return await collect_from_source(adapter, request, so_far)


def encode_chunks(*choices: dict[str, Any], usage: dict[str, int] | None = None) -> str:
    chunks = [{"choices": [choice]} for choice in choices]
    lines = [json.dumps(chunk) for chunk in [*chunks, {"choices": [], "usage": usage}]]
    return "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"])


@every_wire
async def test_nothing_at_all_is_an_error_with_the_usage(fake: Fake, wire: Wire) -> None:
    fake.script(Behaviour(usage=ReportedUsage(input=36_000, output=0)))
    events, error = await read_source(fake, wire)
    assert events == []
    assert error
    assert (error.code, error.message) == ("empty_reply", NO_TEXT)
    assert not error.interrupted
    assert error.usage is not None
    assert (error.usage["input"], error.usage["output"]) == (36_000, 0)
    assert error.upstream_id == "req_fake"
    assert len(fake.requests()) == 1, "the same prompt would give the same nothing"


@every_wire
async def test_thoughts_without_an_answer_are_an_error(fake: Fake, wire: Wire) -> None:
    fake.script(Behaviour((Piece("Hm.", "reasoning"),)))
    events, error = await read_source(fake, wire)
    assert [event.text for event in events if isinstance(event, Delta)] == ["Hm."]
    assert error
    assert (error.code, error.message) == ("only_reasoning", ONLY_REASONING)


DELTAS: dict[str, tuple[dict[str, Any], ...]] = {
    "no choice": (),
    "an empty string": ({"delta": {"role": "assistant", "content": ""}},),
    "blanks": ({"delta": {"content": "\n"}}, {"delta": {"content": " \t"}}),
    "a blank without width": ({"delta": {"content": "\u200b"}},),
    "a byte order mark": ({"delta": {"content": "\ufeff"}}, {"delta": {"content": "\n\u2060"}}),
    "null": ({"delta": {"content": None}},),
}


async def test_every_kind_of_nothing_is_an_empty_reply(fake: Fake) -> None:
    for name, deltas in DELTAS.items():
        for reason in ("stop", None, "length", "something_new"):
            end: dict[str, Any] = {"delta": {}, "finish_reason": reason}
            fake.script(Behaviour(error=ErrorAnswer(200, encode_chunks(*deltas, end))))
            _, error = await read_source(fake, COMPATIBLE)
            assert error
            assert (name, error.code, error.detail) == (name, "empty_reply", reason or "unknown")


@every_wire
@pytest.mark.parametrize("status", [200, 204])
async def test_a_body_without_anything_is_an_empty_reply(
    fake: Fake, wire: Wire, status: int
) -> None:
    """There is no text to continue."""
    fake.script(Behaviour(error=ErrorAnswer(status, "")))
    events, error = await read_source(fake, wire)
    assert events == []
    assert error
    assert (error.code, error.message, error.interrupted) == ("empty_reply", NO_TEXT, False)
    assert len(fake.requests()) == 1


async def test_a_body_that_ends_before_any_text_is_an_empty_reply(fake: Fake) -> None:
    chunk = json.dumps({"choices": [{"delta": {"role": "assistant", "content": ""}}]})
    fake.script(Behaviour(error=ErrorAnswer(200, f"data: {chunk}\n\n")))
    _, error = await read_source(fake, COMPATIBLE)
    assert error
    assert (error.code, error.interrupted) == ("empty_reply", False)


async def test_a_body_without_anything_after_some_text_can_be_continued(fake: Fake) -> None:
    fake.script(Behaviour(error=ErrorAnswer(200, "")))
    _, error = await read_source(fake, COMPATIBLE, StreamText("Some of it.", next_index=1))
    assert error
    assert (error.code, error.interrupted) == ("interrupted", True)


async def test_a_mark_without_width_hides_no_text(fake: Fake) -> None:
    fake.script(Behaviour.of("\ufeff", "Yes\u200b"))
    events, error = await read_source(fake, COMPATIBLE)
    assert error is None
    assert "Yes" in "".join(event.text for event in events if isinstance(event, Delta))


async def test_thoughts_between_tags_are_no_answer(fake: Fake) -> None:
    for texts in (("<think>Hm.", "</think>\n"), ("Hm.\n", "</think>\n\n"), ("<think>Hm.",)):
        fake.script(Behaviour.of(*texts))
        _, error = await read_source(fake, COMPATIBLE)
        assert error
        assert (texts, error.code) == (texts, "only_reasoning")
    fake.script(Behaviour.of("Hm.\n</think>\n\n", "Yes."))
    _, error = await read_source(fake, COMPATIBLE)
    assert error is None


async def test_the_error_says_what_was_there_instead(fake: Fake) -> None:
    for reason, message in (
        (None, ONLY_REASONING),
        ("length", missing_answer.ONLY_REASONING_FOR_LENGTH),
        ("model_length", missing_answer.ONLY_REASONING_FOR_LENGTH),
        ("tool_calls", missing_answer.ONLY_TOOL_CALL),
    ):
        thought = {"delta": {"reasoning_content": "Hm.", "content": ""}}
        body = encode_chunks(thought, {"delta": {"content": "\n"}, "finish_reason": reason})
        fake.script(Behaviour(error=ErrorAnswer(200, body)))
        _, error = await read_source(fake, COMPATIBLE)
        assert error
        assert (error.message, error.detail) == (message, reason or "unknown")


async def test_a_reply_without_text_that_rules_ended_says_so_itself(fake: Fake) -> None:
    for reason in ("refusal", "content_filter", "RECITATION"):
        fake.script(Behaviour(finish=reason))
        events, error = await read_source(fake, COMPATIBLE)
        assert [type(event) for event in events] == [Finish]
        assert error is None


@every_wire
async def test_a_continuation_that_adds_nothing_is_a_success(fake: Fake, wire: Wire) -> None:
    fake.script(Behaviour((Piece("Is it complete? Yes.", "reasoning"),)), Behaviour())
    for _ in range(2):
        events, error = await read_source(fake, wire, StreamText("All of it.", next_index=1))
        assert isinstance(events[-1], Finish)
        assert error is None


async def test_thoughts_of_an_earlier_attempt_count(fake: Fake) -> None:
    fake.script(Behaviour())
    so_far = StreamText(reasoning="Hm.", next_index=1)
    _, error = await read_source(fake, COMPATIBLE, so_far)
    assert error
    assert error.code == "only_reasoning"


async def test_a_reply_given_up_before_any_text_is_asked_for_again(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming.providers.retries.RETRY_DELAYS_SECONDS", (0.0, 0.0))
    fake.script(Behaviour(finish="insufficient_system_resource"), Behaviour.of("Yes"))
    events, error = await read_source(fake, COMPATIBLE)
    assert error is None
    assert [event.text for event in events if isinstance(event, Delta)] == ["Yes"]


async def test_a_reply_without_text_and_with_an_unknown_reason_is_not_asked_for_again(
    fake: Fake,
) -> None:
    chunk = json.dumps({"choices": [{"delta": {}, "finish_reason": "something_new"}]})
    fake.script(Behaviour(error=ErrorAnswer(200, f"data: {chunk}\n\n")))
    _, error = await read_source(fake, COMPATIBLE)
    assert error
    assert error.message == "Cut off by the server: something_new"
    assert not error.interrupted
    assert len(fake.requests()) == 1


async def test_a_reply_given_up_after_some_text_can_be_continued(fake: Fake) -> None:
    fake.script(Behaviour.of("Yes", finish="insufficient_system_resource"))
    _, error = await read_source(fake, COMPATIBLE)
    assert error
    assert error.interrupted
    assert error.code == "cut_off"
    assert len(fake.requests()) == 1
