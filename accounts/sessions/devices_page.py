"""The page of the devices on which a person is signed in.

Ending a session needs no password. It gives a thief nothing but the owner's sign-out, whereas an
owner who has just noticed the thief should not have to look for the password first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache

from accounts.account_page.rows import AccountRow, register_row
from accounts.audit.events import record_event
from accounts.audit.kinds import register_kind
from accounts.decorators import UserRequest, require_post_or_redirect, sign_in_and_return, signed_in
from accounts.models import User
from accounts.sessions.ending import delete_sessions, end_other_sessions
from accounts.sessions.tracking import MAX_SESSIONS_PER_USER, UNKNOWN_ADDRESS
from accounts.sessions.user_agents import describe_user_agent

SESSIONS_ENDED = register_kind("sessions.ended", _("Ended sessions"))


@dataclass(frozen=True, slots=True)
class Device:
    """A session on the page."""

    id: int
    name: str
    ip: str
    first_seen_at: datetime
    last_seen_at: datetime
    is_current: bool


@register_row("devices")
def build_devices_row(request: UserRequest) -> AccountRow:
    count = len(list_live_sessions(request.user))
    status = ngettext("%(count)s device", "%(count)s devices", count) % {"count": count}
    return AccountRow(_("Signed-in devices"), status, reverse("sessions"), _("Show"))


@signed_in(sign_in_and_return)
@never_cache
def sessions_page(request: UserRequest) -> HttpResponse:
    current = request.session.session_key
    devices = [_build_device(row, current) for row in list_live_sessions(request.user)]
    devices.sort(key=lambda device: (device.is_current, device.last_seen_at), reverse=True)
    return render(request, "settings/sessions.html", {"devices": devices})


@require_post_or_redirect("sessions")
@signed_in(sign_in_and_return)
def end_sessions(request: UserRequest) -> HttpResponse:
    """End the session whose id the form names, or all but this one. Open sockets of an ended
    session are closed at once (accounts/signals.py)."""
    named = request.POST.get("session", "")
    if named == "others":
        count = end_other_sessions(request)
    else:
        mine = UserSession.objects.filter(user=request.user)
        others = mine.exclude(session_key=request.session.session_key)
        count = delete_sessions(
            others.filter(pk=int(named) if named.isdecimal() and len(named) < 19 else 0)
        )
    if is_done := bool(count) or named == "others":
        record_event(SESSIONS_ENDED, request.user, request=request, count=count)
    if count:
        get_adapter().send_notification_mail(
            "account/email/sessions_ended", request.user, {"count": count}
        )
    # A copied cookie of this session signs in nobody any more. This comes last, because it is an
    # error if another request has ended this session meanwhile.
    request.session.cycle_key()
    if is_done:
        messages.success(request, _("Signed out there."))
    return redirect("sessions")


def list_live_sessions(user: User) -> list[UserSession]:
    """The sessions of a person that still sign in: neither expired, nor from before a change of the
    password."""
    rows = UserSession.objects.filter(user=user).order_by("-last_seen_at")[:MAX_SESSIONS_PER_USER]
    by_key = {row.session_key: row for row in rows}
    stored = Session.objects.filter(session_key__in=by_key, expire_date__gt=timezone.now())
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return [
        by_key[session.session_key]
        for session in stored
        if _has_hash(str(session.get_decoded().get(HASH_SESSION_KEY, "")), hashes)
    ]


def _has_hash(found: str, hashes: list[str]) -> bool:
    return any(constant_time_compare(found, expected) for expected in hashes)


def _build_device(row: UserSession, current: str | None) -> Device:
    return Device(
        row.pk,
        describe_user_agent(row.user_agent),
        "" if row.ip == UNKNOWN_ADDRESS else row.ip,
        row.created_at,
        row.last_seen_at,
        row.session_key == current,
    )
