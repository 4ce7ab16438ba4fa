"""Records audit events."""

from __future__ import annotations

import ipaddress
from datetime import timedelta

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from accounts.audit.kinds import EventKind
from accounts.audit.models import AuditEvent
from accounts.models import User

EVENTS_PER_BATCH = 500
MAX_PURGE_BATCHES = 20

Fact = str | int | bool | None


def record_event(
    kind: EventKind,
    account: User | None = None,
    *,
    actor: User | None = None,
    request: HttpRequest | None = None,
    by_system: bool = False,
    **facts: Fact,
) -> None:
    """Store an event, in the transaction that is open. The actor is the signed-in person of the
    request, or the account itself; nobody if a command or a worker did it (`by_system`). Facts are
    names, counts and ids: no content, no secrets, no e-mail addresses."""
    if not by_system:
        actor = actor or _find_actor(request) or account
    AuditEvent.objects.create(
        kind=kind.name,
        account_id=account.pk if account else None,
        actor_id=actor.pk if actor else None,
        ip=_find_ip(request) if request else None,
        facts=facts,
    )


def empty_events(account_id: int, limit: int) -> int:
    """Leave nothing but ids, kinds and times in events of an account that is deleted. Empty the
    network address of what it did elsewhere, too. Return how many events were changed."""
    about = Q(account_id=account_id) & (Q(ip__isnull=False) | ~Q(facts={}))
    done_by = Q(actor_id=account_id, ip__isnull=False)
    rows = AuditEvent.objects.filter(about | done_by)
    found = list(rows.order_by("id").values_list("id", "account_id")[:limit])
    AuditEvent.objects.filter(id__in=[id for id, _ in found]).update(ip=None)
    of_account = [id for id, about_id in found if about_id == account_id]
    AuditEvent.objects.filter(id__in=of_account).update(facts={})
    return len(found)


def purge_events() -> None:
    """Delete events that are older than AUDIT_DAYS, in batches; the next run continues."""
    oldest = timezone.now() - timedelta(days=settings.AUDIT_DAYS)
    expired = AuditEvent.objects.filter(created_at__lt=oldest)
    for _ in range(MAX_PURGE_BATCHES):
        ids = list(expired.order_by("created_at").values_list("id", flat=True)[:EVENTS_PER_BATCH])
        AuditEvent.objects.filter(id__in=ids).delete()
        if len(ids) < EVENTS_PER_BATCH:
            return


def _find_actor(request: HttpRequest | None) -> User | None:
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


def _find_ip(request: HttpRequest) -> str | None:
    address = get_adapter().get_client_ip(request)
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return None
