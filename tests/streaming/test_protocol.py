"""The frames of the protocol: those of a client are either parsed or refused with a message, and
those of the server are as docs/protocol.md says."""

from __future__ import annotations

import json
import math
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streaming import follow
from streaming.doors import frames
from streaming.doors.frames import FrameRejected
from streaming.doors.websocket.protocol import (
    MAX_FRAME_CHARS,
    Command,
    Follow,
    Hello,
    Ping,
    Pong,
    Stop,
    Unfollow,
    parse_command,
)
from streaming.follow import MAX_CURSOR
from streaming.journal import Chunk
from streaming.models import Kind, State

STREAM = UUID("9b2e1f6c-0b1a-4d5e-8f90-123456789abc")
NAME = str(STREAM)


@pytest.mark.parametrize(
    ("frame", "command"),
    [
        ({"type": "hello"}, Hello()),
        ({"type": "hello", "version": 7, "more": [1]}, Hello()),
        ({"type": "follow", "stream": NAME, "after": 41}, Follow(STREAM, 41)),
        ({"type": "follow", "stream": NAME, "after": -1}, Follow(STREAM, -1)),
        ({"type": "follow", "stream": NAME}, Follow(STREAM, -1)),
        ({"type": "follow", "stream": NAME.upper(), "after": 0}, Follow(STREAM, 0)),
        (
            {"type": "follow", "stream": NAME, "after": MAX_CURSOR},
            Follow(STREAM, MAX_CURSOR),
        ),
        ({"type": "unfollow", "stream": NAME}, Unfollow(STREAM)),
        ({"type": "stop", "stream": NAME}, Stop(STREAM)),
        ({"type": "ping", "n": 3}, Ping(3)),
        ({"type": "ping"}, Ping(0)),
        ({"type": "pong", "n": 7}, Pong(7)),
    ],
)
def test_valid_frames_are_parsed_as_commands(frame: dict[str, Any], command: Command) -> None:
    assert parse_command(json.dumps(frame)) == command


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "bad_frame"),
        ("", "bad_json"),
        ("{", "bad_json"),
        ("hello", "bad_json"),
        ("\ufeff{}", "bad_json"),
        ('{"type": "ping", "n": NaN}', "bad_json"),
        ('{"type": "ping", "n": -Infinity}', "bad_json"),
        ('{"type": "ping", "n": 1' + "0" * 4000 + "}", "bad_frame"),
        ("[" * MAX_FRAME_CHARS, "bad_json"),
        ('{"a":' * 680 + "1" + "}" * 680, "bad_frame"),
        ("x" * (MAX_FRAME_CHARS + 1), "too_large"),
        (" " * MAX_FRAME_CHARS, "bad_json"),
        ("null", "bad_frame"),
        ("7", "bad_frame"),
        ('"hello"', "bad_frame"),
        ('["hello"]', "bad_frame"),
        ("{}", "bad_frame"),
        ('{"type": null}', "bad_frame"),
        ('{"type": ["hello"]}', "bad_frame"),
        ('{"type": "HELLO"}', "unknown_type"),
        ('{"type": ""}', "unknown_type"),
        ('{"type": "\\ud800"}', "unknown_type"),
        ('{"type": "chunk"}', "unknown_type"),
        ('{"type": "pong"}', "bad_frame"),
    ],
)
def test_a_frame_that_is_no_command_is_refused(text: str | None, code: str) -> None:
    with pytest.raises(FrameRejected) as refused:
        parse_command(text)
    assert refused.value.code == code
    assert refused.value.message.endswith(".")


NO_UUIDS = [None, 7, True, "", [NAME], {"id": NAME}, NAME[:-1], f"{NAME}0", f"{{{NAME}}}"]
OTHER_STRINGS = ["x" * 36, NAME.replace("-", ""), "\ud800" * 36, "٣" * 36, f"urn:uuid:{NAME}"]


@pytest.mark.parametrize("kind", ["follow", "unfollow", "stop"])
@pytest.mark.parametrize("stream", [*NO_UUIDS, *OTHER_STRINGS])
def test_an_invalid_uuid_is_refused(kind: str, stream: Any) -> None:
    with pytest.raises(FrameRejected) as refused:
        parse_command(json.dumps({"type": kind, "stream": stream}))
    assert (refused.value.code, refused.value.stream) == ("bad_frame", None)


@pytest.mark.parametrize(
    "after", [-2, -(2**70), MAX_CURSOR + 1, 1.0, 1.5, "7", "", None, True, [1], {"n": 1}]
)
def test_an_invalid_cursor_is_refused_with_the_name_of_its_stream(after: Any) -> None:
    with pytest.raises(FrameRejected) as refused:
        parse_command(json.dumps({"type": "follow", "stream": NAME, "after": after}))
    assert (refused.value.code, refused.value.stream) == ("bad_cursor", STREAM)


