"""Finds the responses of a user, and marks those that were read to their end."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Now
from django.utils.translation import gettext as _

from accounts.models import User
from chat.api.problems import Problem
from chat.doors.gateway import ids
from chat.doors.gateway.models import GatewayResponse
from chat.models import Conversation

DOOR_NAME = "gateway"
KEPT_AFTER_READING = timedelta(minutes=1)
"""How long a response that is not stored stays for a client whose connection broke at its end."""


def find_response(user: User, id: str) -> GatewayResponse | None:
    uuid = ids.parse_id(ids.RESPONSE, id)
    rows = GatewayResponse.objects.owned_by(user).select_related("stream", "conversation")
    return rows.filter(stream__uuid=uuid).first() if uuid else None


def get_response(user: User, id: str) -> GatewayResponse:
    """Raises Problem, which is the same for a response of another person."""
    row = find_response(user, id)
    if row is None:
        text = _("Response with id “%(id)s” not found.") % {"id": id[:100]}
        raise Problem(404, "not_found", text)
    return row


def mark_read(conversation_id: UUID) -> None:
    """Let workers delete a temporary conversation soon."""
    rows = Conversation.objects.filter(pk=conversation_id, expires_at__isnull=False)
    rows.filter(expires_at__gt=Now() + KEPT_AFTER_READING).update(
        expires_at=Now() + KEPT_AFTER_READING
    )


def get_conversation(user: User, id: str, param: str = "") -> Conversation:
    """Raises Problem, also for a chat of the person and for a temporary conversation. `param` names
    the parameter that has the id, if it is none of the address."""
    uuid = ids.parse_id(ids.CONVERSATION, id)
    owned = Conversation.objects.owned_by(user).filter(door=DOOR_NAME, expires_at=None)
    conversation = owned.filter(pk=uuid).first() if uuid else None
    if conversation is None:
        text = _("Conversation with id “%(id)s” not found.") % {"id": id[:100]}
        errors = [{"field": param, "message": ""}] if param else []
        raise Problem(404, "not_found", text, errors=errors)
    return conversation
