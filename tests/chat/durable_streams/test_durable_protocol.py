"""Offsets, cursors, JSON and events, without a database."""

from __future__ import annotations

import json

import pytest

from chat.doors.durable_streams import protocol

INTERVAL_START = protocol.CURSOR_EPOCH + 1_000 * protocol.CURSOR_INTERVAL_SECONDS


@pytest.mark.parametrize("position", [0, 1, 17, protocol.MAX_POSITION])
def test_an_offset_leads_back_to_its_position(position: int) -> None:
    assert protocol.decode_offset(protocol.encode_offset(position)) == position


def test_offsets_sort_like_their_positions() -> None:
    offsets = [protocol.encode_offset(position) for position in (0, 9, 10, 99, 1_000)]
    assert offsets == sorted(offsets)


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "-1", "now", "0000000000000001_0000000000000000", "0000000000000000_1"),
        *("0000000000000000_0000000000000000\n", "0000000000000000_000000000000000\u0661"),
    ],
)
def test_other_texts_are_no_offsets(text: str) -> None:
    assert protocol.decode_offset(text) is None


@pytest.mark.parametrize("given", ["", "x", "-5", "999", "1" * 16])
def test_a_cursor_counts_intervals_of_the_clock(given: str) -> None:
    assert protocol.build_cursor(given, INTERVAL_START) == "1000"


@pytest.mark.parametrize("given", [1_000, 1_001, 5_000])
def test_a_cursor_rises_above_that_of_the_client(given: int) -> None:
    assert given < int(protocol.build_cursor(str(given), INTERVAL_START)) <= given + 180


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        (b'{"a": 1}', [b'{"a":1}']),
        (b'[{"a":1}, [2, 3]]', [b'{"a":1}', b"[2,3]"]),
        (b"[[[1]]]", [b"[[1]]"]),
        (b"[]", []),
        (b'"line\\nbreak"', [b'"line\\nbreak"']),
        (b'{"big": 123456789012345678901234567890}', [b'{"big":123456789012345678901234567890}']),
        ('["\u00e9"]'.encode(), ['"\u00e9"'.encode()]),
        (b'["\\ud800"]', [b'"\\ud800"']),
    ],
)
def test_a_body_is_split_into_messages(body: bytes, messages: list[bytes]) -> None:
    assert protocol.split_json(body) == messages
    assert not any(protocol.SEPARATOR in message for message in messages)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"NaN", b"[Infinity]", b"1e400", b"\xff", b"[" * 100_000, b"9" * 5_000]
)
def test_other_bodies_are_not_json(body: bytes) -> None:
    with pytest.raises(protocol.NotJson):
        protocol.split_json(body)


def test_cut_messages_are_still_messages() -> None:
    data = b'{"a":1}\n2\n[3]'
    assert protocol.count_units(data, json_mode=True) == 3
    cut = protocol.cut_units(data, 1, 3, json_mode=True)
    assert json.loads(protocol.join_pieces([cut, b"4"], json_mode=True)) == [2, [3], 4]


@pytest.mark.parametrize("line_break", ["\n", "\r", "\r\n"])
def test_content_never_begins_an_event_of_its_own(line_break: str) -> None:
    text = f"a{line_break}{line_break}event: control{line_break}data:x"
    event = protocol.encode_data_event(text).decode()
    assert event == "event: data\ndata:a\ndata:\ndata:event: control\ndata:data:x\n\n"


def test_the_last_event_of_a_reply_tells_how_it_ended() -> None:
    event = protocol.encode_control_event(5, cursor="1", up_to_date=True, ending="failed")
    assert json.loads(event.partition(b"data:")[2]) == {
        "streamNextOffset": protocol.encode_offset(5),
        "streamClosed": True,
        "upToDate": True,
        "streamState": "failed",
    }
