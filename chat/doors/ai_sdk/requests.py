"""The requests of the transports of the AI SDK: the whole list of a chat's messages, of which only
the last one is new."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from django.utils.translation import gettext as _
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from chat.api.problems import Problem
from chat.api.schemas import ModelName, SettingsIn
from chat.doors.models import MAX_CLIENT_NAME_CHARS
from chat.messages.forms import MAX_MESSAGE_CHARS
from chat.replies.settings import clean_text
from streaming.doors.sse.request import parse_cursor
from streaming.storable_text import replace_unstorable

MAX_FIELD_CHARS = 100
PARAGRAPH = "\n\n"
"""Stands between two text parts of one message."""

CURSOR_PATTERN = re.compile(r"([0-9a-f-]{36}):(.*)")

Name = Annotated[
    str,
    Field(min_length=1, max_length=MAX_CLIENT_NAME_CHARS),
    AfterValidator(replace_unstorable),
]


class ClientMessage(BaseModel):
    """A message as the client has it. Its id is the client's own, or one of ours."""

    id: Name
    role: Literal["system", "user", "assistant"]
    parts: list[dict[str, Any]]


class UIMessageRequest(SettingsIn):
    """The body of a request. Fields of an application's own are ignored, as the AI SDK does."""

    model_config = ConfigDict(extra="ignore")

    id: Name
    messages: list[ClientMessage] = Field(min_length=1)
    trigger: Literal["submit-message", "regenerate-message"] = "submit-message"
    message_id: Name | None = None
    model: ModelName | None = None
    tools: Any = None

    @property
    def question(self) -> ClientMessage:
        return self.messages[-1]

    @property
    def text(self) -> str:
        texts = [part["text"] for part in self.question.parts]
        return replace_unstorable(clean_text(PARAGRAPH.join(texts)))


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in the stream of one reply."""

    stream: UUID
    index: int


def parse_request(body: bytes | str) -> UIMessageRequest:
    """Raises Problem."""
    return _validate(UIMessageRequest.model_validate_json, body)


def parse_fields(fields: dict[str, Any]) -> UIMessageRequest:
    """As `parse_request`, of JSON that was read already. Raises Problem."""
    return _validate(UIMessageRequest.model_validate, fields)


def _validate(read: Callable[[Any], UIMessageRequest], given: object) -> UIMessageRequest:
    try:
        request = read(given)
    except ValidationError as error:
        raise _describe_invalid(error) from None
    _check_question(request)
    return request


def _describe_invalid(error: ValidationError) -> Problem:
    """Name the first wrong field, and never quote its value."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return Problem(400, "bad_request", _("The body is not JSON."))
    field = ".".join(map(str, first["loc"]))[:MAX_FIELD_CHARS]
    text = _("The field “%(field)s” is missing or has a wrong value.")
    return Problem(400, "invalid", text % {"field": field})


def _check_question(request: UIMessageRequest) -> None:
    if request.tools:
        raise Problem(400, "unsupported", _("Tools are not supported. Send no “tools”."))
    if any(message.role == "system" for message in request.messages):
        text = _("Send a system prompt as “systemPrompt” beside the messages.")
        raise Problem(400, "unsupported", text)
    if request.question.role != "user":
        raise Problem(400, "invalid", _("The last message must be one of the user."))
    for part in request.question.parts:
        if part.get("type") != "text":
            text = _("Only text can be sent. A part of the type “%(type)s” is not supported.")
            raise Problem(400, "unsupported", text % {"type": str(part.get("type"))[:100]})
    if not all(isinstance(part.get("text"), str) for part in request.question.parts):
        raise Problem(400, "invalid", _("The text of a message must be a string."))
    if len(request.text) > MAX_MESSAGE_CHARS:
        text = _("This message is too long: at most %(count)d characters can be sent.")
        raise Problem(413, "too_large", text % {"count": MAX_MESSAGE_CHARS})


def parse_position(after: str | None, last_event_id: str) -> Cursor | None:
    """The cursor of a client that has read a part of a reply; None without one. `after` is of the
    address. An id of an event that is not ours counts as none. Raises Problem."""
    given = _parse(after) if after is not None else None
    if after is not None and given is None:
        text = _("“after” must be the id of an event: a stream, a colon and a whole number.")
        raise Problem(400, "bad_cursor", text)
    newer = _parse(last_event_id)
    if given is not None and newer is not None and given.stream == newer.stream:
        return max(given, newer, key=lambda cursor: cursor.index)
    return newer or given


def _parse(text: str) -> Cursor | None:
    match = CURSOR_PATTERN.fullmatch(text)
    index = parse_cursor(match[2]) if match else None
    if match is None or index is None:
        return None
    try:
        return Cursor(UUID(match[1]), index)
    except ValueError:
        return None
