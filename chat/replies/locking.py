"""The lock under which a conversation changes, and the facts that are only true under it."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext as _

from accounts.models import User
from chat.models import Conversation, Message
from chat.replies.errors import ReplyRejected
from streaming.models import Stream


class DuplicateRequest(Exception):
    """Another process stored the same request first; raised under a lock."""


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
