"""The promises of every adapter, tested over a socket against the fake provider."""

import asyncio
import json
import logging
import re
import socket
import time
import traceback
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from streaming.events import Delta, Finish, SourceError, StreamText
from streaming.providers import errors
from streaming.providers.adapter import Adapter
from streaming.providers.reasoning_mark import split_marked_reasoning
from streaming.providers.redaction import Secret, list_key_forms
from streaming.providers.registry import get_adapter
from streaming.providers.reply_source import ReplySource
from streaming.providers.types import ModelInfo, Request, Timeouts, Turn, Usage
from tests.providers import factories
from tests.providers.factories import KEY, collect_until_error, join_text
from tests.providers.wires import WIRES, Wire
from tools.fake_provider import Behaviour, ErrorAnswer, Fake, Piece
from tools.fake_provider import Usage as ReportedUsage
from tools.fake_provider.oddities import Oddity
from tools.fake_provider.oddity_table import ODDITIES

OWN_FILES = {__file__, factories.__file__}  # these know the key
SEAM_DISTANCE_BYTES = (
    61  # Bytes between two seams, so that a reply has many and still is mostly whole.
)
QUICK = Timeouts(connect=2.0, first_delta=10.0, idle=0.2)
"""For replies that begin, on a busy machine perhaps late, and then fall silent."""
IMPATIENT = Timeouts(connect=2.0, first_delta=0.3, idle=0.2)
"""For replies that never begin."""

MakeAdapter = Callable[..., Adapter]

pytestmark = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


@pytest.fixture
def make_adapter(fake: Fake, wire: Wire) -> MakeAdapter:
    """Return a factory of the wire's adapter, which calls the fake."""

    def make(**options: Any) -> Adapter:
        return get_adapter(wire.provider, **({"base_url": wire.base_url(fake)} | options))

    return make


def build_request(wire: Wire, prompt: str = "Tell me about kelp.") -> Request:
    return Request(wire.model, (Turn("user", prompt),))


async def list_models(fake: Fake, wire: Wire) -> tuple[ModelInfo, ...]:
    adapter = get_adapter(wire.provider, base_url=wire.base_url(fake))
    return await adapter.list_models(Secret(KEY))


# The parts of a reply


async def test_text_comes_in_order_and_ends_with_one_finish(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour.of("Kelp ", "is ", "anchored."))
    events, error = await collect_until_error(make_adapter(), build_request(wire))
    assert [e.text for e in events if isinstance(e, Delta)] == ["Kelp ", "is ", "anchored."]
    assert [type(e) for e in events] == [Delta, Delta, Delta, Finish]
    assert error is None


async def test_reasoning_is_separated_from_the_text(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour((Piece("Hm, ", "reasoning"), Piece("tides.", "reasoning"), Piece("Yes"))))
    events, _ = await collect_until_error(make_adapter(), build_request(wire))
    assert join_text(events, "reasoning") == "Hm, tides."
    assert join_text(events) == "Yes"


