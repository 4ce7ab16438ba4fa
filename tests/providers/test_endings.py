"""What counts as the end of a reply where a server says so more than once, or too early."""

import asyncio
import json
from dataclasses import replace

import pytest

from streaming.providers import errors, exchange
from streaming.providers.base import Delta, Event, Finish, Request, Timeouts, Turn, Usage, adapter
from tests.fakes import Behaviour, ErrorAnswer, Fake, Piece
from tests.providers.wires import WIRES, Wire

KEY = "sk-canary-0123456789"
LINES = [f"line {number:02d}\n\n" for number in range(6)]
STAMPED = Behaviour.of(*LINES, stamp=True)
QUICK = Timeouts(connect=2.0, first=5.0, idle=0.3)
# Responses have no place for a reason but in their very last event.
stamping = pytest.mark.parametrize("wire", WIRES[1:], ids=lambda wire: wire.name)


async def heard(
    fake: Fake, wire: Wire, times: Timeouts | None = None
) -> tuple[str, Finish | errors.ProviderError | None]:
    """All of the text, and how it ended."""
    kelp = adapter(wire.provider, base_url=wire.base_url(fake), timeouts=times)
    events: list[Event] = []
    try:
        async for event in kelp.stream(Request(wire.model, (Turn("user", "?"),)), KEY):
            events.append(event)
    except errors.ProviderError as error:
        return text_of(events), error
    return text_of(events), events[-1] if isinstance(events[-1], Finish) else None


def text_of(events: list[Event]) -> str:
    return "".join(e.text for e in events if isinstance(e, Delta) and e.kind == "text")


@stamping
async def test_a_reason_in_every_event_cuts_no_reply(fake: Fake, wire: Wire) -> None:
    fake.script(STAMPED)
    said, end = await heard(fake, wire)
    assert said == "".join(LINES)
    assert isinstance(end, Finish)
    assert end.reason == "stop"
    assert end.usage is not None
    assert end.usage.output == 7


@pytest.mark.parametrize("wire", WIRES[1::2], ids=lambda wire: wire.name)
@pytest.mark.parametrize("first", [Piece(LINES[0]), Piece("Hm.", "reasoning")], ids=str)
async def test_no_pause_after_a_reason_with_text_or_before_any_cuts_a_reply(
    fake: Fake, wire: Wire, first: Piece, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "AFTER_FINISH", 0.1)
    fake.script(replace(STAMPED, pieces=(first, *STAMPED.pieces), hold_after=(1,)))
    adapter(wire.provider, base_url=wire.base_url(fake))  # loads the SDK
    reading = asyncio.create_task(heard(fake, wire))
    await asyncio.to_thread(fake.wait_for, "held")
    await asyncio.sleep(3 * exchange.AFTER_FINISH)
    fake.release()
    said, end = await reading
    assert said.endswith("".join(LINES))
    assert isinstance(end, Finish)


@stamping
async def test_what_breaks_after_a_reason_was_taken_back_is_interrupted(
    fake: Fake, wire: Wire
) -> None:
    fake.script(replace(STAMPED, cut_after=3))
    said, end = await heard(fake, wire)
    assert (said, type(end)) == ("".join(LINES[:3]), errors.Interrupted)


@pytest.mark.parametrize("wire", WIRES[1:3], ids=lambda wire: wire.name)
async def test_a_body_that_ends_without_its_last_mark_is_cut_where_reasons_mean_nothing(
    fake: Fake, wire: Wire
) -> None:
    fake.script(replace(STAMPED, end_after=3))
    assert await heard(fake, wire) == ("".join(LINES[:3]), None)


@stamping
async def test_silence_after_a_reason_was_taken_back_is_silence(fake: Fake, wire: Wire) -> None:
    fake.script(replace(STAMPED, stall_after=3))
    said, end = await heard(fake, wire, QUICK)
    assert (said, type(end)) == ("".join(LINES[:3]), errors.TimedOut)


@stamping
async def test_an_error_after_a_reason_that_came_with_text_is_that_error(
    fake: Fake, wire: Wire
) -> None:
    # Anthropic's come in events without text: the first of them may be an end.
    lines = 2 if wire.name == "anthropic" else 1
    fake.script(replace(STAMPED, error_after=lines))
    said, end = await heard(fake, wire)
    assert (said, type(end)) == ("".join(LINES[:lines]), errors.Overloaded)


@stamping
async def test_thoughts_alone_that_are_cut_after_a_reason_are_no_reply(
    fake: Fake, wire: Wire
) -> None:
    fake.script(Behaviour((Piece("Hm.", "reasoning"),), stamp=True, cut_after=1))
    said, end = await heard(fake, wire)
    assert (said, type(end)) == ("", errors.Interrupted)


# Chat Completions alone can tell all of these apart

COMPATIBLE = WIRES[1]


def chunk(finish: str | None = None, usage: int = 0, **delta: str) -> str:
    said = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    counted = {"usage": {"completion_tokens": usage}} if usage else {}
    return f"data: {json.dumps(said | counted)}\n\n"


DONE = "data: [DONE]\n\n"
ANSWERS = {
    "usage after the reason": (chunk(content="a") + chunk("stop") + chunk(usage=9), "stop", 9),
    "the reason again with the usage": (
        chunk(content="a") + chunk("stop") + chunk("stop", usage=9, content=""),
        "stop",
        9,
    ),
    "the reason with the last words": (chunk("length", content="a"), "length", None),
    "text after the reason, then done": (
        chunk("stop", reasoning="Hm.") + chunk(content="a") + DONE,
        "unknown",
        None,
    ),
    "a later reason": (
        chunk("length", content="") + chunk(content="a") + chunk("stop") + DONE,
        "stop",
        None,
    ),
    "a reason taken back by text": (chunk(content="a") + chunk("stop") + chunk(content="a"), "", 0),
    "a reason taken back by thoughts": (
        chunk(content="a") + chunk("stop") + chunk(reasoning_content="Hm."),
        "",
        0,
    ),
    "a reason after one that was taken back": (
        chunk("stop", content="a") + chunk("stop", content="a"),
        "",
        0,
    ),
}


@pytest.mark.parametrize("said", ANSWERS)
async def test_a_reason_ends_a_reply_that_nothing_is_added_to(fake: Fake, said: str) -> None:
    body, reason, output = ANSWERS[said]
    fake.script(Behaviour(error=ErrorAnswer(200, body)))
    _, end = await heard(fake, COMPATIBLE)
    expected = Finish(reason, Usage(output=output) if output else None, "req_fake")  # type: ignore[arg-type]
    assert end == (expected if reason else None)
