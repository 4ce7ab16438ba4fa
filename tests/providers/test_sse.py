"""Server-sent events are decoded from any split of their bytes."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.providers.http import sse
from streaming.providers.http.sse_blocks import BlockSplitter

KELP = {"kelp": "潮 🌊", "n": 1}
LINE = json.dumps(KELP, ensure_ascii=False)


def decode_parts(*parts: bytes) -> list[dict[str, Any]]:
    async def send_parts() -> AsyncGenerator[bytes, None]:
        for part in parts:
            yield part

    async def collect_events() -> list[dict[str, Any]]:
        events = []
        async for event in sse.decode_events(send_parts()):
            if isinstance(event, sse.Unreadable):
                raise event.error
            if event and isinstance(event, dict):
                events.append(event)
        return events

    return asyncio.run(collect_events())


def split_bytes(body: bytes) -> Iterable[bytes]:
    return (body[at : at + 1] for at in range(len(body)))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"data: {LINE}\n\n", [KELP]),
        (f"data:{LINE}\n\n", [KELP]),
        (f"\ufeffdata: {LINE}\n\n", [KELP]),
        (f": alive\n\n:\n\n: again\ndata: {LINE}\n\n: on\n\n", [KELP]),
        (f"id: 7\nretry: 100\nevent: tide\ndata: {LINE}\nodd\n\n", [KELP | {"type": "tide"}]),
        ('event: tide\ndata: {"type": "own"}\n\n', [{"type": "own"}]),
        ('data: {"a":\ndata: 1}\n\ndata: {"b": 2}\n\n', [{"a": 1}, {"b": 2}]),
        (f"\n\n\n\ndata: {LINE}\n\n\n\n\ndata: {LINE}\n\n", [KELP, KELP]),
        ("event: nothing\n\ndata\n\ndata:\n\ndata: \n\n", []),
        (f"data: {LINE}\n\ndata: [DONE]\n\ndata: {{not json\n\n", [KELP]),
        (f"data: {LINE}\n\ndata: [DONE]", [KELP]),
        (f"data: {LINE}", [KELP]),
        (f"data: {LINE}\n", [KELP]),
        (f"data: {LINE}\n\ndata: {LINE[:-1]}", [KELP]),
        (f"data: {LINE}\n\nda", [KELP]),
        (f"data: {LINE}\ndata: {LINE}\ndata: [DONE]\n", [KELP, KELP]),
        (f"event: a\ndata: {{}}\nevent: b\ndata: {LINE}\n", [{"type": "a"}, KELP | {"type": "b"}]),
        (f"id: 1\ndata: {LINE}\nid: 2\ndata: {LINE}\n\n", [KELP, KELP]),
        (f"data: {LINE}{LINE}\n\n", [KELP, KELP]),
        (f"data: [{LINE}, {LINE}]\n\n", [KELP, KELP]),
        (f"{LINE}\n{LINE}\n", [KELP, KELP]),
        (f"{LINE}\n\n{LINE}\n\ndata: [DONE]\n\n", [KELP, KELP]),
        (f"{LINE}\n{LINE}\n\ndata: {LINE}\n\ndata: [DONE]\n\n", [KELP, KELP, KELP]),
        (f"[{LINE},\n{LINE}]", [KELP, KELP]),
        (f"data: {LINE}\n\n{LINE}\n", [KELP, KELP]),
        ('{\n\n"a":\n\n1}\n\n', [{"a": 1}]),
        ('error: {"code": 5}\n\n', [{"error": {"code": 5}}]),
        ("error: too long\n\ndata: [DONE]\n\n", [{"error": "too long"}]),
        ('error: {"code": 5}', [{"error": {"code": 5}}]),
        ('event: error\ndata: {"code": 5}\n\n', [{"type": "error", "error": {"code": 5}}]),
        ("event: error\ndata: too long\n\n", [{"type": "error", "error": "too long"}]),
        (
            'event: error\ndata: {"type": "x", "error": {"a": 1}}\n\n',
            [{"type": "x", "error": {"a": 1}}],
        ),
        (f"  {LINE}", [KELP]),
        *(
            (f"data: {word}\n\ndata: {LINE}\n\n", [KELP])
            for word in ("ping", '"ping"', "true", "1", "[START]", "<start>", "OK", "keep-alive")
        ),
        ('data: {"a": "x\ty\x01"}\n\n', [{"a": "x\ty\x01"}]),
        ('data: {"a": "x\ty"}\ndata: {"b": 1}\n', [{"a": "x\ty"}, {"b": 1}]),
        ('data: {"a": 1' + "0" * 5_000 + "}\n\n", [{"a": float("inf")}]),
        ("event: error\ndata: ping\n\n", [{"type": "error", "error": "ping"}]),
        (f"[{LINE}\n]\n", [KELP]),
        *(
            (f"data: {signs}\n\ndata: {LINE}\n\n", [KELP])
            for signs in ('["ping"]', "[1, null, true]", '["a", ["b", ""]]', "[[]]", "[[], []]")
        ),
        (f'data: ["ping", {LINE}, 7, {LINE}]\n\n', [KELP, KELP]),
        ('event: error\ndata: ["ping"]\n\n', [{"type": "error", "error": '["ping"]'}]),
        (f" data: {LINE}\n\nData:{LINE}\n\nDATA : {LINE}\n\n", [KELP, KELP, KELP]),
        (f" Event:  a \n\tdata: {LINE}\n\n", [KELP | {"type": "a"}]),
        ('error: {"code": 5,\nerror: "a": 6}\n\n', [{"error": {"code": 5, "a": 6}}]),
        ('error: {\n  "code": 5\n}\n\ndata: [DONE]\n\n', [{"error": {"code": 5}}]),
        ("Error: too\n long\ndata: [DONE]\n\n", [{"error": "too\n long"}]),
        (f"data: {LINE}\nERROR: full\n\n", [KELP, {"error": "full"}]),
        (f'data: {LINE}\n{{"error": 5}}\ndata: [DONE]\n', [KELP, {"error": 5}]),
        (f'data: {LINE}\n{{"error": 5}}\n\n', [KELP, {"error": 5}]),
        (f'data: {LINE}\ndata: {LINE}\n{{"error": 5}}', [KELP, KELP, {"error": 5}]),
        (f'{{"error": 5}}\ndata: {LINE}\n\n', [{"error": 5}, KELP]),
        (f"{LINE}\ndata: {LINE}\n\ndata: {LINE}\n\n", [KELP, KELP, KELP]),
        (f'data: {LINE}\n\ndata: [DONE]\n{{"error": 5}}\n\n', [KELP]),
        (f"data: {LINE}\ndata: [DONE]\ndata: {LINE}\ndata: ping\n\n", [KELP]),
        (f"data: {LINE}\ndata: [DONE]\nerror: late\n", [KELP]),
        (f'data: {LINE}\ndata: ping\ndata: 7\ndata: "ok"\ndata: {LINE}\n\n', [KELP, KELP]),
        (f"data: ping\n: hi\ndata: {LINE}\n\n", [KELP]),
        *(
            (f"data: {LINE}\n\ndata: {words}\n\ndata: [DONE]\n\n", [KELP, {"error": read}])
            for words, read in (
                ("error: context length exceeded", "context length exceeded"),
                ("Error: upstream died", "upstream died"),
                ('error: {"code": 5}', {"code": 5}),
                ("502 Bad Gateway", "502 Bad Gateway"),
                ("Internal Server Error", "Internal Server Error"),
                ("Unauthorized", "Unauthorized"),
                ("[ERROR] upstream died", "[ERROR] upstream died"),
                ("[ERROR]", "[ERROR]"),
                ('"Rate limit exceeded"', "Rate limit exceeded"),
                ("Event: connection lost", "Event: connection lost"),
                ("GPU lost\ndata: at layer 7", "GPU lost\nat layer 7"),
            )
        ),
        ("data: Rate limit exceeded\n\n", [{"error": "Rate limit exceeded"}]),
        ("data: {}\n\ndata: Rate limit exceeded\n", [{"error": "Rate limit exceeded"}]),
        (f"data: {LINE}\ndata: failed\n\n", [KELP, {"error": "failed"}]),
        ("event: tide\ndata: worker died\n\n", [{"error": "worker died"}]),
        ("event: error\ndata: worker died", [{"error": "worker died"}]),
        (f"data: data: {LINE}\n\ndata: data: [DONE]\n\ndata: {LINE}\n\n", [KELP]),
        (f"data: data: {LINE}\ndata: data: {LINE}\n\n", [KELP, KELP]),
        (f"data: event: a\ndata: data: {LINE}\n\n", [KELP | {"type": "a"}]),
        (f"data: data: {LINE}", [KELP]),
        (f"data: [START]\ndata: {LINE}\n\n", [KELP]),
        ("Unauthorized", [{"error": "Unauthorized"}]),
        ("no healthy upstream\n", [{"error": "no healthy upstream"}]),
        ("upstream: gone\n\nReset.", [{"error": "upstream: gone\n\nReset."}]),
        ("404 page not found\n\n", [{"error": "404 page not found"}]),
        (f"Connected to kelp\n\ndata: {LINE}\n\n", [KELP]),
        (f"One\n\ntwo\n\ndata: {LINE}\n\n", [KELP]),
        ("OK", []),
        ("da", []),
        (r'data: {"half": "\ud83d"}' + "\n\n", [{"half": "\ud83d"}]),
        ("", []),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_any_split_of_the_bytes_gives_the_same_events(
    body: str, expected: list[dict[str, Any]], end: str
) -> None:
    raw = body.replace("\n", end).encode()
    assert decode_parts(raw) == expected
    assert decode_parts(*split_bytes(raw)) == expected
    for at in range(len(raw)):
        assert (at, decode_parts(raw[:at], raw[at:])) == (at, expected)


@pytest.mark.parametrize(
    "body",
    [
        b"data: {not json\n\n",
        b"data: \xff\n\n",
        b'data: ["rate limit exceeded"]\n\n',
        b'data: {"a": 1}\n\nupstream connect error',
        b'data: {"a": 1}\ndata: {"b":\n\n',
        b'data: {"a": 1}},"b": 2}\n\n',
        b'data: ["ping", {"a": 1}, "Unauthorized"]\n\n',
        b'data: [["ping", {"choices": []}]]\n\n',
        b"<html>\n\n<p>Busy.</html>",
        b"<html>Busy.</html>",
        b"<html>\n\n",
        b"<html>\n<body>\n\nBusy",
        b"{half an answer",
        b"[1, 2]",
    ],
)
def test_an_unreadable_event_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        decode_parts(body)


def test_an_error_quotes_the_start_of_a_page() -> None:
    with pytest.raises(ValueError, match="<html>Busy") as caught:
        decode_parts(b"<html>Busy" + b"x" * 10_000)
    assert len(str(caught.value)) < 2 * sse.MAX_QUOTED_BYTES


def test_an_error_quotes_words_at_the_end_of_a_stream() -> None:
    with pytest.raises(ValueError, match="Rate limit exceeded"):
        decode_parts(b'data: {"a": 1}\n\nRate limit exceeded\n')


def test_an_event_is_yielded_at_its_blank_line() -> None:
    blocks = BlockSplitter()
    assert blocks.feed(b"data: 1\r\n\r") == [b"data: 1"]
    assert blocks.feed(b"\ndata: 2\n") == []
    assert blocks.feed(b"\n") == [b"data: 2"]
    assert not blocks.buffer


def test_an_event_without_a_blank_line_is_yielded_when_the_next_one_begins() -> None:
    blocks = BlockSplitter()
    assert blocks.feed(b'data: {"a": 1}\n') == []
    assert blocks.feed(b'data: {"a": 2}\n') == [b'data: {"a": 1}', b'data: {"a": 2}']
    assert blocks.feed(b'data: {"a": 3}\n') == [b'data: {"a": 3}']
    assert blocks.feed(b"data: [DONE]\n") == [b"data: [DONE]"]


def test_lines_that_are_no_events_are_not_read_again_and_again() -> None:
    blocks = BlockSplitter()
    for _ in range(100_000):
        assert blocks.feed(b"data: {}}\n") == []


def test_a_document_of_blank_lines_is_read_fast() -> None:
    body = b'{"a": [' + b"1,\n\n" * 200_000 + b"1]}"
    assert len(decode_parts(*(body[at : at + 4096] for at in range(0, len(body), 4096)))) == 1


def test_many_signs_of_life_in_one_event_are_read_fast() -> None:
    assert decode_parts(b"data: ping\n" * 90_000 + b'data: {"a": 1}\n\n') == [{"a": 1}]


def test_a_large_event_in_small_parts_is_parsed_fast() -> None:
    async def send_parts() -> AsyncGenerator[bytes, None]:
        yield b'data: {"kelp": "'
        for _ in range(50_000):
            yield b"x" * 20
        yield b'"}\n\n'

    async def collect_events() -> list[int]:
        async with asyncio.timeout(5):
            events = [event async for event in sse.decode_events(send_parts())]
            return [len(event["kelp"]) for event in events if isinstance(event, dict)]

    assert asyncio.run(collect_events()) == [1_000_000]


async def test_closing_it_closes_its_body() -> None:
    closed = False

    async def send_parts() -> AsyncGenerator[bytes, None]:
        nonlocal closed
        try:
            yield b"data: {}\n\n"
            yield b"data: {}\n\n"
        finally:
            closed = True

    events = sse.decode_events(send_parts())
    await anext(events)
    await events.aclose()
    assert closed


BLANK_LINES = ["\n\n", "\r\n\r\n", "\r\r", "\r\n\n", "\n\r\n", "\n\r", "\r\r\n"]


@given(
    st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.sampled_from(BLANK_LINES))),
    st.lists(st.integers(1, 9), min_size=1),
)
def test_any_text_survives_any_split_and_line_ending(
    texts_and_ends: list[tuple[str, str]], sizes: list[int]
) -> None:
    events = [f"data: {json.dumps({'t': t}, ensure_ascii=False)}{end}" for t, end in texts_and_ends]
    body, parts, at = "".join(events).encode(), list[bytes](), 0
    while at < len(body):
        size = sizes[len(parts) % len(sizes)]
        parts.append(body[at : at + size])
        at += size
    assert [events["t"] for events in decode_parts(*parts)] == [text for text, _ in texts_and_ends]


@pytest.mark.parametrize("last", [b"\n", b"\n\n", b""])
def test_the_name_of_an_error_is_not_that_of_the_text_before_it(last: bytes) -> None:
    line = b"data: %s\n" % LINE.encode()
    body = line * 2 + b'event: error\ndata: {"message": "Shoal."}' + last
    error = {"type": "error", "error": {"message": "Shoal."}}
    assert decode_parts(body) == [KELP, KELP, error]
    assert decode_parts(*split_bytes(body)) == [KELP, KELP, error]
