"""The frames of a client: one JSON object in each, parsed into a command or rejected with a
sentence. `frames.py` encodes those of the server. docs/protocol.md has an example of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

from streaming.doors.commands import MAX_REQUEST_CHARS, get_command, list_commands
from streaming.doors.frames import FrameRejected
from streaming.follow import MAX_CURSOR, START_CURSOR

MAX_FRAME_CHARS = 4_096
"""The longest frame that a client may send: many times what following needs, and a message of a
page or two."""
TOO_LARGE = f"Frames may hold up to {MAX_FRAME_CHARS} characters. Send longer texts by POST."


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


@dataclass(frozen=True, slots=True)
class ApplicationCommand:
    """A command of the application, which checks the other fields itself."""

    name: str
    request: str
    cost: int
    fields: dict[str, Any]


Command = Hello | Follow | Unfollow | Stop | Ping | Pong | ApplicationCommand

ENGINE_COMMANDS = ("hello", "follow", "unfollow", "stop", "ping", "pong")


def parse_command(text: str | None) -> Command:
    """Raises FrameRejected, whatever the frame holds."""
    if text is None:
        raise FrameRejected("bad_frame", "Send text frames; this one was binary.")
    if len(text) > MAX_FRAME_CHARS:
        raise FrameRejected("too_large", TOO_LARGE)
    frame = _parse_object(text)
    match frame.get("type"):
        case "hello":
            return Hello()
        case "follow":
            stream = _parse_stream(frame)
            return Follow(stream, _parse_cursor(frame, stream))
        case "unfollow":
            return Unfollow(_parse_stream(frame))
        case "stop":
            return Stop(_parse_stream(frame))
        case "ping":
            return Ping(_parse_number(frame, "n", default=0))
        case "pong":
            return Pong(_parse_number(frame, "n"))
        case str() as name if found := get_command(name):
            return ApplicationCommand(name, _parse_request(frame), found.cost, frame)
        case str():
            *names, last = *ENGINE_COMMANDS, *list_commands()
            raise FrameRejected("unknown_type", f"Known are {', '.join(names)} and {last}.")
        case _:
            raise FrameRejected("bad_frame", "A frame needs a “type”, a text.")


def _parse_object(text: str) -> dict[str, Any]:
    try:
        frame = json.loads(text, parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        raise FrameRejected("bad_json", "This frame is not JSON.") from None
    if not isinstance(frame, dict):
        raise FrameRejected("bad_frame", "A frame is one JSON object.")
    return frame


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity belong to Python, not to JSON


def _parse_stream(frame: dict[str, Any]) -> UUID:
    name = frame.get("stream")
    if isinstance(name, str) and len(name) == 36:
        try:
            return UUID(name)
        except ValueError:
            pass
    raise FrameRejected("bad_frame", "“stream” must be the id of a stream, a UUID.")


def _parse_request(frame: dict[str, Any]) -> str:
    try:
        json.dumps(frame, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise FrameRejected("bad_frame", "A text has half a character, a surrogate.") from None
    request = frame.get("request")
    if isinstance(request, str) and 0 < len(request) <= MAX_REQUEST_CHARS:
        return request
    text = f"“request” must be a text of up to {MAX_REQUEST_CHARS} characters."
    raise FrameRejected("bad_frame", text)


def _parse_cursor(frame: dict[str, Any], stream: UUID) -> int:
    after = frame.get("after", START_CURSOR)
    if type(after) is int and START_CURSOR <= after <= MAX_CURSOR:
        return after
    raise FrameRejected("bad_cursor", "“after” must be a whole number from -1 on.", stream)


def _parse_number(frame: dict[str, Any], name: str, default: int | None = None) -> int:
    number = frame.get(name, default)
    if type(number) is int and 0 <= number <= MAX_CURSOR:
        return number
    raise FrameRejected("bad_frame", f"“{name}” must be a whole number from 0 on.")
