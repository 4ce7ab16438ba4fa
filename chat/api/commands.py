"""Sending and continuing through the socket: the same as the POST of the JSON API, in one frame.

See docs/protocol.md. The fields of a frame are those of the body of the POST, beside `type`,
`request`, which is the idempotency key, and `conversation` or `message`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404
from pydantic import BaseModel, ValidationError

from accounts.models import User
from accounts.tokens.models import Scope
from chat import access, conversations, replies
from chat.api import schemas
from chat.api.auth import authenticate_socket
from chat.api.idempotency import run_once
from chat.api.problems import Problem, build_invalid, build_not_found, from_rejection
from chat.api.replies import start_reply
from chat.replies import Reply, ReplyRejected
from streaming.doors.commands import ClientCommand, Fields, register_command
from streaming.doors.credentials import Credential
from streaming.doors.frames import FrameRejected

REPLY = "reply"
ENVELOPE = frozenset({"type", "request", "conversation"})
"""The fields of a `send` that are not those of the body."""
MAX_SHOWN_ERRORS = 5
MAX_FIELD_CHARS = 100

Command = Callable[[Any, Credential, Fields], Fields]
Body = TypeVar("Body", bound=BaseModel)


class Continuation(schemas.ApiSchema):
    """The body of a `continue`."""

    message: UUID


def reject_by_frame(run: Callable[[User, Fields], Reply]) -> Command:
    """Make a command of a function that takes the user, and raises what the API answers."""

    @wraps(run)
    def command(user: Any, credential: Credential, fields: Fields) -> Fields:
        try:
            return describe_reply(run(authenticate_socket(user, credential, Scope.WRITE), fields))
        except ReplyRejected as rejection:
            raise _to_frame(from_rejection(rejection)) from None
        except (Http404, ObjectDoesNotExist):  # the latter was deleted meanwhile
            raise _to_frame(build_not_found()) from None
        except Problem as problem:
            raise _to_frame(problem) from None

    return command


def _to_frame(problem: Problem) -> FrameRejected:
    details: dict[str, Any] = {"errors": list(problem.errors)} if problem.errors else {}
    if seconds := problem.headers.get("Retry-After"):
        details["retry_after"] = int(seconds)
    return FrameRejected(problem.code, str(problem.detail), details=details)


@reject_by_frame
def send(user: User, fields: Fields) -> Reply:
    """Ask a question, in a conversation or in a new one."""
    body_fields = {name: value for name, value in fields.items() if name not in ENVELOPE}
    id = _parse_conversation(fields)
    body: schemas.MessageIn | schemas.ConversationIn
    if id is None:
        body, conversation = _validate(schemas.ConversationIn, body_fields), None
    else:
        body = _validate(schemas.MessageIn, body_fields)
        conversation = access.get_conversation_or_404(user, id)
    with run_once(user, fields["request"], _describe(fields)) as once:
        reply = start_reply(user, body, once.id, conversation)
        if isinstance(body, schemas.ConversationIn) and body.title and not once.is_repeated:
            conversations.rename(reply.conversation, body.title)
    return reply


@reject_by_frame
def continue_answer(user: User, fields: Fields) -> Reply:
    """Continue an answer that was stopped, interrupted or cut."""
    rest = {name: value for name, value in fields.items() if name not in ("type", "request")}
    answer = access.get_message_or_404(user, _validate(Continuation, rest).message)
    with run_once(user, fields["request"], _describe(fields)) as once:
        return replies.continue_reply(user, answer=answer, request_id=once.id)


def describe_reply(reply: Reply) -> Fields:
    return {
        "conversation": str(reply.conversation.pk),
        "question": str(reply.question.pk),
        "message": str(reply.answer.pk),
        "stream": str(reply.stream.uuid),
    }


def _parse_conversation(fields: Fields) -> UUID | None:
    named = fields.get("conversation")
    if named is None:
        return None
    try:
        return UUID(named)
    except (AttributeError, TypeError, ValueError):
        errors = [{"field": "conversation", "message": "It must be a UUID."}]
        raise build_invalid(errors) from None


def _validate(schema: type[Body], fields: Mapping[str, Any]) -> Body:
    try:
        return schema.model_validate(fields)
    except ValidationError as error:
        errors = [
            {
                "field": ".".join(map(str, one["loc"]))[:MAX_FIELD_CHARS] or "frame",
                "message": one["msg"],
            }
            for one in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise build_invalid(errors[:MAX_SHOWN_ERRORS]) from None


def _describe(fields: Fields) -> bytes:
    """The frame, however its fields are ordered."""
    return json.dumps(fields, sort_keys=True).encode()


def register_commands() -> None:
    register_command("send", ClientCommand(run=send, answer=REPLY))
    register_command("continue", ClientCommand(run=continue_answer, answer=REPLY))
