"""Addresses of this installation for mails. They never use a Host header that a client has
forged."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from django.http.request import split_domain_port


def get_site_origin(request: HttpRequest) -> str:
    """Return the first of TRUSTED_ORIGINS. Without one, return the requested host with the port
    that this server listens on, because a port from a client's header may lead to another
    server."""
    if settings.TRUSTED_ORIGINS:
        return str(settings.TRUSTED_ORIGINS[0])
    domain, port = split_domain_port(request.get_host())
    scheme = settings.ACCOUNT_DEFAULT_HTTP_PROTOCOL
    if not port:
        return f"{scheme}://{domain}"
    if port != request.META.get("SERVER_PORT"):
        port = str(request.META.get("SERVER_PORT") or "")
    return f"{scheme}://{domain}:{port}" if port else f"{scheme}://{domain}"


def guess_site_origin() -> str:
    """Return the origin for a command, which has no request: the first of TRUSTED_ORIGINS, or the
    first host with the port of `make run`."""
    if settings.TRUSTED_ORIGINS:
        return str(settings.TRUSTED_ORIGINS[0])
    host = settings.ALLOWED_HOSTS[0].lstrip(".") if settings.ALLOWED_HOSTS else "localhost"
    return f"{settings.ACCOUNT_DEFAULT_HTTP_PROTOCOL}://{host}:8000"


def build_absolute_url(request: HttpRequest, path: str) -> str:
    """Raises SuspiciousOperation for a path that would extend our host name instead of following
    it."""
    if not path.startswith("/"):
        raise SuspiciousOperation(f"{path[:80]!r} is no path")
    return get_site_origin(request) + path


def get_site_host(request: HttpRequest) -> str:
    return urlsplit(get_site_origin(request)).netloc
