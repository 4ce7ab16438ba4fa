"""Gives, finds and ends access to content, and records each look at it."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.audit.events import record_event
from accounts.audit.kinds import register_kind
from accounts.models import User
from chat.models import ContentGrant, Conversation

MAX_GRANT_HOURS = 72

CONTENT_GRANTED = register_kind(
    "content.granted", _("Access to your conversations was given"), names_people=True
)
CONTENT_REVOKED = register_kind(
    "content.revoked", _("Access to your conversations was ended"), names_people=True
)
CONTENT_READ = register_kind("content.read", _("Read one of your conversations"), names_people=True)


def grant_access(
    reader: User,
    person: User,
    *,
    hours: int,
    reason: str,
    granted_by: User | None = None,
    request: HttpRequest | None = None,
) -> ContentGrant:
    """The person sees the event with the reason. Raises ValueError if an administrator would give
    it to themselves, or for a time that is too long."""
    if granted_by == reader:
        raise ValueError("Another administrator has to give the access.")
    if not 0 < hours <= MAX_GRANT_HOURS:
        raise ValueError(f"The access lasts 1 to {MAX_GRANT_HOURS} hours.")
    with transaction.atomic():
        grant = ContentGrant.objects.create(
            reader=reader,
            person=person,
            reason=reason,
            until=timezone.now() + timedelta(hours=hours),
            granted_by=granted_by,
        )
        record_event(
            CONTENT_GRANTED,
            person,
            actor=granted_by,
            request=request,
            by_system=granted_by is None,
            reader=reader.pk,
            hours=hours,
            reason=reason,
        )
    return grant


def revoke_grant(grant: ContentGrant, *, request: HttpRequest) -> None:
    with transaction.atomic():
        grant.delete()
        record_event(CONTENT_REVOKED, grant.person, request=request, reader=grant.reader_id)


def may_read(reader: User, person: User) -> bool:
    """Return whether there is a grant that has not expired, for an active member of staff."""
    if not (reader.is_active and reader.is_staff):
        return False
    return ContentGrant.objects.filter(reader=reader, person=person, until__gt=Now()).exists()


def record_look(request: HttpRequest, conversation: Conversation) -> None:
    """The person sees who looked, at which conversation, and when."""
    record_event(
        CONTENT_READ, conversation.user, request=request, conversation=str(conversation.pk)
    )
