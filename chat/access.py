"""Who may see what: the owner. What is not yours answers like what does not exist."""

from __future__ import annotations

from uuid import UUID

from django.shortcuts import get_object_or_404

from accounts.models import User
from chat.models import Conversation, Message
from streaming.models import Stream


def conversation_or_404(user: User, id: UUID) -> Conversation:
    return get_object_or_404(Conversation, user=user, id=id)


def message_or_404(user: User, id: UUID) -> Message:
    messages = Message.objects.select_related("conversation", "stream")
    return get_object_or_404(messages, conversation__user=user, id=id)


def question_or_404(user: User, id: UUID) -> Message:
    messages = Message.objects.select_related("conversation", "stream")
    questions = messages.filter(role=Message.Role.USER)
    return get_object_or_404(questions, conversation__user=user, id=id)


def stream_or_404(user: User, uuid: UUID) -> Stream:
    return get_object_or_404(Stream.objects.owned_by(user), uuid=uuid)
