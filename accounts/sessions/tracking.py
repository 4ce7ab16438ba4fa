"""Records from where, and when, a session was used last.

A session is written at most once in ten minutes, and then in one statement. Sessions from before
an upgrade get their row at their next request.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from datetime import timedelta
from threading import Lock

from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from accounts.middleware import GetResponse
from accounts.models import User
from accounts.sessions.ending import delete_sessions
from streaming.storable_text import replace_unstorable

WRITE_INTERVAL_SECONDS = 10 * 60
MAX_REMEMBERED_SESSIONS = 10_000
MAX_DELETED_RECORDS = 500
MAX_SESSIONS_PER_USER = 100
"""With one more, the sessions that were used least lately end. So a program that signs in again and
again stores no more, and the page of devices can list them all."""
UNKNOWN_ADDRESS = "0.0.0.0"  # noqa: S104 - a client over a Unix socket has none # nosec B104
MAX_USER_AGENT_CHARS = 200


class SeenSessions:
    """The sessions that this process has written lately."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen_at: OrderedDict[str, float] = OrderedDict()

    def was_written(self, key: str) -> bool:
        with self._lock:
            seen_at = self._seen_at.get(key)
        return seen_at is not None and time.monotonic() - seen_at < WRITE_INTERVAL_SECONDS

    def add(self, key: str) -> None:
        with self._lock:
            self._seen_at[key] = time.monotonic()
            self._seen_at.move_to_end(key)
            if len(self._seen_at) > MAX_REMEMBERED_SESSIONS:
                self._seen_at.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._seen_at.clear()


seen_sessions = SeenSessions()


def track_sessions(get_response: GetResponse) -> GetResponse:
    """A middleware. A request that did not need to know who is signed in is not counted, because
    finding that out would take a query."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        user, key = _find_loaded_user(request), request.session.session_key
        if user and key and not seen_sessions.was_written(key):
            seen_sessions.add(key)
            _write_session(request, user, key)
        return response

    return middleware


def delete_records_of_ended_sessions() -> None:
    """For sessions that expired. A row may be written a moment before its session, so only old rows
    are looked at."""
    old = UserSession.objects.filter(last_seen_at__lt=timezone.now() - timedelta(hours=1))
    stored = Session.objects.filter(session_key=OuterRef("session_key"))
    ended = old.exclude(Exists(stored)).values_list("pk", flat=True)[:MAX_DELETED_RECORDS]
    UserSession.objects.filter(pk__in=list(ended)).delete()


def _find_loaded_user(request: HttpRequest) -> User | None:
    """Return the signed-in person, without a query. A sign-in replaces the lazy object."""
    user = vars(request).get("user")
    if type(user) is SimpleLazyObject:
        user = getattr(request, "_cached_user", None)
    return user if isinstance(user, User) else None


def _write_session(request: HttpRequest, user: User, key: str) -> None:
    now = timezone.now()
    values = {
        "ip": _get_ip(request),
        "user_agent": replace_unstorable(request.META.get("HTTP_USER_AGENT", ""))[
            :MAX_USER_AGENT_CHARS
        ],
        "last_seen_at": now,
    }
    mine = UserSession.objects.filter(user=user)
    recent = now - timedelta(seconds=WRITE_INTERVAL_SECONDS)
    known = mine.filter(session_key=key)
    if known.filter(last_seen_at__lt=recent).update(**values) or known.exists():
        return  # another process may have written it just now
    row = UserSession(user=user, session_key=key, created_at=now, **values)
    UserSession.objects.bulk_create([row], ignore_conflicts=True)
    _end_oldest(user)


def _end_oldest(user: User) -> None:
    mine = UserSession.objects.filter(user=user)
    ids = mine.order_by("-last_seen_at", "-pk").values_list("pk", flat=True)
    oldest = list(ids[MAX_SESSIONS_PER_USER : MAX_SESSIONS_PER_USER + MAX_DELETED_RECORDS])
    if oldest:
        delete_sessions(mine.filter(pk__in=oldest))


def _get_ip(request: HttpRequest) -> str:
    address = get_adapter().get_client_ip(request)
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return UNKNOWN_ADDRESS
