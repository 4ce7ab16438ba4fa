"""The end of a reply from a server that reports it more than once, or too early."""

import asyncio
import json
from dataclasses import replace

import pytest

from streaming.events import Delta, Finish
from streaming.providers import errors
from streaming.providers.http import call as calls
from streaming.providers.http.ending import ReplyEnding
from streaming.providers.http.parsed import Reason
from streaming.providers.http.reasons import parse_reason
from streaming.providers.registry import get_adapter
from streaming.providers.types import Request, Timeouts, Turn
from tests.providers.factories import collect_until_error, join_text
from tests.providers.wires import WIRES, Wire
from tools.fake_provider import Behaviour, ErrorAnswer, Fake, Piece

LINES = [f"line {number:02d}\n\n" for number in range(6)]
STAMPED_REPLY = Behaviour.of(*LINES, stamp=True)
QUICK = Timeouts(connect=2.0, first_delta=5.0, idle=0.3)
WIRES_BY_NAME = {wire.name: wire for wire in WIRES}
COMPATIBLE, ANTHROPIC, GOOGLE = (
    WIRES_BY_NAME[name] for name in ("compatible", "anthropic", "google")
)


def parametrize_wires(*wires: Wire) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("wire", wires, ids=lambda wire: wire.name)


# Responses have no place for a reason but in their very last event.
every_stamping_wire = parametrize_wires(COMPATIBLE, ANTHROPIC, GOOGLE)


async def read_reply(
    fake: Fake, wire: Wire, timeouts: Timeouts | None = None
) -> tuple[str, Finish | errors.ProviderError | None]:
    """Return the complete text, and how it ended."""
    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake), timeouts=timeouts)
    request = Request(wire.model, (Turn("user", "?"),))
    events, error = await collect_until_error(adapter, request)
    if error:
        return join_text(events), error
    return join_text(events), events[-1] if isinstance(events[-1], Finish) else None


@every_stamping_wire
async def test_a_reason_in_every_event_cuts_no_reply(fake: Fake, wire: Wire) -> None:
    fake.script(STAMPED_REPLY)
    text, end = await read_reply(fake, wire)
    assert text == "".join(LINES)
    assert isinstance(end, Finish)
    assert end.reason == "stop"
    assert end.usage is not None
    assert end.usage["output"] == 7


@parametrize_wires(COMPATIBLE, GOOGLE)
@pytest.mark.parametrize("first", [Piece(LINES[0]), Piece("Hm.", "reasoning")], ids=str)
async def test_a_pause_after_an_early_reason_cuts_no_reply(
    fake: Fake, wire: Wire, first: Piece, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "USAGE_WAIT_SECONDS", 0.1)
    fake.script(replace(STAMPED_REPLY, pieces=(first, *STAMPED_REPLY.pieces), hold_after=(1,)))
    get_adapter(wire.provider, base_url=wire.base_url(fake))  # loads the SDK
    reading = asyncio.create_task(read_reply(fake, wire))
    await asyncio.to_thread(fake.wait_for, "held")
    await asyncio.sleep(3 * calls.USAGE_WAIT_SECONDS)
    fake.release()
    text, end = await reading
    assert text.endswith("".join(LINES))
    assert isinstance(end, Finish)


@every_stamping_wire
async def test_a_break_after_a_revoked_reason_is_an_interruption(fake: Fake, wire: Wire) -> None:
    fake.script(replace(STAMPED_REPLY, cut_after=3))
    text, end = await read_reply(fake, wire)
    assert (text, type(end)) == ("".join(LINES[:3]), errors.Interrupted)


@every_stamping_wire
@pytest.mark.parametrize(
    ("broken", "expected"),
    [({"cut_after": 1}, errors.Interrupted), ({"stall_after": 1}, errors.TimedOut)],
    ids=["reset", "silence"],
)
async def test_a_break_right_after_a_reason_with_text_is_an_interruption(
    fake: Fake, wire: Wire, broken: dict[str, int], expected: type[errors.ProviderError]
) -> None:
    fake.script(replace(STAMPED_REPLY, **broken))  # type: ignore[arg-type]
    text, end = await read_reply(fake, wire, QUICK)
    assert (text, type(end)) == (LINES[0], expected)


@parametrize_wires(COMPATIBLE, ANTHROPIC)
async def test_a_body_without_end_marker_is_cut_when_every_event_has_a_reason(
    fake: Fake, wire: Wire
) -> None:
    fake.script(replace(STAMPED_REPLY, end_after=3))
    assert await read_reply(fake, wire) == ("".join(LINES[:3]), None)


