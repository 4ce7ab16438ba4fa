"""Access: only owners see their objects. To others an object looks as if it did not exist."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404

from accounts.models import User
from chat.models import Conversation, Message
from streaming.models import Stream


def get_conversation_or_404(user: User, id: UUID) -> Conversation:
    return get_object_or_404(Conversation.objects.owned_by(user), id=id)


def get_deleted_or_404(user: User, id: UUID) -> Conversation:
    """One that was deleted just now, and can still be had back."""
    gone = Conversation.objects.filter(user=user).exclude(deleted_at=None)
    return get_object_or_404(gone, id=id)


def get_message_or_404(user: User, id: UUID) -> Message:
    return get_object_or_404(_select_messages(user), id=id)


def get_question_or_404(user: User, id: UUID) -> Message:
    return get_object_or_404(_select_messages(user).filter(role=Message.Role.USER), id=id)


def _select_messages(user: User) -> QuerySet[Message]:
    mine = Message.objects.filter(conversation__user=user, conversation__deleted_at=None)
    return mine.select_related("conversation", "stream")


def get_stream_or_404(user: User, uuid: UUID) -> Stream:
    return get_object_or_404(Stream.objects.owned_by(user), uuid=uuid)
