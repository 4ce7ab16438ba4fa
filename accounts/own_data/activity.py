"""The page on which people see the audit events of their own account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.audit.kinds import EVENT_KINDS
from accounts.decorators import UserRequest, sign_in_and_return, signed_in
from accounts.models import AuditEvent
from streaming.providers.catalog import PROVIDERS

EVENTS_PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """An event as its page shows it. `ip` is empty for events of other people, whose address is
    their own matter."""

    label: str | Promise
    detail: str
    created_at: datetime
    actor: str
    ip: str


@require_safe
@signed_in(sign_in_and_return)
@never_cache
def activity_page(request: UserRequest) -> HttpResponse:
    events = AuditEvent.objects.owned_by(request.user)
    page = Paginator(events, EVENTS_PER_PAGE).get_page(request.GET.get("page"))
    rows = [build_row(event) for event in page]
    context = {"page": page, "rows": rows, "audit_days": settings.AUDIT_DAYS}
    return render(request, "settings/activity.html", context)


def build_row(event: AuditEvent) -> ActivityRow:
    kind = EVENT_KINDS.get(event.kind)
    is_own = event.actor_id == event.account_id
    return ActivityRow(
        label=kind.label if kind else event.kind,
        detail=_describe_facts(event),
        created_at=event.created_at,
        actor=_describe_actor(event, is_own=is_own),
        ip=event.ip or "" if is_own else "",
    )


def _describe_actor(event: AuditEvent, *, is_own: bool) -> str:
    if is_own:
        return _("you")
    return _("an administrator") if event.actor_id else _("the server")


def _describe_facts(event: AuditEvent) -> str:
    provider, fields = event.facts.get("provider"), event.facts.get("fields")
    if provider:
        known = PROVIDERS.get(str(provider))
        return known.name if known else str(provider)
    return str(fields) if fields else ""
