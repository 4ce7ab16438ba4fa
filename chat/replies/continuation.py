"""Continue a reply that was cut: a new stream for the same message."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from accounts.models import User
from chat import changes
from chat.models import Conversation, Message
from chat.replies import errors, limits
from chat.replies.consumption import count_continued_chars
from chat.replies.creation import (
    Reply,
    build_arguments,
    enforce_limits,
    lock_conversation,
    once_per_request,
    read_again,
)
from chat.replies.errors import ReplyRejected
from chat.replies.handler import SOURCE
from chat.replies.settings import ReplySettings, require_model
from streaming import lifecycle
from streaming.events import StreamText
from streaming.models import State


@once_per_request
def continue_reply(user: User, *, answer: Message, request_id: UUID) -> Reply:
    """Continue a stopped, truncated or interrupted reply: a new stream for the same message, which
    begins with the text so far. Raises ReplyRejected."""
    if answer.role != Message.Role.ASSISTANT:
        raise ReplyRejected("not_cut", _("This is a question. Only a reply can be continued."))
    if answer.stream_id is None:  # a program has written it
        raise ReplyRejected("not_cut", errors.COMPLETE_REPLY)
    model = require_model(user, answer.model, answer.provider)
    with transaction.atomic():
        conversation = lock_conversation(user, answer.conversation_id, request_id)
        answer = read_again(conversation, answer)
        if answer.stream is None or answer.parent is None or not can_continue(answer):
            raise ReplyRejected("not_cut", errors.COMPLETE_REPLY)
        stored = ReplySettings.from_json(answer.stream.arguments)
        chosen = replace(stored, model=model.id, provider=model.provider)
        size = len(answer.content) + len(answer.reasoning) + len(conversation.system_prompt)
        enforce_limits(user, request_id, size)
        paying = limits.find_connection(user, model)
        reserved = limits.reserve_use(conversation, paying, model, chosen.max_tokens, size)
        answer.stream = lifecycle.enqueue(
            owner=user,
            request_id=request_id,
            source=SOURCE,
            arguments=build_arguments(answer, chosen)
            | reserved
            | count_continued_chars(answer.content, answer.reasoning),
            lane=str(conversation.pk),
            pool=limits.select_pool(model, paying),
            size=size,
            continues=answer.stream,
            text=StreamText(answer.content, answer.reasoning, tuple(answer.seams)),
        )
        answer.is_complete, answer.finish_reason = False, ""
        answer.save(update_fields=["stream", "is_complete", "finish_reason"])
        conversation.status = Conversation.ReplyStatus.STREAMING
        conversation.updated_at = Now()
        limits.add_stored_chars(conversation, len(chosen.system_prompt), rows=1)
        conversation.save(update_fields=["status", "updated_at", "stored_chars"])
        changes.announce(conversation)
        return Reply(conversation, answer.parent, answer, answer.stream)


def can_continue(answer: Message) -> bool:
    if answer.stream is None or not answer.content:
        return False
    state = State(answer.stream.state)
    return state in (State.STOPPED, State.INTERRUPTED) or (
        state == State.COMPLETED and answer.finish_reason == "length"
    )
