"""Removes responses, and single messages of conversations."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from chat import conversations
from chat.api.problems import Problem
from chat.deleted_sizes import remember_sizes
from chat.doors.gateway.models import GatewayConversation, GatewayResponse
from chat.models import Conversation, Message
from chat.replies import limits
from streaming import journal, lifecycle
from streaming.models import Stream


def remove_response(row: GatewayResponse) -> None:
    """Stop the reply, and delete it with the messages of its request, unless others continue it.
    The last response of a conversation takes the conversation with it, if no program has made that
    by its own request."""
    lifecycle.stop(row.stream_id)
    with transaction.atomic():
        conversation = Conversation.objects.select_for_update().get(pk=row.conversation_id)
        others = conversation.gateway_responses.exclude(pk=row.pk)
        has_others = others.exists()
        is_named = GatewayConversation.objects.filter(conversation=conversation).exists()
        if has_others or is_named:
            messages = _find_own_messages(row)
            row.delete()
            _remove(conversation, messages)
    if not has_others and not is_named:
        conversations.soft_delete(conversation)


def remove_message(conversation: Conversation, message: Message) -> None:
    """Those that follow it then follow the one before. Raises Problem for a running reply."""
    with transaction.atomic():
        conversation = Conversation.objects.select_for_update().get(pk=conversation.pk)
        if message.stream is not None and message.stream.ended_at is None:
            raise Problem(409, "running", _("This reply is running. Cancel its response first."))
        message.children.update(parent=message.parent_id)
        _remove(conversation, [message])


def _find_own_messages(row: GatewayResponse) -> list[Message]:
    """The answer and the messages of the request before it, the last one first, up to one that is
    continued elsewhere."""
    found: list[Message] = []
    message: Message | None = Message.objects.select_related("parent").get(pk=row.answer_id)
    while message is not None and len(found) <= row.input_count:
        if message.children.exclude(pk__in=[one.pk for one in found]).exists():
            break
        found.append(message)
        message = message.parent
    return found


def _remove(conversation: Conversation, messages: Sequence[Message]) -> None:
    """The last one comes first, and nothing follows them. The caller has locked the
    conversation."""
    if not messages:
        return
    removed = [message.pk for message in messages]
    if conversation.current_leaf_id in removed:
        conversation.current_leaf_id = messages[-1].parent_id
    size = sum(len(message.content) + len(message.reasoning) for message in messages)
    limits.add_stored_chars(conversation, -size)
    conversation.save(update_fields=["current_leaf", "stored_chars"])
    streams = [message.stream for message in messages if message.stream is not None]
    for stream in streams:
        remember_sizes(stream.uuid, conversation.user_id, Stream.objects.filter(pk=stream.pk))
    Message.objects.filter(pk__in=removed).delete()
    journal.delete_streams(stream.pk for stream in streams)