@every_stamping_wire
async def test_silence_after_a_revoked_reason_times_out(fake: Fake, wire: Wire) -> None:
    fake.script(replace(STAMPED_REPLY, stall_after=3))
    text, end = await read_reply(fake, wire, QUICK)
    assert (text, type(end)) == ("".join(LINES[:3]), errors.TimedOut)


@every_stamping_wire
async def test_an_error_after_a_reason_with_text_is_raised(fake: Fake, wire: Wire) -> None:
    fake.script(replace(STAMPED_REPLY, error_after=1))
    text, end = await read_reply(fake, wire)
    assert (text, type(end)) == (LINES[0], errors.Overloaded)


@every_stamping_wire
async def test_reasoning_alone_cut_after_a_reason_is_an_interruption(
    fake: Fake, wire: Wire
) -> None:
    fake.script(Behaviour((Piece("Hm.", "reasoning"),), stamp=True, cut_after=1))
    text, end = await read_reply(fake, wire)
    assert (text, type(end)) == ("", errors.Interrupted)


# Chat Completions alone can tell all of these apart


def encode_chunk(finish: str | None = None, usage: int = 0, **delta: str) -> str:
    body = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    usage_fields = {"usage": {"completion_tokens": usage}} if usage else {}
    return f"data: {json.dumps(body | usage_fields)}\n\n"


