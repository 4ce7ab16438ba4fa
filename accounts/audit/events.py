"""Records audit events."""

from __future__ import annotations

import ipaddress

from allauth.account.adapter import get_adapter
from django.http import HttpRequest

from accounts.audit.kinds import EventKind
from accounts.audit.models import AuditEvent
from accounts.models import User

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


def _find_actor(request: HttpRequest | None) -> User | None:
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


def _find_ip(request: HttpRequest) -> str | None:
    address = get_adapter().get_client_ip(request)
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return None
