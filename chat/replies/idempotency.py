"""The same request twice is one reply, also when both arrive at once or one after a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from uuid import UUID

from django.db import IntegrityError

from accounts.models import User
from chat.models import Conversation, Message
from streaming.models import Stream

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Reply:
    """A question and its answer, whose text comes from the stream."""

    conversation: Conversation
    question: Message
    answer: Message
    stream: Stream


class DuplicateRequest(Exception):
    """Another process stored the same request first; raised under a lock."""


def once_per_request(
    create_reply: Callable[Concatenate[User, P], Reply],
) -> Callable[Concatenate[User, P], Reply]:
    """Make a function that creates a reply idempotent by its user and its `request_id`. It has to
    write in one transaction, which is rolled back if another process was faster."""

    @wraps(create_reply)
    def wrapper(user: User, /, *args: P.args, **kwargs: P.kwargs) -> Reply:
        request_id = cast(UUID, kwargs["request_id"])
        if existing := find_existing(user, request_id):
            return existing
        try:
            return create_reply(user, *args, **kwargs)
        except (IntegrityError, DuplicateRequest):
            if existing := find_existing(user, request_id):
                return existing
            raise

    return wrapper


def find_existing(user: User, request_id: UUID) -> Reply | None:
    """The reply that an earlier request with this id created."""
    stream = Stream.objects.owned_by(user).filter(request_id=request_id).first()
    if stream is None:
        return None
    answers = Message.objects.select_related("conversation", "stream", "parent")
    answer = answers.filter(pk=stream.arguments["message"]).first()
    if answer is None or answer.parent is None:
        return None
    return Reply(answer.conversation, answer.parent, answer, stream)


def raise_if_stored(user: User, request_id: UUID) -> None:
    """Raises DuplicateRequest. Only under a lock does the answer stay true."""
    if Stream.objects.owned_by(user).filter(request_id=request_id).exists():
        raise DuplicateRequest
