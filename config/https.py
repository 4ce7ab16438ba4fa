"""Whether a client came over HTTPS, as the proxy in front says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.middleware import GetResponse

FORWARDED_PROTO = b"x-forwarded-proto"


def is_https(scope: Mapping[str, Any]) -> bool:
    """Without the header of a trusted proxy, the connection counts."""
    if settings.TRUSTED_PROXY_COUNT:
        values = [value for name, value in scope["headers"] if name.lower() == FORWARDED_PROTO]
        if values:
            return bool(values[0].partition(b",")[0].strip() == b"https")
        return bool(settings.HTTPS)
    return scope.get("scheme") in ("https", "wss")


def build_hsts_value() -> str:
    """An empty text unless all our origins are https. Django sends the same with its pages."""
    if not settings.SECURE_HSTS_SECONDS:
        return ""
    subdomains = "; includeSubDomains" if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS else ""
    return f"max-age={settings.SECURE_HSTS_SECONDS}{subdomains}"


def assume_https(get_response: GetResponse) -> GetResponse:
    """Some proxies end TLS and do not say so. If all origins are https, a request through a proxy
    without X-Forwarded-Proto counts as https. Otherwise the redirect to https would never end."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if settings.HTTPS and settings.TRUSTED_PROXY_COUNT:
            request.META.setdefault("HTTP_X_FORWARDED_PROTO", "https")
        return get_response(request)

    return middleware
