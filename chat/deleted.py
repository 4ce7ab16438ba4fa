"""The conversation that was deleted last in this browser, for the page that comes after: it offers
to have it back."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from django.utils import timezone

from chat.conversations import UNDO
from chat.models import Conversation

KEY = "deleted"


def remember(request: HttpRequest, conversation: Conversation) -> None:
    request.session[KEY] = {"id": str(conversation.pk), "at": timezone.now().isoformat()}


def forget(request: HttpRequest) -> None:
    request.session.pop(KEY, None)


def just_deleted(request: HttpRequest) -> Conversation | None:
    """What was deleted a moment ago and can be had back still."""
    kept = request.session.get(KEY)
    if not kept:
        return None
    if timezone.now() - datetime.fromisoformat(kept["at"]) > UNDO:
        forget(request)
        return None
    return Conversation.objects.exclude(deleted_at=None).filter(pk=kept["id"]).first()