@pytest.mark.parametrize("kind", ["ping", "pong"])
@pytest.mark.parametrize("n", [-1, 2**53, 0.5, "1", None, True, []])
def test_an_invalid_number_is_refused(kind: str, n: Any) -> None:
    with pytest.raises(FrameRejected) as refused:
        parse_command(json.dumps({"type": kind, "n": n}))
    assert refused.value.code == "bad_frame"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FRAMES = st.fixed_dictionaries(
    {"type": st.sampled_from(["hello", "follow", "unfollow", "stop", "ping", "pong"]) | JSON},
    optional={"stream": st.just(NAME) | st.uuids().map(str) | JSON, "after": JSON, "n": JSON},
)
TEXTS = st.text(st.characters(exclude_categories=[]), max_size=200)


@given(FRAMES.map(json.dumps) | JSON.map(json.dumps) | TEXTS)
@example('{"type":"follow","stream":"' + "\udfff" * 36 + '"}')
def test_any_frame_is_either_a_command_or_refused(text: str) -> None:
    try:
        command = parse_command(text)
    except FrameRejected as refused:
        answer = json.loads(frames.encode_error(refused))
        assert answer["code"] in {"bad_json", "bad_frame", "unknown_type", "bad_cursor"}
        assert answer["message"]
    else:
        assert isinstance(command, Hello | Follow | Unfollow | Stop | Ping | Pong)


# Frames of the server


@pytest.mark.parametrize(
    ("event", "frame"),
    [
        (
            Chunk(13, 17, Kind.TEXT, "the tide \N{WATER WAVE}\r\n", 118),
            {
                "type": "chunk",
                "first": 13,
                "index": 17,
                "kind": "text",
                "delta": "the tide \N{WATER WAVE}\r\n",
                "offset": 118,
            },
        ),
        (
            Chunk(3, 3, Kind.SEAM, "", 5),
            {"type": "chunk", "first": 3, "index": 3, "kind": "seam", "delta": "", "offset": 5},
        ),
        (
            follow.Snapshot(41, "all of it", "why", (3, 7)),
            {
                "type": "snapshot",
                "index": 41,
                "text": "all of it",
                "reasoning": "why",
                "seams": [3, 7],
            },
        ),
        (
            follow.StateChanged(State.QUEUED, "Waiting"),
            {"type": "state", "state": "queued", "note": "Waiting"},
        ),
        (
            follow.Ended(State.COMPLETED, 42, "stop", "", ""),
            {
                "type": "end",
                "state": "completed",
                "next": 42,
                "finish_reason": "stop",
                "error": None,
            },
        ),
        (
            follow.Ended(State.FAILED, 0, "", "invalid_key", "Check it."),
            {
                "type": "end",
                "state": "failed",
                "next": 0,
                "finish_reason": "",
                "error": {"code": "invalid_key", "message": "Check it."},
            },
        ),
    ],
)
def test_every_event_of_a_follower_has_a_frame(
    event: follow.StreamEvent, frame: dict[str, Any]
) -> None:
    assert json.loads(frames.encode_event(NAME, event)) == {"stream": NAME, **frame}


@pytest.mark.parametrize("kind", [*Kind, "7"])
def test_a_kind_of_chunk_stands_by_its_name_in_the_frame(kind: str) -> None:
    frame = json.loads(frames.encode_event(NAME, Chunk(0, 0, kind, "a", 0)))
    assert frame["kind"] == str(kind)


def test_the_other_frames_are_encoded() -> None:
    encoded = [
        frames.encode_hello(12),
        frames.encode_ping(7, 13),
        frames.encode_pong(3),
        frames.encode_changed(13),
        frames.encode_changed(14, "drafts"),
        frames.encode_bye(500),
        frames.encode_error(FrameRejected("bad_cursor", "No.", STREAM)),
        frames.encode_error(FrameRejected("bad_json", "No.")),
    ]
    assert [json.loads(frame) for frame in encoded] == [
        {"type": "hello", "version": 1, "revision": 12},
        {"type": "ping", "n": 7, "revision": 13},
        {"type": "pong", "n": 3},
        {"type": "changed", "revision": 13},
        {"type": "changed", "revision": 14, "topic": "drafts"},
        {"type": "bye", "retry_ms": 500},
        {"type": "error", "code": "bad_cursor", "message": "No.", "stream": NAME},
        {"type": "error", "code": "bad_json", "message": "No."},
    ]


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 10**6))
def test_any_text_survives_encoding_as_utf_8(delta: str, index: int) -> None:
    frame = frames.encode_event(NAME, Chunk(index, index, Kind.TEXT, delta, index))
    assert json.loads(frame.encode())["delta"] == delta


def test_the_frames_of_the_server_are_strict_json() -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    assert math.isfinite(MAX_CURSOR)
    frame = frames.encode_event(NAME, follow.Snapshot(-1, "\x7f\u2028", "", ()))
    assert json.loads(frame, parse_constant=refuse)["text"] == "\x7f\u2028"
