"""The page on which people see the audit events of their own account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.audit.kinds import EVENT_KINDS
from accounts.decorators import UserRequest, sign_in_and_return, signed_in
from accounts.models import AuditEvent, User
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
    names = load_names(page)
    rows = [build_row(event, names) for event in page]
    context = {"page": page, "rows": rows, "audit_days": settings.AUDIT_DAYS}
    return render(request, "settings/activity.html", context)


def load_names(events: Iterable[AuditEvent]) -> dict[int, str]:
    """Names and addresses of the people whom these events name, by their ids. The person has to
    know which administrator could read, and read, a conversation."""
    naming = [event for event in events if _names_people(event)]
    ids = {id for event in naming for id in (event.actor_id, event.facts.get("reader")) if id}
    people = User.objects.filter(pk__in=ids) if ids else ()
    return {person.pk: _describe_person(person) for person in people}


def build_row(event: AuditEvent, names: Mapping[int, str]) -> ActivityRow:
    kind = EVENT_KINDS.get(event.kind)
    is_own = event.actor_id == event.account_id
    return ActivityRow(
        label=kind.label if kind else event.kind,
        detail=_describe_access(event, names) if _names_people(event) else _describe_facts(event),
        created_at=event.created_at,
        actor=_describe_actor(event, names, is_own=is_own),
        ip=event.ip or "" if is_own else "",
    )


def _names_people(event: AuditEvent) -> bool:
    kind = EVENT_KINDS.get(event.kind)
    return kind is not None and kind.names_people


def _describe_person(person: User) -> str:
    return f"{person.name}, {person.email}" if person.name else person.email


def _describe_actor(event: AuditEvent, names: Mapping[int, str], *, is_own: bool) -> str:
    if is_own:
        return _("you")
    if not event.actor_id:
        return _("the server")
    if _names_people(event):
        return names.get(event.actor_id) or _("an administrator whose account was deleted")
    return _("an administrator")


def _describe_access(event: AuditEvent, names: Mapping[int, str]) -> str:
    """The reader, the end and the reason of an access. An event of reading has none of these."""
    parts = []
    if reader := event.facts.get("reader"):
        name = names.get(int(reader)) or _("an administrator whose account was deleted")
        parts.append(_("to %(reader)s") % {"reader": name})
    if hours := event.facts.get("hours"):
        until = timezone.localtime(event.created_at + timedelta(hours=int(hours)))
        parts.append(_("until %(time)s") % {"time": date_format(until, "j F Y, H:i T")})
    if reason := event.facts.get("reason"):
        parts.append(_("reason: %(reason)s") % {"reason": reason})
    return "; ".join(parts)


def _describe_facts(event: AuditEvent) -> str:
    provider, fields = event.facts.get("provider"), event.facts.get("fields")
    if provider:
        known = PROVIDERS.get(str(provider))
        return known.name if known else str(provider)
    return str(fields) if fields else ""
