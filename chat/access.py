"""Access to conversations, messages, streams and webhooks: only their owner has it. For anybody
else they don't exist."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404

from accounts.models import User
from chat.conversations.actions import is_restorable
from chat.models import Conversation, Message, Webhook, WebhookDelivery
from streaming.models import Stream


def get_conversation_or_404(user: User, id: UUID) -> Conversation:
    return get_object_or_404(Conversation.objects.owned_by(user), id=id)


def get_deleted_or_404(user: User, id: UUID) -> Conversation:
    return get_object_or_404(_select_deleted(user), id=id)


def find_deleted(user: User, id: UUID) -> Conversation | None:
    return _select_deleted(user).filter(id=id).first()


def get_message_or_404(user: User, id: UUID) -> Message:
    return get_object_or_404(_select_messages(user), id=id)


def get_question_or_404(user: User, id: UUID) -> Message:
    return get_object_or_404(_select_messages(user).filter(role=Message.Role.USER), id=id)


def get_stream_or_404(user: User, uuid: UUID) -> Stream:
    return get_object_or_404(Stream.objects.owned_by(user), uuid=uuid)


def get_webhook_or_404(user: User, id: UUID) -> Webhook:
    return get_object_or_404(Webhook.objects.owned_by(user), id=id)


def get_delivery_or_404(user: User, id: UUID) -> WebhookDelivery:
    return get_object_or_404(WebhookDelivery.objects.owned_by(user), id=id)


def _select_deleted(user: User) -> QuerySet[Conversation]:
    return Conversation.objects.deleted_by(user).filter(is_restorable())


def _select_messages(user: User) -> QuerySet[Message]:
    return Message.objects.owned_by(user).select_related("conversation", "stream")
