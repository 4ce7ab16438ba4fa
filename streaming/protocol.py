"""The wire of the WebSocket door, all of it: one JSON object a frame.

What a client may say is parsed into a command or refused with a sentence; what the server
says is encoded here. docs/protocol.md has an example of each.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

from streaming.follow import LARGEST, START, End, Event, Snapshot, Status
from streaming.journal import Chunk
from streaming.models import Kind

VERSION = 1
FRAME_CHARACTERS = 4_096
"""The longest frame that a client may send: many times what any command needs."""

WIRE = {kind: kind.name.lower() for kind in Kind}

TOO_SLOW = 4008
BROKEN = 4011
RESTARTING = 4012
STORM = 4013
TOO_MANY = 4029
SIGNED_OUT = 4401


class Refused(Exception):
    """A frame that can't be obeyed: `code` for programs, `message` for people."""

    def __init__(self, code: str, message: str, stream: UUID | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.stream = code, message, stream


@dataclass(frozen=True, slots=True)
class Hello:
    pass


@dataclass(frozen=True, slots=True)
class Follow:
    stream: UUID
    after: int


@dataclass(frozen=True, slots=True)
class Unfollow:
    stream: UUID


@dataclass(frozen=True, slots=True)
class Stop:
    stream: UUID


@dataclass(frozen=True, slots=True)
class Ping:
    n: int


@dataclass(frozen=True, slots=True)
class Pong:
    n: int


Command = Hello | Follow | Unfollow | Stop | Ping | Pong


def parse(text: str | None) -> Command:
    """The command in a frame. Raises Refused, whatever the frame holds."""
    if text is None:
        raise Refused("bad_frame", "Send text frames; this one was binary.")
    if len(text) > FRAME_CHARACTERS:
        raise Refused("too_large", f"Frames may hold up to {FRAME_CHARACTERS} characters.")
    frame = _object(text)
    match frame.get("type"):
        case "hello":
            return Hello()
        case "follow":
            stream = _stream(frame)
            return Follow(stream, _cursor(frame, stream))
        case "unfollow":
            return Unfollow(_stream(frame))
        case "stop":
            return Stop(_stream(frame))
        case "ping":
            return Ping(_number(frame, "n", default=0))
        case "pong":
            return Pong(_number(frame, "n"))
        case str():
            raise Refused("unknown_type", "Known are hello, follow, unfollow, stop, ping and pong.")
        case _:
            raise Refused("bad_frame", "A frame needs a “type”, a text.")


def _object(text: str) -> dict[str, Any]:
    try:
        frame = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused("bad_json", "This frame is not JSON.") from None
    if not isinstance(frame, dict):
        raise Refused("bad_frame", "A frame is one JSON object.")
    return frame


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def _stream(frame: dict[str, Any]) -> UUID:
    name = frame.get("stream")
    if isinstance(name, str) and len(name) == 36:
        try:
            return UUID(name)
        except ValueError:
            pass
    raise Refused("bad_frame", "“stream” must be the id of a stream, a UUID.")


def _cursor(frame: dict[str, Any], stream: UUID) -> int:
    after = frame.get("after", START)
    if type(after) is int and START <= after <= LARGEST:
        return after
    raise Refused("bad_cursor", "“after” must be a whole number from -1 on.", stream)


def _number(frame: dict[str, Any], name: str, default: int | None = None) -> int:
    number = frame.get(name, default)
    if type(number) is int and 0 <= number <= LARGEST:
        return number
    raise Refused("bad_frame", f"“{name}” must be a whole number from 0 on.")


def hello(revision: int) -> str:
    return _frame(type="hello", version=VERSION, revision=revision)


def ping(n: int, revision: int) -> str:
    return _frame(type="ping", n=n, revision=revision)


def pong(n: int) -> str:
    return _frame(type="pong", n=n)


def changed(revision: int) -> str:
    return _frame(type="changed", revision=revision)


def bye(retry_ms: int) -> str:
    return _frame(type="bye", retry_ms=retry_ms)


def error(refused: Refused) -> str:
    stream = {"stream": str(refused.stream)} if refused.stream else {}
    return _frame(type="error", code=refused.code, message=refused.message, **stream)


_made: tuple[str, Event | None, str] = ("", None, "")


def event(stream: str, event: Event) -> str:
    """The frame for something a follower yielded. It is made once for all who follow a stream: they
    are woken one after the other, with the very same chunk."""
    global _made
    if _made[1] is not event or _made[0] != stream:
        _made = (stream, event, _event(stream, event))
    return _made[2]


def _event(stream: str, event: Event) -> str:
    match event:
        case Chunk():
            # Nearly all frames are this one, and an encoder of objects takes several times as long.
            return (
                f'{{"type":"chunk","stream":"{stream}","first":{event.first},"index":{event.index},'
                f'"kind":"{WIRE[event.kind]}","delta":{_quoted(event.delta)},'
                f'"offset":{event.offset}}}'
            )
        case Snapshot():
            fields: dict[str, Any] = {
                "type": "snapshot",
                "index": event.index,
                "text": event.text,
                "reasoning": event.reasoning,
                "seams": event.seams,
            }
        case Status():
            fields = {"type": "state", "state": event.state, "note": event.note}
        case End():
            problem = {"code": event.error_class, "message": event.error}
            fields = {
                "type": "end",
                "state": event.state,
                "next": event.next_index,
                "finish_reason": event.finish_reason,
                "error": problem if event.error_class else None,
            }
    return _frame(stream=stream, **fields)


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_quoted = json.encoder.encode_basestring


def _frame(**fields: Any) -> str:
    return _encode(fields)
