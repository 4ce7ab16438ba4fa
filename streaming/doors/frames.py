"""The frames of the server: one JSON object for each event. All doors send the same ones.

docs/protocol.md has an example of each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from streaming.follow import Ended, Snapshot, StateChanged, StreamEvent
from streaming.journal import Chunk

VERSION = 1

CLOSE_TOO_SLOW = 4008
CLOSE_INTERNAL_ERROR = 4011
CLOSE_RESTARTING = 4012
CLOSE_SIMULATED_DROP = 4013
CLOSE_TOO_MANY_SOCKETS = 4029
CLOSE_TOO_MANY_FRAMES = 4030
CLOSE_TOO_MANY_REQUESTS = 4031
CLOSE_SIGNED_OUT = 4401
CLOSE_MISSING_RIGHT = 4403
"""The codes with which a socket closes, see docs/protocol.md."""


class FrameRejected(Exception):
    """A frame that the server does not carry out: `code` for programs, `message` for people. It
    names the stream or the request that the frame was about. `details` are further fields."""

    def __init__(
        self,
        code: str,
        message: str,
        stream: UUID | None = None,
        *,
        request: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.stream = code, message, stream
        self.request, self.details = request, details or {}


def build_not_found(stream: UUID | None) -> FrameRejected:
    """The same for a stream that does not exist and for one of another person."""
    return FrameRejected("not_found", "There is no such stream, or it is not yours.", stream)


def encode_hello(revision: int) -> str:
    return _encode_frame(type="hello", version=VERSION, revision=revision)


def encode_ping(n: int, revision: int) -> str:
    return _encode_frame(type="ping", n=n, revision=revision)


def encode_pong(n: int) -> str:
    return _encode_frame(type="pong", n=n)


def encode_changed(revision: int, topic: str = "") -> str:
    return _encode_frame(type="changed", revision=revision, **({"topic": topic} if topic else {}))


def encode_bye(retry_ms: int) -> str:
    return _encode_frame(type="bye", retry_ms=retry_ms)


def encode_error(rejection: FrameRejected) -> str:
    about = {"stream": str(rejection.stream)} if rejection.stream else {}
    about |= {"request": rejection.request} if rejection.request else {}
    fields = {"code": rejection.code, "message": rejection.message, **about, **rejection.details}
    return _encode_frame(type="error", **fields)


def encode_answer(kind: str, request: str, fields: Mapping[str, Any]) -> str:
    """The answer to a command of the application."""
    return _encode_frame(type=kind, request=request, **fields)


_last_encoded: tuple[str, StreamEvent | None, str] = ("", None, "")


def encode_event(stream: str, event: StreamEvent) -> str:
    """All followers of a stream wake one after the other with the very same event, so the last
    frame is kept for the next of them: 0.1 µs of CPU instead of 1.3."""
    global _last_encoded
    if _last_encoded[1] is not event or _last_encoded[0] != stream:
        _last_encoded = (stream, event, _encode_event(stream, event))
    return _last_encoded[2]


def _encode_event(stream: str, event: StreamEvent) -> str:
    match event:
        case Chunk():
            # Nearly all frames are chunks. Encoding a dict takes 5.3 µs of CPU instead of 1.3.
            return (
                f'{{"type":"chunk","stream":"{stream}","first":{event.first},"index":{event.index},'
                f'"kind":"{event.kind}","delta":{_quote_json(event.delta)},'
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
        case StateChanged():
            fields = {"type": "state", "state": event.state, "note": event.note}
        case Ended():
            problem = {"code": event.error_class, "message": event.error}
            fields = {
                "type": "end",
                "state": event.state,
                "next": event.next_index,
                "finish_reason": event.finish_reason,
                "error": problem if event.error_class else None,
            }
    return _encode_frame(stream=stream, **fields)


_encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_quote_json = json.encoder.encode_basestring


def _encode_frame(**fields: Any) -> str:
    return _encode_json(fields)
