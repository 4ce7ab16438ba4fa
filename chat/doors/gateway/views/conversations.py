"""Conversations: make one, read it, change what is noted with it, delete it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse

from accounts.models import User
from chat import conversations as chats
from chat.api.idempotency import idempotent_request
from chat.doors.bodies import read_object
from chat.doors.gateway import ids
from chat.doors.gateway.conversation_request import read_conversation_request
from chat.doors.gateway.errors import choose_view
from chat.doors.gateway.models import GatewayConversation
from chat.doors.gateway.parameters import read_query
from chat.doors.gateway.reading import DOOR_NAME, get_conversation
from chat.doors.gateway.response_request import require
from chat.models import Conversation
from chat.replies import add_turns


def create_conversation(request: HttpRequest, user: User) -> HttpResponse:
    """The id of the conversation follows from the key of the request, also when the row of that
    was deleted for its age."""
    given = read_conversation_request(read_object(request), "items", "metadata")
    with idempotent_request(request, user, has_effect=_has_conversation) as once:
        if once.is_repeated or _has_conversation(user, once.id):
            return answer(Conversation.objects.get(pk=once.id))
        conversation = Conversation.objects.create(pk=once.id, user=user, door=DOOR_NAME)
        GatewayConversation.objects.create(
            conversation=conversation, user=user, metadata=given.get("metadata", {})
        )
        noted = _measure_metadata(given.get("metadata", {}))
        add_turns(user, conversation, given.get("items", []), noted)
    return answer(conversation)


def _has_conversation(user: User, id: UUID) -> bool:
    return Conversation.objects.owned_by(user).filter(pk=id).exists()


def read_conversation(request: HttpRequest, user: User, id: str) -> HttpResponse:
    read_query(request.GET)
    return answer(get_conversation(user, id))


def change_conversation(request: HttpRequest, user: User, id: str) -> HttpResponse:
    conversation = get_conversation(user, id)
    given = read_conversation_request(read_object(request), "metadata")
    require(given, "metadata")
    _change_metadata(user, conversation, given["metadata"])
    return answer(conversation)


@transaction.atomic
def _change_metadata(user: User, conversation: Conversation, metadata: dict[str, str]) -> None:
    """Raises ReplyRejected if they are too much."""
    Conversation.objects.select_for_update().filter(pk=conversation.pk).first()
    notes = GatewayConversation.objects.filter(conversation=conversation).first()
    earlier = _measure_metadata(notes.metadata) if notes else 0
    add_turns(user, conversation, [], _measure_metadata(metadata), replaced_chars=earlier)
    GatewayConversation.objects.update_or_create(
        conversation=conversation, defaults={"user": user, "metadata": metadata}
    )


def _measure_metadata(metadata: Mapping[str, str]) -> int:
    return len(json.dumps(metadata)) if metadata else 0


def delete_conversation(request: HttpRequest, user: User, id: str) -> HttpResponse:
    """With all its responses."""
    chats.soft_delete(get_conversation(user, id))
    return JsonResponse({"id": id, "object": "conversation.deleted", "deleted": True})


def answer(conversation: Conversation) -> HttpResponse:
    return JsonResponse(build_conversation(conversation))


def build_conversation(conversation: Conversation) -> dict[str, Any]:
    conversation.refresh_from_db(fields=["created_at"])  # the database has set it
    notes = GatewayConversation.objects.filter(conversation=conversation).first()
    return {
        "id": ids.build_id(ids.CONVERSATION, conversation.pk),
        "object": "conversation",
        "created_at": int(conversation.created_at.timestamp()),
        "metadata": notes.metadata if notes else {},
    }


conversations = choose_view(post=create_conversation)
conversation = choose_view(
    get=read_conversation, post=change_conversation, delete=delete_conversation
)
