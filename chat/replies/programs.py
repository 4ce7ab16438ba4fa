"""Replies that programs ask for. A program sends the turns of a conversation, or only the newest of
them, and the model is sent just these."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from chat.deleted_sizes import remember_other_chars
from chat.models import Conversation, Message
from chat.replies import limits
from chat.replies.creation import (
    Reply,
    build_first_title,
    create_answer,
    enforce_limits,
    lock_conversation,
    once_per_request,
)
from chat.replies.errors import DELETED_QUESTION, EMPTY_MESSAGE, ReplyRejected
from chat.replies.handler import EXACT, TOOLS, VERBOSITY
from chat.replies.limits import ROW_CHARS
from chat.replies.settings import ReplySettings, require_model, validate_settings
from chat.tool_parts.storage import save_tools
from streaming.providers.tools import Tools
from streaming.providers.types import Turn

TEMPORARY_AT_MOST = timedelta(days=1)
"""A temporary conversation without any ended reply is deleted then; a running one never is."""


@once_per_request
def answer_turns(
    user: User,
    *,
    turns: Sequence[Turn],
    request_id: UUID,
    reply_settings: ReplySettings,
    door: str,
    conversation: Conversation | None = None,
    parent_id: UUID | None = None,
    is_temporary: bool = False,
    other_chars: int = 0,
    tools: Tools | None = None,
    verbosity: str = "",
) -> Reply:
    """Ask the last turn, after the others: in a new conversation of this door, or in an existing
    one, below a message or at its end. `other_chars` are those that the door stores beside it, and
    deletes with the answer. The model may call the `tools`. Only models that know it take a
    `verbosity`. Raises ReplyRejected."""
    if not turns or turns[-1].role != "user":
        raise ReplyRejected("no_question", _("The last message must be one of the user."))
    if turns[-1].is_empty:
        raise ReplyRejected("empty", EMPTY_MESSAGE)
    arguments: dict[str, Any] = {EXACT: True}
    arguments |= {TOOLS: tools.to_json()} if tools else {}
    arguments |= {VERBOSITY: verbosity} if verbosity else {}
    other_chars += len(json.dumps(arguments))
    arguments[limits.OTHER_CHARS] = other_chars
    model = require_model(user, reply_settings.model, reply_settings.provider)
    fitted = validate_settings(reply_settings, model)
    size = sum(turn.length for turn in turns)
    title = build_first_title(next((turn.text for turn in reversed(turns) if turn.text), ""))
    with transaction.atomic():
        into = lock_conversation(user, conversation.pk, request_id) if conversation else None
        if into and parent_id and not into.messages.filter(pk=parent_id).exists():
            raise ReplyRejected("deleted", DELETED_QUESTION)
        others = other_chars + ROW_CHARS * (count_turn_rows(turns) - 1)
        enforce_limits(user, request_id, size + len(fitted.system_prompt) + others)
        remember_other_chars(user.pk, others)
        into = into or _create_conversation(user, title, door, is_temporary)
        into.title = into.title or title
        question = create_history(into, parent_id or into.current_leaf_id, turns)[-1]
        limits.add_stored_chars(into, other_chars)
        return create_answer(into, question, request_id, fitted, model, size, **arguments)


def count_turn_rows(turns: Sequence[Turn]) -> int:
    """Each tool call and each output has a row beside that of its message."""
    return sum(1 + len(turn.calls) + len(turn.outputs) for turn in turns)


def _create_conversation(user: User, title: str, door: str, is_temporary: bool) -> Conversation:
    return Conversation.objects.create(
        user=user,
        title=title,
        door=door,
        expires_at=timezone.now() + TEMPORARY_AT_MOST if is_temporary else None,
    )


def create_history(
    conversation: Conversation,
    parent_id: UUID | None,
    turns: Sequence[Turn],
    ids: Sequence[UUID] = (),
) -> list[Message]:
    """Write turns as messages, each below the one before. `ids` are theirs, if they are given. The
    caller saves the conversation, and counts the text."""
    limits.add_stored_chars(conversation, 0, rows=len(turns))
    messages: list[Message] = []
    for turn, id in zip(turns, ids or [uuid4() for _turn in turns], strict=True):
        message = Message(
            id=id,
            conversation=conversation,
            parent_id=messages[-1].pk if messages else parent_id,
            role=turn.role,
            content=turn.text,
            is_complete=True,
        )
        messages.append(message)
    created = Message.objects.bulk_create(messages)
    save_tools(zip(created, turns, strict=True))
    return created


def add_turns(
    user: User,
    conversation: Conversation,
    turns: Sequence[Turn],
    other_chars: int = 0,
    ids: Sequence[UUID] = (),
    *,
    replaced_chars: int = 0,
) -> list[Message]:
    """Write turns at the end of a conversation, without an answer. `other_chars` are those that the
    door stores beside them, in place of `replaced_chars`, and `ids` those of the messages, if they
    are given. Raises ReplyRejected."""
    size = sum(turn.length for turn in turns)
    with transaction.atomic():
        into = lock_conversation(user, conversation.pk, uuid4())
        count_rows(user, size + other_chars, max(1, count_turn_rows(turns)))
        messages = create_history(into, into.current_leaf_id, turns, ids)
        if messages:
            into.current_leaf = messages[-1]
            into.title = into.title or build_first_title(messages[0].content)
        limits.add_stored_chars(into, size + other_chars - replaced_chars)
        into.save(update_fields=["current_leaf", "title", "stored_chars"])
    return messages


@transaction.atomic
def count_rows(user: User, chars: int, rows: int = 1) -> None:
    """Count what a program stores without a reply. Raises ReplyRejected if that is too much."""
    size = chars + ROW_CHARS * rows
    enforce_limits(user, uuid4(), size)
    remember_other_chars(user.pk, size)