async def test_usage_equals_the_providers_count(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    claimed = ReportedUsage(input=120, output=34, reasoning=12, cached=100)
    fake.script(Behaviour.of("Yes", usage=claimed))
    events, _ = await collect_until_error(make_adapter(), build_request(wire))
    assert events[-1] == Finish("stop", Usage(120, 34, 12, 100).to_counts(), "req_fake")


async def test_missing_usage_is_unknown_and_not_zero(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour.of("Yes", usage=None))
    events, _ = await collect_until_error(make_adapter(), build_request(wire))
    assert events[-1] == Finish("stop", None, "req_fake")


@pytest.mark.filterwarnings("ignore:.* is not a valid")  # Google's SDK, of a new word.
async def test_every_finish_reason_is_translated(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    for theirs, ours in wire.finish_reasons.items():
        fake.script(Behaviour.of("Yes", finish=theirs))
        events, _ = await collect_until_error(make_adapter(), build_request(wire))
        assert isinstance(events[-1], Finish)
        assert (theirs, events[-1].reason) == (theirs, ours)


async def test_a_reply_that_the_server_gives_up_is_cut_off_with_its_reason(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    for reason in wire.cut_off_reasons:
        fake.script(Behaviour.of("Yes", finish=reason, usage=ReportedUsage(output=4)))
        events, error = await collect_until_error(make_adapter(), build_request(wire))
        assert events == [Delta("Yes")]
        assert isinstance(error, errors.CutOff)
        assert error.message == f"Cut off by the server: {reason}"
        assert error.usage is not None
        assert error.usage["output"] == 4


async def test_a_refusal_is_text_that_ends_as_a_refusal(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour((Piece("I'd rather ", "refusal"), Piece("not.", "refusal"))))
    events, _ = await collect_until_error(make_adapter(), build_request(wire))
    assert join_text(events) == "I'd rather not."
    assert isinstance(events[-1], Finish)
    assert events[-1].reason == wire.refusal_reason


async def test_an_empty_reply_yields_only_a_finish(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour())
    events, _ = await collect_until_error(make_adapter(), build_request(wire))
    assert [type(e) for e in events] == [Finish]


# Text, whatever it is cut into


async def test_halves_of_an_emoji_arrive_as_one(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour.of("a\ud83d", "\ude00b", "\ud83d", "\udc69\u200d\ud83d", "\udd2c"))
    events, _ = await collect_until_error(make_adapter(), build_request(wire))
    assert [e.text for e in events if isinstance(e, Delta)] == ["a😀b", "👩\u200d", "🔬"]


async def test_half_an_emoji_before_a_cut_is_no_text(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour.of("Kelp", "a\ud83d", "lost", cut_after=2))
    events, error = await collect_until_error(make_adapter(), build_request(wire))
    assert events == [Delta("Kelp")]
    assert type(error) is errors.Interrupted


async def test_marks_line_ends_and_spaces_pass_untouched(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    pieces = ["e", "\u0301", "\r", "\n", "\r\n", " \t", "\u2028", "\u200f", "z\u0335", "\ufeff"]
    fake.script(Behaviour.of(*pieces))
    events, _ = await collect_until_error(make_adapter(), build_request(wire))
    assert join_text(events) == "".join(pieces)


async def test_characters_no_database_stores_are_replaced(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour.of("a\0b", "\udc00", "c\ud83d"))
    events, _ = await collect_until_error(make_adapter(), build_request(wire))
    assert join_text(events) == "a\ufffdb\ufffdc\ufffd"


async def test_a_hundred_kilobytes_arrive_completely(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    pieces = [f"{number:04d} 潮汐 \U0001f30a {'kelp ' * 7}\r\n" for number in range(2000)]
    fake.script(Behaviour.of(*pieces))
    events, _ = await collect_until_error(make_adapter(), build_request(wire))
    assert len("".join(pieces).encode()) > 100_000
    assert join_text(events) == "".join(pieces)


async def test_a_reply_may_be_larger_than_any_single_event(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour.of(*["kelp " * 10_000] * 40))
    events, error = await collect_until_error(make_adapter(), build_request(wire))
    assert (len(join_text(events)), error) == (2_000_000, None)


async def test_bytes_may_be_split_at_every_position(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    kelp, reply = make_adapter(), Behaviour.of("é\ud83d", "\ude00", usage=None)
    fake.script(replace(reply, packet=1))
    expected, _ = await collect_until_error(kelp, build_request(wire))
    assert join_text(expected) == "é😀"
    size = fake.requests()[0].size
    for first in range(1, SEAM_DISTANCE_BYTES + 1):
        places = tuple(range(first, size, SEAM_DISTANCE_BYTES))
        fake.script(replace(reply, split_at=places))
        events, _ = await collect_until_error(kelp, build_request(wire))
        assert (places, events) == (places, expected)


# Bent in every way that servers have


def list_oddities(wire: Wire) -> dict[str, Oddity]:
    """Return the rows of the wire that are about a reply."""
    rows = {name: row for name, row in ODDITIES.items() if not row.wires or wire.name in row.wires}
    return {name: row for name, row in rows.items() if not row.model_list}


async def test_no_oddity_of_a_server_changes_the_reply(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    reply = Behaviour.of("潮 Kelp ", "is ", "anchored\r\n\n", "🌊.")
    rows = {n: row for n, row in list_oddities(wire).items() if not row.code and not row.refuses}
    assert len(rows) > 25
    for name, row in rows.items():
        fake.reset()
        fake.script(replace(reply, odd=name))
        events, error = await collect_until_error(make_adapter(), build_request(wire))
        if row.error:
            assert (name, row.error in f"{error} {error and error.detail}") == (name, True)
        else:
            split = split_marked_reasoning(
                StreamText(join_text(events), join_text(events, "reasoning"))
            )
            assert (name, error, split.content) == (name, None, reply.text)
            assert (name, split.reasoning) == (name, row.reasoning)
            assert isinstance(events[-1], Finish)


async def test_every_odd_answer_is_understood(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    rows = {n: row for n, row in list_oddities(wire).items() if row.code or row.refuses}
    assert len(rows) > 10
    for name, row in rows.items():
        fake.reset()
        fake.script(Behaviour.of("Kelp ", "is ", "anchored.", odd=name, times=None))
        patience = {"timeouts": IMPATIENT} if row.ending == "silence" else {}
        source = ReplySource(make_adapter(**patience), build_request(wire), Secret(KEY))
        code = ""
        try:
            events = [event async for event in source.events(StreamText(), "")]
            assert (name, isinstance(events[-1], Finish)) == (name, True)
        except SourceError as error:
            code = error.code
        asked = [row.refuses in record.body for record in fake.requests()]
        assert (name, code) == (name, row.code)
        if row.refuses:
            assert (name, asked) == (name, [True, False])
        else:  # a second request may leave out a limit, or try OpenAI's other API
            assert (name, len(asked) <= 2) == (name, True)


async def test_every_odd_list_is_read(fake: Fake, wire: Wire) -> None:
    rows = {name: row for name, row in ODDITIES.items() if row.model_list}
    for name, row in rows.items():
        address = wire.base_url(fake).replace(fake.url, f"{fake.url}/odd-{name}")
        models = await get_adapter(wire.provider, base_url=address).list_models(Secret(KEY))
        assert (name, [model.id for model in models]) == (name, [*row.listed])


# Endings that are no success


async def test_a_body_that_ends_without_its_marker_gives_no_finish(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour.of("Kelp ", "is", end_after=2), Behaviour(end_after=0))
    assert await collect_until_error(make_adapter(), build_request(wire)) == (
        [Delta("Kelp "), Delta("is")],
        None,
    )
    assert await collect_until_error(make_adapter(), build_request(wire)) == ([], None)


async def test_a_cut_in_the_middle_is_an_interruption(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour.of("Kelp ", "is", "lost", cut_after=2))
    events, error = await collect_until_error(make_adapter(), build_request(wire))
    assert events == [Delta("Kelp "), Delta("is")]
    assert type(error) is errors.Interrupted
    assert error.retryable
    assert error.upstream_id == "req_fake"


async def test_a_cut_before_any_text_is_a_network_error(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour.of("lost", cut_after=0))
    events, error = await collect_until_error(make_adapter(), build_request(wire))
    assert (events, type(error)) == ([], errors.ConnectionFailed)


async def test_a_refused_connection_is_a_network_error(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        kelp = make_adapter(base_url=f"http://127.0.0.1:{closed.getsockname()[1]}{wire.path}")
        events, error = await collect_until_error(kelp, build_request(wire))
    assert (events, type(error)) == ([], errors.ConnectionFailed)
    assert error is not None
    assert error.retryable


async def test_silence_in_the_middle_times_out(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour.of("Kelp ", "is", stall_after=1))
    events, error = await collect_until_error(make_adapter(timeouts=QUICK), build_request(wire))
    assert (events, type(error)) == ([Delta("Kelp ")], errors.TimedOut)
    await asyncio.to_thread(fake.wait_for, "closed")


async def test_a_steady_reply_may_take_longer_than_any_limit(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour.of(*"holdfast", delay=0.15))
    patience = Timeouts(connect=2.0, first_delta=1.0, idle=1.0)
    events, error = await collect_until_error(make_adapter(timeouts=patience), build_request(wire))
    assert (join_text(events), error) == ("holdfast", None)


async def test_no_first_token_times_out(fake: Fake, wire: Wire, make_adapter: MakeAdapter) -> None:
    fake.script(Behaviour.of("Kelp", stall_after=0))
    events, error = await collect_until_error(make_adapter(timeouts=IMPATIENT), build_request(wire))
    assert (events, type(error)) == ([], wire.silence_error)


async def test_a_provider_that_never_answers_times_out(
    wire: Wire, make_adapter: MakeAdapter
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        kelp = make_adapter(base_url=f"http://127.0.0.1:{port}{wire.path}", timeouts=IMPATIENT)
        events, error = await collect_until_error(kelp, build_request(wire))
    assert (events, type(error)) == ([], wire.silence_error)


async def test_a_slow_consumer_is_not_a_silent_provider(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour.of("Kelp ", "is ", "slow."))
    received = ""
    async for event in make_adapter(timeouts=QUICK).stream(build_request(wire), Secret(KEY)):
        await asyncio.sleep(1.5 * QUICK.idle)
        received += event.text if isinstance(event, Delta) else "■"
    assert received == "Kelp is slow.■"


# Requests


async def test_the_request_contains_the_settings_and_nothing_else(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    plain = build_request(wire)
    await collect_until_error(make_adapter(), plain)
    await collect_until_error(
        make_adapter(), replace(plain, system="Be brief.", max_tokens=50, reasoning_effort="low")
    )
    bare, full = (json.dumps(record.body) for record in fake.requests())
    for word in ("brief", '"low"', ": 50"):
        assert word in full.lower()
        assert word not in bare.lower()
    assert "temperature" not in bare + full
    found: Any = json.loads(full)
    for name in wire.effort_path:
        found = found[name]
    assert found.lower() == "low"


async def test_the_history_is_sent_as_turns(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    turns = (Turn("user", "Kelp?"), Turn("assistant", "An alga."), Turn("user", "Shorter."))
    _, error = await collect_until_error(make_adapter(), Request(wire.model, turns))
    body = json.dumps(fake.requests()[0].body)
    places = [body.index(turn.text) for turn in turns]
    assert (error, places) == (None, sorted(places))


async def test_a_cut_after_reasoning_alone_is_an_interruption(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour((Piece("Hm", "reasoning"), Piece("lost")), cut_after=1))
    events, error = await collect_until_error(make_adapter(), build_request(wire))
    assert join_text(events, "reasoning") == "Hm"
    assert type(error) is errors.Interrupted


# Lists of models, and what they tell of a key


async def test_the_models_are_listed_as_the_provider_lists_them(fake: Fake, wire: Wire) -> None:
    models = await list_models(fake, wire)
    assert wire.listed_model in models
    assert not [model for model in models if "embedding" in model.id]


async def test_a_key_is_checked_with_one_request(fake: Fake, wire: Wire) -> None:
    for label, (answer, expected) in wire.failures.items():
        fake.reset()
        fake.script(Behaviour(on="models", error=answer))
        with pytest.raises(errors.ProviderError) as caught:
            await list_models(fake, wire)
        assert (label, type(caught.value)) == (label, expected)
        assert len(fake.lists()) == 1
    await list_models(fake, wire)
    assert fake.requests() == []


# Errors


async def test_every_error_has_its_class_and_costs_one_request(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    for label, (answer, expected) in wire.failures.items():
        fake.reset()
        fake.script(Behaviour(error=answer))
        events, error = await collect_until_error(make_adapter(), build_request(wire))
        assert (label, type(error)) == (label, expected)
        assert error is not None
        assert events == []
        assert error.status == answer.status
        assert error.upstream_id == "req_fake"
        assert len(fake.requests()) == 1


async def test_an_error_in_the_middle_keeps_the_text_before_it(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour.of("Kelp ", "is", error_after=1))
    events, error = await collect_until_error(make_adapter(), build_request(wire))
    assert events == [Delta("Kelp ")]
    assert type(error) is errors.Overloaded
    assert error.retryable


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "2500", "retry-after": "3"}, 2.5),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "-3"}, None),
        ({}, None),
    ],
    ids=str,
)
async def test_the_retry_time_is_on_the_error(
    fake: Fake,
    wire: Wire,
    make_adapter: MakeAdapter,
    headers: dict[str, str],
    seconds: float | None,
) -> None:
    fake.script(Behaviour(error=ErrorAnswer(429, headers=headers)))
    _, error = await collect_until_error(make_adapter(), build_request(wire))
    assert type(error) is errors.RateLimited
    assert error.retryable
    assert error.retry_after == seconds


# Stopping


async def test_cancelling_closes_the_connection_within_100_ms(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    took = [await _time_to_close(fake, wire, make_adapter()) for _ in range(3)]
    assert min(took) < 0.1, took  # The quickest: others may be using the processor.


async def _time_to_close(fake: Fake, wire: Wire, kelp: Adapter) -> float:
    fake.reset()
    fake.script(Behaviour.of("Kelp ", "is", stall_after=1))
    task = asyncio.create_task(collect_until_error(kelp, build_request(wire)))
    await asyncio.to_thread(fake.wait_for, "stalled")
    stopped = time.monotonic()
    task.cancel()
    [record] = await asyncio.to_thread(fake.wait_for, "closed")
    assert task.cancelled()
    assert record.closed_at is not None
    return record.closed_at - stopped


async def test_leaving_the_loop_closes_the_connection(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour.of("Kelp ", "is", stall_after=2))
    async with aclosing(make_adapter().stream(build_request(wire), Secret(KEY))) as events:
        assert await anext(events) == Delta("Kelp ")
    await asyncio.to_thread(fake.wait_for, "closed")


async def test_stopping_before_the_first_token_closes_the_connection(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    fake.script(Behaviour.of("Kelp", stall_after=0))
    task = asyncio.create_task(collect_until_error(make_adapter(), build_request(wire)))
    await asyncio.to_thread(fake.wait_for, "stalled")
    task.cancel()
    await asyncio.to_thread(fake.wait_for, "closed")


async def test_no_connection_outlives_a_reply(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    tasks_before = asyncio.all_tasks()
    fake.script(Behaviour.of("Kelp"), Behaviour.of("Kelp", cut_after=1))
    await collect_until_error(make_adapter(), build_request(wire))
    await collect_until_error(make_adapter(), build_request(wire))
    assert asyncio.all_tasks() == tasks_before


# Keys

ECHO = "Incorrect API key provided: {key}. You sent: Bearer {key}"
LEAKS = [
    Behaviour(error=ErrorAnswer(401, {"error": {"message": ECHO, "code": "{key}"}})),
    Behaviour(error=ErrorAnswer(400, {"error": {"message": "no", "param": "{key}"}})),
    Behaviour(error=ErrorAnswer(400, {"error": {"message": "no", "type": "{key}"}})),
    Behaviour(error=ErrorAnswer(500, ECHO, headers={"x-request-id": "{key}", "x-echo": "{key}"})),
    Behaviour(error=ErrorAnswer(429, {"detail": ECHO})),
    Behaviour.of("Kelp", error=ErrorAnswer(0, {"error": {"message": ECHO}}), error_after=1),
    Behaviour.of("Kelp", cut_after=1),
    Behaviour.of("Kelp", cut_after=0),
    Behaviour.of("Kelp", stall_after=1),
    Behaviour(headers={"x-request-id": "{key}", "request-id": "{key}"}, cut_after=0),
    *(
        Behaviour(error=ErrorAnswer(401, {"error": {"message": f"Wrong key {form}", "code": form}}))
        for form in sorted(list_key_forms(KEY))
    ),
]


@pytest.mark.parametrize("behaviour", LEAKS, ids=range(len(LEAKS)))
async def test_no_failure_reveals_the_key(
    fake: Fake,
    wire: Wire,
    make_adapter: MakeAdapter,
    behaviour: Behaviour,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    fake.script(behaviour)
    _, error = await collect_until_error(make_adapter(timeouts=QUICK), build_request(wire))
    assert error is not None
    logging.getLogger("worker").error("A reply failed", exc_info=error)
    texts = [repr(error), str(error), repr(vars(error)), caplog.text, *_list_local_variables(error)]
    assert error.__cause__ is None
    assert error.__context__ is None
    assert _split_in_tens(KEY).isdisjoint(piece for text in texts for piece in _split_in_tens(text))


@pytest.mark.parametrize("size", [1, 3, 7, 50])
async def test_a_key_in_the_text_of_a_reply_is_removed(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter, size: int
) -> None:
    text = f"Kelp. {KEY} {KEY.encode().hex()} The end."
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    thoughts = tuple(Piece(piece, "reasoning") for piece in pieces)
    headers = {"x-request-id": KEY, "request-id": KEY}
    behaviour = Behaviour.of(*pieces, headers=headers)
    fake.script(replace(behaviour, pieces=thoughts + behaviour.pieces))
    events, error = await collect_until_error(make_adapter(), build_request(wire))
    assert error is None
    assert _split_in_tens(KEY).isdisjoint(_split_in_tens(repr(events)))
    assert KEY.encode().hex() not in repr(events)
    assert re.fullmatch(r"Kelp\. .{0,3}\[key\] .{0,3}\[key\] The end\.", join_text(events))


@pytest.mark.parametrize("cut", [{}, {"cut_after": 2}, {"finish": ""}])
async def test_a_text_that_ends_like_the_beginning_of_a_key_is_whole(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter, cut: dict[str, Any]
) -> None:
    fake.script(Behaviour.of("Keys begin with ", KEY[:7], **cut))
    events, _ = await collect_until_error(make_adapter(timeouts=QUICK), build_request(wire))
    assert join_text(events) == f"Keys begin with {KEY[:7]}"


@pytest.mark.parametrize("name", [KEY, f"kelp-{KEY} ", KEY * 30])
async def test_a_key_in_a_list_of_models_is_left_out(
    fake: Fake, wire: Wire, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    entries = [{"id": name}, {"id": "kelp-1", "display_name": KEY}, {"id": "kelp-2"}]
    googles = [
        {"name": f"models/{entry['id']}", "displayName": entry.get("display_name", "")}
        for entry in entries
    ]
    body = {"data": entries, "models": googles}
    fake.script(Behaviour(on="models", times=None, error=ErrorAnswer(200, body)))
    assert [model.id for model in await list_models(fake, wire)] == ["kelp-2"]
    assert KEY not in caplog.text


@pytest.mark.parametrize("body", [f"You are {KEY}", {KEY: 1}, {"data": [{"key_of": KEY}]}])
async def test_an_unreadable_list_of_models_does_not_reveal_the_key(
    fake: Fake, wire: Wire, body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    fake.script(Behaviour(on="models", times=None, error=ErrorAnswer(200, body)))
    (result,) = await asyncio.gather(list_models(fake, wire), return_exceptions=True)
    assert KEY[3:] not in f"{result!r} {getattr(result, '__dict__', '')} {caplog.text}"


def _list_local_variables(error: BaseException) -> list[str]:
    """Return the traceback with all locals, but without frames of this file: they know the key."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    return [repr(frame.locals) for frame in trace.stack if frame.filename not in OWN_FILES]


def _split_in_tens(text: str) -> set[str]:
    return {text[at : at + 10] for at in range(len(text) - 9)}


async def test_an_unreadable_event_is_a_provider_error(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    for garbage in wire.unreadable:
        fake.script(Behaviour.of("Kelp", extra=garbage))
        _, error = await collect_until_error(make_adapter(), build_request(wire))
        assert type(error) is errors.ProviderError
        assert error.message.endswith("sent an answer that could not be read.")


@pytest.mark.parametrize("key", ["", " ", "sk-a b", "sk-a\n", "sk-ä", "sk-“quoted”", "sk-\x7f"])
async def test_a_key_that_fits_no_header_is_refused_before_anything_is_sent(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter, key: str
) -> None:
    _, error = await collect_until_error(make_adapter(), build_request(wire), key)
    if wire.is_keyless and not key:
        assert error is None
        return
    assert type(error) is errors.InvalidKey
    assert fake.requests() == []
    assert not key.strip() or key not in repr(error)


async def test_the_key_and_the_text_reach_the_provider(
    fake: Fake, wire: Wire, make_adapter: MakeAdapter
) -> None:
    await collect_until_error(make_adapter(), build_request(wire, "What is a holdfast? 🌊"))
    await collect_until_error(make_adapter(), build_request(wire), "sk-another")
    first, second = fake.requests()
    assert "absent" not in {first.key, second.key}
    assert first.key != second.key
    assert first.prompt == "What is a holdfast? 🌊"
