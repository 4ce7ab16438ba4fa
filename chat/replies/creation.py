"""Start a reply, or write one again.

Each function writes the question, the answer and the queued stream in one transaction. After a
crash, whatever a page has shown is in the database. The same request twice is one reply, also when
both arrive at once or one after a crash.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from accounts.models import User
from chat import changes
from chat.models import MAX_FIRST_TITLE_CHARS, Conversation, Message
from chat.replies import errors, limits
from chat.replies.errors import ReplyRejected
from chat.replies.handler import SOURCE
from chat.replies.settings import ReplySettings, require_model, validate_settings
from streaming import lifecycle
from streaming.models import Stream
from streaming.providers import catalog

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Reply:
    """A question and its answer, whose text comes from the stream."""

    conversation: Conversation
    question: Message
    answer: Message
    stream: Stream


@dataclass(frozen=True, slots=True)
class PagePosition:
    """The message that a page ends with, and the conversation's leaf when the page was made. They
    differ if the reader went back to another branch on purpose."""

    parent_id: UUID
    known_leaf_id: UUID


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
        if existing := find_reply(user, request_id):
            return existing
        try:
            return create_reply(user, *args, **kwargs)
        except (IntegrityError, DuplicateRequest):
            if existing := find_reply(user, request_id):
                return existing
            raise

    return wrapper


@once_per_request
def start_reply(
    user: User,
    *,
    text: str,
    request_id: UUID,
    reply_settings: ReplySettings,
    conversation: Conversation | None = None,
    position: PagePosition | None = None,
) -> Reply:
    """Ask a question, in a conversation or in a new one. While another reply of the conversation
    runs, this one waits in its lane. Raises ReplyRejected, with the code `moved` if the
    conversation continued after the page was loaded."""
    model = require_model(user, reply_settings.model, reply_settings.provider)
    fitted = validate_settings(reply_settings, model)
    size = len(text) + len(fitted.system_prompt)
    with transaction.atomic():
        into = lock_conversation(user, conversation.pk, request_id) if conversation else None
        parent_id = _resolve_parent_id(into, position) if into else None
        enforce_limits(user, request_id, size)
        into = into or Conversation.objects.create(user=user, title=build_first_title(text))
        question = create_question(into, parent_id, text)
        return create_answer(into, question, request_id, fitted, model, len(text))


@once_per_request
def edit_question(
    user: User, *, question: Message, text: str, request_id: UUID, reply_settings: ReplySettings
) -> Reply:
    """Another version of the question, with its own answer. The old versions stay. Raises
    ReplyRejected."""
    model = require_model(user, reply_settings.model, reply_settings.provider)
    fitted = validate_settings(reply_settings, model)
    with transaction.atomic():
        conversation = lock_conversation(user, question.conversation_id, request_id)
        enforce_limits(user, request_id, len(text) + len(fitted.system_prompt))
        parent_id = read_again(conversation, question).parent_id
        version = create_question(conversation, parent_id, text)
        return create_answer(conversation, version, request_id, fitted, model, len(text))


@once_per_request
def regenerate_answer(
    user: User, *, answer: Message, request_id: UUID, reply_settings: ReplySettings
) -> Reply:
    """Another version of the answer, from the same model or another. The old versions stay. Raises
    ReplyRejected."""
    model = require_model(user, reply_settings.model, reply_settings.provider)
    fitted = validate_settings(reply_settings, model)
    with transaction.atomic():
        conversation = lock_conversation(user, answer.conversation_id, request_id)
        enforce_limits(user, request_id, len(fitted.system_prompt))
        question = read_again(conversation, answer).parent
        if question is None:
            raise ReplyRejected("deleted", errors.DELETED_QUESTION)
        return create_answer(conversation, question, request_id, fitted, model)


def build_first_title(text: str) -> str:
    return " ".join(text.split())[:MAX_FIRST_TITLE_CHARS]


def find_reply(user: User, request_id: UUID) -> Reply | None:
    """The reply that this request has created. None if there is none, or if it was deleted."""
    stream = Stream.objects.owned_by(user).filter(request_id=request_id).first()
    if stream is None:
        return None
    answers = Message.objects.select_related("conversation", "stream", "parent")
    answer = answers.filter(pk=stream.arguments["message"]).first()
    if answer is None or answer.parent is None:
        return None
    return Reply(answer.conversation, answer.parent, answer, stream)


def lock_conversation(user: User, conversation_id: UUID, request_id: UUID) -> Conversation:
    rows = Conversation.objects.select_for_update().filter(pk=conversation_id, deleted_at=None)
    conversation = rows.first()
    if conversation is None:
        raise ReplyRejected("deleted", _("This chat was deleted."))
    raise_if_stored(user, request_id)
    return conversation


def raise_if_stored(user: User, request_id: UUID) -> None:
    """Raises DuplicateRequest. Only under a lock does the answer stay true."""
    if Stream.objects.owned_by(user).filter(request_id=request_id).exists():
        raise DuplicateRequest


def read_again(conversation: Conversation, message: Message) -> Message:
    """A message as it is under the lock. A program may have deleted it since it was read, or the
    one before it, whose place it then took. Raises ReplyRejected."""
    rows = conversation.messages.select_related("stream", "parent")
    found = rows.filter(pk=message.pk).first()
    if found is None:
        raise ReplyRejected("deleted", _("This message was deleted."))
    return found


def _resolve_parent_id(conversation: Conversation, position: PagePosition | None) -> UUID | None:
    if position is None:
        return conversation.current_leaf_id
    if position.known_leaf_id != conversation.current_leaf_id:
        raise ReplyRejected(errors.CONVERSATION_MOVED.code, errors.CONVERSATION_MOVED.message)
    answers = conversation.messages.filter(role=Message.Role.ASSISTANT)
    if not answers.filter(pk=position.parent_id).exists():
        raise ReplyRejected("nowhere", errors.PAGE_OUT_OF_DATE)
    return position.parent_id


def create_question(conversation: Conversation, parent_id: UUID | None, text: str) -> Message:
    if not text.strip():
        raise ReplyRejected("empty", errors.EMPTY_MESSAGE)
    limits.add_stored_chars(conversation, 0, rows=1)
    return Message.objects.create(
        conversation=conversation,
        parent_id=parent_id,
        role=Message.Role.USER,
        content=text,
        is_complete=True,
    )


def create_answer(
    conversation: Conversation,
    question: Message,
    request_id: UUID,
    reply_settings: ReplySettings,
    model: catalog.Model,
    question_chars: int = 0,
    **arguments: Any,
) -> Reply:
    """An empty answer with its queued stream, as the conversation's leaf. `question_chars` is the
    length of a question that is new. The limits were enforced before. Raises ReplyRejected."""
    user = conversation.user
    size = question_chars + len(reply_settings.system_prompt)
    paying = limits.find_connection(user, model)
    chars = size + len(json.dumps(arguments))  # with the definitions of tools
    reserved = limits.reserve_use(conversation, paying, model, reply_settings.max_tokens, chars)
    answer = Message(
        conversation=conversation,
        parent=question,
        role=Message.Role.ASSISTANT,
        model=model.id,
        provider=model.provider,
    )
    answer.stream = lifecycle.enqueue(
        owner=user,
        request_id=request_id,
        source=SOURCE,
        arguments=build_arguments(answer, reply_settings) | reserved | arguments,
        lane=str(conversation.pk),
        pool=limits.select_pool(model, paying),
        size=size,
    )
    answer.save(force_insert=True)
    reply_settings.apply_to(conversation)
    limits.add_stored_chars(conversation, size, rows=1)
    conversation.current_leaf = answer
    conversation.status = Conversation.ReplyStatus.STREAMING
    conversation.updated_at = Now()
    conversation.save()
    conversation.refresh_from_db(fields=["updated_at"])
    changes.announce(conversation)
    return Reply(conversation, question, answer, answer.stream)


def build_arguments(answer: Message, reply_settings: ReplySettings) -> dict[str, Any]:
    """Facts for the details of a reply are added later. Those of an earlier stream are not taken
    over."""
    return {"message": str(answer.pk), **reply_settings.to_json()}


def enforce_limits(user: User, request_id: UUID, size: int) -> None:
    """Raises ReplyRejected if the user asks for too much. A repeated request counts once. Call it
    before the text is written: a refused one may be half a megabyte."""
    allowed = limits.lock_user(user)
    raise_if_stored(user, request_id)
    replies = Stream.objects.owned_by(user).filter(source=SOURCE)
    if sentence := limits.find_exceeded_limit(user, allowed, replies, size):
        raise ReplyRejected("too_much", sentence)
