"""Removes responses, and single messages of conversations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from chat import conversations
from chat.api.problems import Problem
from chat.deleted_sizes import remember_sizes
from chat.doors.gateway.models import GatewayConversation, GatewayResponse
from chat.models import Conversation, Message
from chat.replies import limits
from chat.tool_parts.storage import load_tools
from streaming import journal, lifecycle
from streaming.models import Stream


def remove_response(row: GatewayResponse) -> None:
    """Stop the reply, and delete it with the messages of its request, unless others continue it.
    The last response of a conversation takes the conversation with it, if no program has made that
    by its own request."""
    while not _remove_stopped(row):
        lifecycle.stop(row.stream_id)
        lifecycle.stop(_find_stream_id(row))  # another door may have continued the reply


def _remove_stopped(row: GatewayResponse) -> bool:
    """False if the reply runs. Under the lock nobody continues it, so none is deleted that runs."""
    with transaction.atomic():
        conversation = Conversation.objects.select_for_update().get(pk=row.conversation_id)
        if Stream.objects.unfinished().filter(pk__in=[row.stream_id, _find_stream_id(row)]):
            return False
        others = conversation.gateway_responses.exclude(pk=row.pk)
        has_others = others.exists()
        is_named = GatewayConversation.objects.filter(conversation=conversation).exists()
        if has_others or is_named:
            messages = _find_own_messages(row)
            row.delete()
            _remove(conversation, messages)
        else:
            # Under the lock, so that no response is accepted there and then deleted, too.
            Conversation.objects.filter(pk=conversation.pk).update(deleted_at=Now())
    if not has_others and not is_named:
        conversations.soft_delete(conversation)
    return True


def _find_stream_id(row: GatewayResponse) -> int:
    """The stream of the answer as it is now."""
    answer = Message.objects.filter(pk=row.answer_id).first()
    return answer.stream_id if answer and answer.stream_id else row.stream_id


def remove_message(conversation: Conversation, message: Message) -> None:
    """Those that follow it then follow the one before. Raises Problem for a running reply,
    and DoesNotExist."""
    with transaction.atomic():
        conversation = Conversation.objects.select_for_update().get(pk=conversation.pk)
        # Another request may have deleted it, or the one before it, since it was found.
        message = conversation.messages.select_related("stream").get(pk=message.pk)
        if message.stream is not None and message.stream.ended_at is None:
            raise Problem(409, "running", _("This reply is running. Cancel its response first."))
        message.children.update(parent=message.parent_id)
        _remove(conversation, [message])


def _find_own_messages(row: GatewayResponse) -> list[Message]:
    """The answer and the messages of the request before it, the last one first, up to one that is
    continued elsewhere."""
    messages = Message.objects.filter(conversation=row.conversation_id)
    parents = dict(messages.values_list("pk", "parent"))
    child_counts = Counter(parents.values())
    found: list[UUID] = []
    at: UUID | None = row.answer_id
    # The answer must have no child, and each other message only the one that was found before.
    while at in parents and len(found) <= row.input_count and child_counts[at] == bool(found):
        found.append(at)
        at = parents[at]
    rows = messages.select_related("stream").in_bulk(found)
    return [rows[id] for id in found]


def _remove(conversation: Conversation, messages: Sequence[Message]) -> None:
    """The last one comes first, and nothing follows them. The caller has locked the
    conversation."""
    if not messages:
        return
    removed = [message.pk for message in messages]
    if conversation.current_leaf_id in removed:
        conversation.current_leaf_id = messages[-1].parent_id
    size = sum(len(message.content) + len(message.reasoning) for message in messages)
    size += sum(tools.length for tools in load_tools(removed).values())
    streams = _find_streams(messages)
    size += limits.count_chars_of_streams(streams)
    limits.add_stored_chars(conversation, -size, rows=-len(messages))
    conversation.save(update_fields=["current_leaf", "stored_chars"])
    for stream in streams:
        remember_sizes(stream.uuid, conversation.user_id, Stream.objects.filter(pk=stream.pk))
    Message.objects.filter(pk__in=removed).delete()
    journal.delete_streams(stream.pk for stream in streams)


def _find_streams(messages: Sequence[Message]) -> list[Stream]:
    """A reply that was continued has several, and each holds its text up to there."""
    found: dict[int, Stream] = {}
    wanted = {message.stream_id for message in messages if message.stream_id}
    while wanted:
        rows = Stream.objects.in_bulk(wanted)
        found |= rows
        wanted = {row.continues_id for row in rows.values() if row.continues_id} - found.keys()
    return list(found.values())
