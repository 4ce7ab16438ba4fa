"""The messages of the AI SDK's own socket, `WebSocketChatTransport` of the 7.x line. Each request
has an id of the client's, and its answer counts its parts from 0."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn

from chat.doors.ai_sdk.protocol import Part, encode_part
from chat.doors.models import MAX_CLIENT_NAME_CHARS

MAX_FRAME_BYTES = 256 * 1024
"""The longest message of a client. The stock transport sends the whole list of a chat's messages
each time; `prepareSendMessagesRequest` can leave out the old ones."""
MAX_REQUEST_ID_CHARS = 200


@dataclass(frozen=True, slots=True)
class Send:
    """`fields` are those of a POST to `/api/chat`."""

    request_id: str
    fields: dict[str, Any]

    @property
    def chat(self) -> str:
        return str(self.fields.get("id", ""))[: MAX_CLIENT_NAME_CHARS + 1]


@dataclass(frozen=True, slots=True)
class Resume:
    request_id: str
    chat: str


@dataclass(frozen=True, slots=True)
class Abort:
    request_id: str


class BadFrame(Exception):
    """A message that says nothing that this socket knows. `request_id` is empty if it names no
    request; stock clients then ignore the answer."""

    def __init__(self, message: str, request_id: str = "") -> None:
        super().__init__(message)
        self.message, self.request_id = message, request_id


def parse_frame(text: str | None) -> Send | Resume | Abort:
    """Raises BadFrame, whatever the message holds."""
    frame = _parse_object(text)
    id = frame.get("requestId")
    if not isinstance(id, str) or not 0 < len(id) <= MAX_REQUEST_ID_CHARS or not _is_storable(id):
        raise BadFrame("A message needs a “requestId”, a text.")
    match frame.get("type"):
        case "send":
            body = frame.get("body", {})
            if not isinstance(body, dict):
                raise BadFrame("“body” must be an object.", id)
            own = ("id", "messages", "trigger", "messageId")
            return Send(id, body | {name: frame[name] for name in own if name in frame})
        case "resume":
            if frame.get("lastSequence") is not None:
                raise BadFrame("An answer can only be resumed from its start.", id)
            chat = frame.get("id")
            if not isinstance(chat, str):
                raise BadFrame("“id” must be the name of a chat.", id)
            return Resume(id, chat)
        case "abort":
            return Abort(id)
        case _:
            raise BadFrame("Known are send, resume and abort.", id)


def _parse_object(text: str | None) -> dict[str, Any]:
    try:
        frame = json.loads(text or "", parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        raise BadFrame("This message is not JSON.") from None
    if not isinstance(frame, dict):
        raise BadFrame("A message is one JSON object.")
    return frame


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity belong to Python, not to JSON


def _is_storable(text: str) -> bool:
    """Half of a surrogate pair could not be sent back."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def encode_start(request_id: str) -> str:
    return _encode(type="start", requestId=request_id)


def encode_chunk(request_id: str, sequence: int, part: Part) -> str:
    return _encode(type="chunk", requestId=request_id, sequence=sequence, chunk=part)


def encode_end(request_id: str) -> str:
    return _encode(type="end", requestId=request_id)


def encode_no_active(request_id: str) -> str:
    return _encode(type="no-active", requestId=request_id)


def encode_error(request_id: str, text: str) -> str:
    return _encode(type="error", requestId=request_id, errorText=text)


def _encode(**fields: Any) -> str:
    return encode_part(fields)