DONE = "data: [DONE]\n\n"
ANSWERS = {
    "usage after the reason": (
        encode_chunk(content="a") + encode_chunk("stop") + encode_chunk(usage=9),
        "stop",
        9,
    ),
    "the reason again with the usage": (
        encode_chunk(content="a")
        + encode_chunk("stop")
        + encode_chunk("stop", usage=9, content=""),
        "stop",
        9,
    ),
    "the reason with the last words": (encode_chunk("length", content="a"), "length", None),
    "text after the reason, then done": (
        encode_chunk("stop", reasoning="Hm.") + encode_chunk(content="a") + DONE,
        "unknown",
        None,
    ),
    "a later reason": (
        encode_chunk("length", content="")
        + encode_chunk(content="a")
        + encode_chunk("stop")
        + DONE,
        "stop",
        None,
    ),
    "a reason taken back by text": (
        encode_chunk(content="a") + encode_chunk("stop") + encode_chunk(content="a"),
        "",
        0,
    ),
    "a reason taken back by thoughts": (
        encode_chunk(content="a") + encode_chunk("stop") + encode_chunk(reasoning_content="Hm."),
        "",
        0,
    ),
    "a reason of its own after one that was taken back": (
        encode_chunk("stop", content="") + encode_chunk(content="a") + encode_chunk("length"),
        "length",
        None,
    ),
    "the last words with one, after an early one": (
        encode_chunk("stop") + encode_chunk(content="a") + encode_chunk("length", content="a"),
        "length",
        None,
    ),
    "a word in the place of one": (
        "".join(encode_chunk(none, content="a") for none in ("null", "", "None", " NULL "))
        + encode_chunk("stop")
        + encode_chunk(usage=9),
        "stop",
        9,
    ),
    "nothing but words in its place": (
        encode_chunk("null", content="a") + encode_chunk("", content="a"),
        "",
        0,
    ),
    "a reason after one that was taken back": (
        encode_chunk("stop", content="a") + encode_chunk("stop", content="a"),
        "",
        0,
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_a_reason_ends_a_reply_if_nothing_follows(fake: Fake, case: str) -> None:
    body, reason, output = ANSWERS[case]
    fake.script(Behaviour(error=ErrorAnswer(200, body)))
    _, end = await read_reply(fake, COMPATIBLE)
    expected = Finish(reason, {"output": output} if output else None, "req_fake")
    assert end == (expected if reason else None)


BROKEN_OFF = {
    "a reason with the last words": encode_chunk(content="a") + encode_chunk("stop", content="a"),
    "the only event": encode_chunk("stop", content="a"),
    "the only event, then its usage": encode_chunk("stop", content="a") + encode_chunk(usage=9),
    "a reason before any text": encode_chunk("length"),
    "a reason of its own after one that was taken back": (
        encode_chunk("stop", content="") + encode_chunk(content="a") + encode_chunk("stop")
    ),
    "a word in the place of a reason": encode_chunk("null", content="a"),
}


@pytest.mark.parametrize("case", BROKEN_OFF)
async def test_an_early_reason_is_no_end_when_the_connection_breaks(fake: Fake, case: str) -> None:
    fake.script(Behaviour(extra=BROKEN_OFF[case].encode(), cut_after=0))
    _, end = await read_reply(fake, COMPATIBLE)
    assert isinstance(end, errors.Interrupted | errors.ConnectionFailed)


async def test_text_after_a_reason_ends_the_wait_for_the_usage(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "USAGE_WAIT_SECONDS", 0.1)
    early = encode_chunk(content="a") + encode_chunk("stop") + encode_chunk(content="b")
    fake.script(Behaviour.of("c", extra=early.encode(), hold_after=(0,)))
    get_adapter(COMPATIBLE.provider, base_url=COMPATIBLE.base_url(fake))  # loads the SDK
    reading = asyncio.create_task(read_reply(fake, COMPATIBLE))
    await asyncio.to_thread(fake.wait_for, "held")
    await asyncio.sleep(3 * calls.USAGE_WAIT_SECONDS)
    fake.release()
    text, end = await reading
    assert text == "abc"
    assert isinstance(end, Finish)
    assert end.usage is not None


OVERLOADED = 'data: {"error": {"message": "full", "code": "overloaded"}}\n\n'
GIVEN_UP: dict[str, tuple[str, bool, type[errors.ProviderError] | None]] = {
    "by name": (encode_chunk("abort"), False, errors.CutOff),
    "by name, then done": (encode_chunk("abort") + DONE, False, errors.CutOff),
    "by name, then a break": (encode_chunk("abort"), True, errors.CutOff),
    "with the last words, then a break": (encode_chunk("abort", content="b"), True, errors.CutOff),
    "with an error that says more": (encode_chunk("error") + OVERLOADED, False, errors.Overloaded),
    "taken back by text": (encode_chunk("abort") + encode_chunk(content="b"), False, None),
    "taken back by text, then a break": (
        encode_chunk("abort") + encode_chunk(content="b"),
        True,
        errors.Interrupted,
    ),
    "a word that nobody knows": (encode_chunk("new"), False, errors.CutOff),
    "such a word, then its usage": (
        encode_chunk("new") + encode_chunk(usage=9),
        False,
        errors.CutOff,
    ),
    "such a word, taken back by thoughts": (
        encode_chunk("new") + encode_chunk(reasoning="Hm."),
        False,
        None,
    ),
}


@pytest.mark.parametrize("case", GIVEN_UP)
async def test_a_reply_that_the_server_gives_up_is_no_success(fake: Fake, case: str) -> None:
    body, is_broken, expected = GIVEN_UP[case]
    fake.script(
        Behaviour(
            extra=(encode_chunk(content="a") + body).encode(),
            cut_after=0 if is_broken else None,
            end_after=None if is_broken else 0,
        )
    )
    _, end = await read_reply(fake, COMPATIBLE)
    assert type(end) is (expected or type(None))
    if isinstance(end, errors.CutOff):
        assert end.detail in {"abort", "new"}


MARKS = ["[done]", '"[DONE]"', "'[DONE]'", "DONE", "done", " [ DONE ] ", "[DONE]\r"]


@pytest.mark.parametrize("mark", [*(f"data: {mark}" for mark in MARKS), "[DONE]", ": on\n[done]"])
@pytest.mark.parametrize("end", ["\n\n", "\n", ""], ids=["event", "line", "no line"])
@pytest.mark.parametrize("reason", ["stop", None])
async def test_every_spelling_of_the_end_marker_is_accepted(
    fake: Fake, mark: str, end: str, reason: str | None
) -> None:
    fake.script(Behaviour(error=ErrorAnswer(200, encode_chunk(reason, content="a") + mark + end)))
    text, finish = await read_reply(fake, COMPATIBLE)
    assert (text, finish) == ("a", Finish(reason or "unknown", None, "req_fake"))


@pytest.mark.parametrize("mark", ["data: [DONE]", "[DONE]"])
async def test_an_end_marker_in_the_event_of_the_last_text_counts(fake: Fake, mark: str) -> None:
    body = encode_chunk(content="a") + encode_chunk(content="b").rstrip() + f"\n{mark}\n\n"
    fake.script(Behaviour(error=ErrorAnswer(200, body)))
    assert await read_reply(fake, COMPATIBLE) == ("ab", Finish("unknown", None, "req_fake"))


ODD = ["data: null", "data: [END]", "data: <|eot|>", "data: 5", "<end>", 'data: {"choices": 5}']


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("done", ["", DONE], ids=["closed", "done"])
async def test_an_unreadable_event_after_a_reason_fails_no_reply(
    fake: Fake, odd: str, done: str
) -> None:
    early = encode_chunk("length", content="") + encode_chunk(content="a") + encode_chunk("stop")
    for body in (
        encode_chunk(content="a") + encode_chunk("stop"),
        encode_chunk("stop", content="a"),
        early,
    ):
        fake.script(Behaviour(error=ErrorAnswer(200, f"{body}{odd}\n\n{done}")))
        assert await read_reply(fake, COMPATIBLE) == ("a", Finish("stop", None, "req_fake"))


@pytest.mark.parametrize(
    "body",
    [
        encode_chunk(content="a") + "data: {\n\n" + DONE,
        encode_chunk(content="a")
        + encode_chunk("stop")
        + "data: {\n\n"
        + encode_chunk(content="b")
        + DONE,
        encode_chunk("stop", content="a") * 2
        + "data: {\n\n"
        + encode_chunk("stop", content="b")
        + DONE,
    ],
    ids=["before any reason", "before more text", "where reasons mean nothing"],
)
async def test_an_unreadable_event_before_a_reason_is_an_error(fake: Fake, body: str) -> None:
    fake.script(Behaviour(error=ErrorAnswer(200, body)))
    text, end = await read_reply(fake, COMPATIBLE)
    assert isinstance(end, errors.ProviderError)
    assert "could not be read" in end.message
    assert "b" not in text


def encode_last_chunk(text: str, reason: str = "STOP") -> str:
    candidate = {"content": {"parts": [{"text": text}]}, "finishReason": reason}
    return f"data: {json.dumps({'candidates': [candidate]})}\n\n"


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        (GOOGLE, encode_last_chunk("a")),
        (COMPATIBLE, encode_chunk("stop", content="a")),
        (COMPATIBLE, json.dumps({"choices": [{"message": {"content": "a"}}]})),
    ],
    ids=["google", "compatible", "in one piece"],
)
@pytest.mark.parametrize("sized", [True, False])
async def test_last_text_with_a_reason_ends_a_body_of_known_size(
    wire: Wire, body: str, sized: bool
) -> None:
    body = body.replace('"a"}}', '"a"}, "finish_reason": "stop"}')
    size = f"content-length: {len(body)}\r\n" if sized else ""
    head = f"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n{size}\r\n"

    is_done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, serve: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        serve.write((head + body).encode())
        await serve.drain()
        serve.write_eof()
        await reader.read()
        serve.close()
        await serve.wait_closed()
        is_done.set()

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        fake_server = Fake(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        text, end = await read_reply(fake_server, wire)
        await is_done.wait()
    assert text == "a"
    assert isinstance(end, Finish) == (sized or body.startswith("{"))


@pytest.mark.parametrize("reason", ["FINISH_REASON_UNSPECIFIED", "", "null"])
async def test_googles_unspecified_reason_is_no_reason(fake: Fake, reason: str) -> None:
    fake.script(Behaviour(error=ErrorAnswer(200, encode_last_chunk("a", reason))))
    assert await read_reply(fake, GOOGLE) == ("a", None)


@pytest.mark.parametrize(
    ("first", "meaning"),
    [
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "tool_calls"),
        ("error", "cut_off"),
        ("stop", "stop"),
        ("null", "stop"),
    ],
)
def test_a_stop_that_follows_another_reason_takes_nothing_back(first: str, meaning: str) -> None:
    ending = ReplyEnding("done", is_continuation=False)
    for delta, word in ((Delta("kelp"), ""), (None, first), (None, "stop")):
        ending.event_has_delta = False
        ending.begin_event()
        if delta:
            ending.add_delta(delta)
        if reason := parse_reason(word):
            ending.add_mark(reason)
        ending.end_event()
    ending.has_done_marker = True
    found = ending.resolve(None, is_body_complete=True)
    assert found is not None
    assert found.meaning == meaning


def test_a_stop_with_more_text_takes_the_reason_before_it_back() -> None:
    ending = ReplyEnding("done", is_continuation=False)
    for text, word in (("kelp", "length"), ("dulse", "stop")):
        ending.event_has_delta = False
        ending.begin_event()
        ending.add_delta(Delta(text))
        ending.add_mark(Reason("length" if word == "length" else "stop"))
        ending.end_event()
    ending.has_done_marker = True
    assert ending.resolve(None, is_body_complete=True) == Reason("stop")
