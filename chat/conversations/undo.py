"""The conversation that was deleted last in this browser, for the page that comes after: it offers
to have it back."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from django.utils import timezone

from chat.conversations import UNDO_PERIOD
from chat.models import Conversation

SESSION_KEY = "deleted"


def remember_deleted(request: HttpRequest, conversation: Conversation) -> None:
    request.session[SESSION_KEY] = {"id": str(conversation.pk), "at": timezone.now().isoformat()}


def forget_deleted(request: HttpRequest) -> None:
    request.session.pop(SESSION_KEY, None)


def find_just_deleted(request: HttpRequest) -> Conversation | None:
    """Return the conversation that was deleted last, if it can still be restored."""
    kept = request.session.get(SESSION_KEY)
    if not kept:
        return None
    if timezone.now() - datetime.fromisoformat(kept["at"]) > UNDO_PERIOD:
        forget_deleted(request)
        return None
    return Conversation.objects.exclude(deleted_at=None).filter(pk=kept["id"]).first()
