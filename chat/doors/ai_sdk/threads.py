"""Chats under the names that clients give them, and the replies to their messages.

A request is the same one if its chat, its last message and that message's text are, whatever else
it holds. So a client that sends it again, after a lost answer or twice at once, gets the same
reply.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from accounts.models import User
from chat import replies
from chat.api.problems import Problem
from chat.api.replies import apply_given
from chat.doors.ai_sdk.requests import ClientMessage, Cursor, UIMessageRequest
from chat.doors.threads import (
    attach_conversation,
    choose_settings,
    find_thread,
    lock_thread,
    require_known_answers,
)
from chat.models import Conversation, Message
from chat.replies import PagePosition, Reply, ReplySettings
from streaming.models import Stream
from streaming.storable_text import replace_unstorable

DOOR = "ai-sdk"
NAMESPACE = UUID("0a5b3e0c-2f5e-4d64-9c0e-7a1c5b0f9b1d")
REPLAYED_FOR = timedelta(hours=1)
"""How long an ended reply is still sent to a client that resumes. Stock clients name no cursor: one
that lost the connection shortly before the end would keep a part of the text."""


# Finding


def find_conversation(user: User, name: str) -> Conversation | None:
    """None for a name that is new, or that only another person uses. Raises Problem if the chat was
    deleted."""
    thread = find_thread(user, DOOR, replace_unstorable(name))
    return thread.conversation if thread else None


def find_answer(user: User, name: str, cursor: Cursor | None) -> Message | None:
    """The answer that a client can resume: that of the cursor, or the one that runs, or else the
    last one if it ended just now. None if there is none. Raises Problem."""
    answers = _select_answers(find_conversation(user, name))
    if cursor is not None and (read := answers.filter(stream__uuid=cursor.stream).first()):
        return read
    newest = answers.order_by("-stream_id")
    running = newest.filter(stream__ended_at=None).first()
    return running or newest.filter(stream__ended_at__gt=Now() - REPLAYED_FOR).first()


def list_running_streams(user: User, name: str) -> QuerySet[Stream]:
    answers = _select_answers(find_conversation(user, name))
    return Stream.objects.unfinished().filter(pk__in=answers.values("stream"))


def _select_answers(conversation: Conversation | None) -> QuerySet[Message]:
    answers = Message.objects.filter(role=Message.Role.ASSISTANT, stream__isnull=False)
    return answers.filter(conversation=conversation).select_related("stream", "parent")


# Starting


@transaction.atomic
def start_reply(user: User, request: UIMessageRequest) -> Reply:
    """Raises ReplyRejected or Problem."""
    thread = lock_thread(user, DOOR, request.id)
    conversation = thread.conversation
    require_known_answers(conversation, _list_answer_ids(request))
    asked = _find_asked(user, request, conversation)
    if asked is None:
        reply = _ask(user, request, conversation)
    elif request.trigger == "regenerate-message":
        reply = _regenerate(user, request, asked)
    elif asked.question.content == request.text:
        reply = asked
    elif request.message_id == request.question.id:
        reply = _edit(user, request, asked)
    else:
        text = _(
            "The id of this message was used for another text. Use a new id for a new message."
        )
        raise Problem(409, "key_reused", text)
    attach_conversation(thread, reply)
    return reply


def _find_asked(
    user: User, request: UIMessageRequest, conversation: Conversation | None
) -> Reply | None:
    """The reply to the last message, if it was sent before: with this text, with another one, or
    from another client, in which case its id is ours."""
    for id in (_build_edit_id(user, request), _build_id(user, request)):
        if reply := replies.find_reply(user, id):
            return reply
    question_id = _parse_id(request.question)
    answers = _select_answers(conversation).filter(parent=question_id).order_by("created_at", "pk")
    answer = answers.last() if conversation and question_id else None
    if answer is None or answer.parent is None or answer.stream is None:
        return None
    return Reply(answer.conversation, answer.parent, answer, answer.stream)


def _ask(user: User, request: UIMessageRequest, conversation: Conversation | None) -> Reply:
    chosen = choose_settings(user, conversation, request.model or "")
    return replies.start_reply(
        user,
        text=request.text,
        request_id=_build_id(user, request),
        reply_settings=apply_given(user, chosen, request),
        conversation=conversation,
        position=_find_position(conversation, request) if conversation else None,
    )


def _list_answer_ids(request: UIMessageRequest) -> list[UUID | None]:
    """Those before the new message. Clients have our ids, because an answer begins with its id."""
    earlier = request.messages[:-1]
    return [_parse_id(message) for message in earlier if message.role == "assistant"]


def _find_position(conversation: Conversation, request: UIMessageRequest) -> PagePosition | None:
    """The answer before the new message. None, which means the newest one of the chat, if the
    client sends no answer."""
    ids = _list_answer_ids(request)
    if not ids or ids[-1] is None or not conversation.current_leaf_id:
        return None
    return PagePosition(ids[-1], conversation.current_leaf_id)


def _edit(user: User, request: UIMessageRequest, asked: Reply) -> Reply:
    chosen = ReplySettings.from_conversation(asked.conversation, request.model or "")
    return replies.edit_question(
        user,
        question=asked.question,
        text=request.text,
        request_id=_build_edit_id(user, request),
        reply_settings=apply_given(user, chosen, request),
    )


def _regenerate(user: User, request: UIMessageRequest, asked: Reply) -> Reply:
    """Nothing tells a request that was sent twice from a second one. So while a new version is
    being written, the same request means that one."""
    answers = _select_answers(asked.conversation).filter(parent=asked.question)
    ended = answers.exclude(stream__ended_at=None).order_by("created_at", "pk").last()
    last = asked.answer if ended is None else ended
    before = "" if ended is None else str(ended.pk)
    model, provider = (request.model, "") if request.model else (last.model, last.provider)
    chosen = ReplySettings.from_conversation(asked.conversation, model, provider)
    return replies.regenerate_answer(
        user,
        answer=last,
        request_id=_hash(user, "again", str(asked.question.pk), before, request.model or ""),
        reply_settings=apply_given(user, chosen, request),
    )


# Ids


def _build_id(user: User, request: UIMessageRequest) -> UUID:
    return _hash(user, "message", request.id, request.question.id)


def _build_edit_id(user: User, request: UIMessageRequest) -> UUID:
    return _hash(user, "edit", request.id, request.question.id, request.text)


def _hash(user: User, *parts: str) -> UUID:
    lengths = ",".join(str(len(part)) for part in parts)  # so that no two lists are one text
    return uuid5(NAMESPACE, f"{user.pk} {lengths} {' '.join(parts)}")


def _parse_id(message: ClientMessage) -> UUID | None:
    try:
        return UUID(message.id) if len(message.id) == 36 else None
    except ValueError:
        return None
