"""Days and times by the reader's clock: a script puts the name of the time zone into a cookie."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone

from accounts.middleware import GetResponse

COOKIE_NAME = "timezone"


def activate_timezone(get_response: GetResponse) -> GetResponse:
    """Without a valid cookie times are in UTC, and say so. Those of the admin are too, because logs
    have them."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        zone = find_timezone(request.COOKIES.get(COOKIE_NAME, ""))
        if zone is None or request.path.startswith(reverse("admin:index")):
            return get_response(request)
        with timezone.override(zone):
            return get_response(request)

    return middleware


@lru_cache(maxsize=1024)
def find_timezone(name: str) -> ZoneInfo | None:
    """None if the name is unknown here, as that of a newer zone may be."""
    return ZoneInfo(name) if name in _load_names() else None


@lru_cache(maxsize=1)
def _load_names() -> frozenset[str]:
    return frozenset(available_timezones())
