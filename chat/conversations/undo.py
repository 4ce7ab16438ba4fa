"""The conversation that was last deleted in this browser. The next page offers to restore it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone

from chat import access
from chat.conversations.actions import UNDO_PERIOD
from chat.models import Conversation

SESSION_KEY = "deleted"


def remember_deleted(request: HttpRequest, conversation: Conversation) -> None:
    request.session[SESSION_KEY] = {"id": str(conversation.pk), "at": timezone.now().isoformat()}


def forget_deleted(request: HttpRequest) -> None:
    request.session.pop(SESSION_KEY, None)


def find_just_deleted(request: HttpRequest) -> Conversation | None:
    remembered = request.session.get(SESSION_KEY)
    if not remembered or not request.user.is_authenticated:
        return None
    if timezone.now() - datetime.fromisoformat(remembered["at"]) > UNDO_PERIOD:
        forget_deleted(request)
        return None
    return access.find_deleted(request.user, UUID(remembered["id"]))
