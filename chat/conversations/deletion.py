"""Deletes conversations in small batches, so that on SQLite no other writer waits for long; and
registers how the data of this application is deleted with an account and with a conversation."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from accounts.deletion.registry import (
    DataKind,
    Stage,
    delete_rows,
    delete_selected,
    list_kinds,
    register_data,
    register_model_without_account,
)
from chat import changes
from chat.deleted_sizes import remember_sizes
from chat.doors.durable_streams.space import delete_batch as delete_durable_streams
from chat.models import (
    ClientThread,
    ContentGrant,
    Conversation,
    DeletedSize,
    Draft,
    GatewayConversation,
    GatewayResponse,
    IdempotentRequest,
    Message,
    Webhook,
    WebhookDelivery,
)
from chat.replies import titles
from streaming import journal, lifecycle
from streaming.models import Stream, StreamQuerySet

ROWS_PER_BATCH = 500
MESSAGES_PER_BATCH = 100
"""A message may have 400,000 characters."""


def delete(conversation: Conversation) -> None:
    """Delete the conversation and everything that hangs on it. It is hidden first. If the process
    dies meanwhile, `purge_deleted` continues."""
    with transaction.atomic():
        # Under the lock no new stream can be queued here, and none is queued afterwards.
        row = Conversation.objects.select_for_update().filter(pk=conversation.pk)
        if row.values_list("deleted_at", flat=True).first() is None:
            row.update(deleted_at=Now())
    stop_streams(conversation)
    remember_sizes(conversation.pk, conversation.user_id, _select_streams(conversation))
    for kind in list_kinds():
        while kind.delete_of_conversation and kind.delete_of_conversation(
            conversation.pk, ROWS_PER_BATCH
        ):
            pass
    changes.bump_revision(conversation.user_id)


def stop_streams(conversation: Conversation) -> None:
    for stream_id in _select_streams(conversation).unfinished().values_list("id", flat=True):
        lifecycle.stop(stream_id)


def _select_streams(conversation: Conversation) -> StreamQuerySet:
    """Replies and titles. The owner is named because that column has an index for ended streams."""
    lanes = (str(conversation.pk), titles.get_title_lane(conversation))
    return Stream.objects.filter(owner_id=conversation.user_id, lane__in=lanes)


def _delete_streams(conversation_id: UUID, limit: int) -> int:
    conversation = Conversation.objects.filter(pk=conversation_id).only("user_id").first()
    if conversation is None:
        return 0
    return journal.delete_batch(_select_streams(conversation), limit)


def _delete_messages(messages: QuerySet[Message], limit: int) -> int:
    """Messages in any order: a deleted one would otherwise take all that follow it with it."""
    keys = list(messages.values_list("pk", flat=True)[: min(limit, MESSAGES_PER_BATCH)])
    with transaction.atomic():
        Message.objects.filter(parent__in=keys).exclude(pk__in=keys).update(parent=None)
        delete_rows(Message.objects.filter(pk__in=keys), len(keys))
    return len(keys)


KINDS = (
    DataKind(
        "messages",
        Stage.CONTENT,
        ("chat.Message", "chat.RenderedText", "chat.ToolPart"),
        "With the HTML that was made of them, and with tool calls and their outputs.",
        lambda id, limit: _delete_messages(Message.objects.filter(conversation__user=id), limit),
        lambda id, limit: _delete_messages(Message.objects.filter(conversation=id), limit),
    ),
    DataKind(
        "drafts",
        Stage.CONTENT,
        ("chat.Draft",),
        "Those of the account, and those in the conversation.",
        delete_selected(lambda id: Draft.objects.filter(user=id)),
        delete_selected(lambda id: Draft.objects.filter(conversation=id)),
    ),
    DataKind(
        "streams of conversations",
        Stage.STREAMS,
        (),
        "Replies and titles with their chunks, before the conversation, which names them.",
        lambda id, limit: 0,
        _delete_streams,
    ),
    DataKind(
        "names of clients",
        Stage.CONTENT,
        ("chat.ClientThread",),
        "The names that other front ends gave to conversations.",
        delete_selected(lambda id: ClientThread.objects.filter(user=id)),
        delete_selected(lambda id: ClientThread.objects.filter(conversation=id)),
    ),
    DataKind(
        "responses of the gateway",
        Stage.CONTENT,
        ("chat.GatewayResponse",),
        "The parameters with which programs asked for replies.",
        delete_selected(lambda id: GatewayResponse.objects.filter(user=id)),
        delete_selected(lambda id: GatewayResponse.objects.filter(conversation=id)),
    ),
    DataKind(
        "conversations of the gateway",
        Stage.CONTENT,
        ("chat.GatewayConversation",),
        "What programs have noted with their conversations.",
        delete_selected(lambda id: GatewayConversation.objects.filter(user=id)),
        delete_selected(lambda id: GatewayConversation.objects.filter(conversation=id)),
    ),
    DataKind(
        "log of webhooks",
        Stage.CONTENT,
        ("chat.WebhookDelivery",),
        "The endings of replies that webhooks got.",
        delete_selected(lambda id: WebhookDelivery.objects.filter(webhook__user=id)),
        delete_selected(lambda id: WebhookDelivery.objects.filter(conversation=id)),
    ),
    DataKind(
        "streams of programs",
        Stage.CONTENT,
        (
            *("chat.DurableStream", "chat.DurableRecord"),
            *("chat.DurableProducer", "chat.DurableSpace"),
        ),
        "Those that were written through the door of Durable Streams.",
        delete_durable_streams,
    ),
    DataKind(
        "conversations",
        Stage.CONTAINERS,
        ("chat.Conversation",),
        "After their messages and streams.",
        delete_selected(lambda id: Conversation.objects.filter(user=id)),
        delete_selected(lambda id: Conversation.objects.filter(pk=id)),
    ),
    DataKind(
        "webhooks",
        Stage.SECRETS,
        ("chat.Webhook",),
        "With their secrets, and what their last replies added to the log.",
        delete_selected(lambda id: Webhook.objects.filter(user=id)),
    ),
    DataKind(
        "access to content",
        Stage.TRACES,
        ("chat.ContentGrant",),
        "Grants to read this person's conversations, and those to this person.",
        delete_selected(lambda id: ContentGrant.objects.filter(Q(person=id) | Q(reader=id))),
    ),
    DataKind(
        "sizes of deleted chats",
        Stage.TRACES,
        ("chat.DeletedSize",),
        "Numbers of characters, kept for a day.",
        delete_selected(lambda id: DeletedSize.objects.filter(user=id)),
    ),
    DataKind(
        "idempotent requests",
        Stage.TRACES,
        ("chat.IdempotentRequest",),
        "Hashes of what programs have asked.",
        delete_selected(lambda id: IdempotentRequest.objects.filter(user=id)),
    ),
)


def register_kinds() -> None:
    for kind in KINDS:
        register_data(kind)
    register_model_without_account("chat.ModelOverride", "An administrator's values for a model.")
    register_model_without_account("chat.RefusedParameter", "Learned of a server, for everybody.")
