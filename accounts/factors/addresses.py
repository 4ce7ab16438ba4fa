"""The addresses of pages that can use passkeys. Browsers allow them for a host name with https, and
for localhost, never for a bare IP address."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port


def get_host_name(request: HttpRequest) -> str:
    """Return the host of the page, which ALLOWED_HOSTS names, without the port."""
    return split_domain_port(request.get_host())[0]


def is_own_origin(request: HttpRequest, origin: str) -> bool:
    """Return whether a passkey was used on a page of this installation. Passkeys are valid for all
    ports and subdomains of a host, where other programs may run."""
    if origin in settings.TRUSTED_ORIGINS:
        return True
    return not settings.TRUSTED_ORIGINS and urlsplit(origin).netloc == request.get_host()


def find_passkey_obstacle(request: HttpRequest) -> str:
    """Return why browsers refuse passkeys at the address of this page: `"address"` for a bare IP
    address, `"insecure"` for a connection without TLS, or nothing."""
    host = get_host_name(request)
    if _is_ip_address(host):
        return "address"
    is_local = host == "localhost" or host.endswith(".localhost")
    is_https = request.is_secure() or f"https://{request.get_host()}" in settings.TRUSTED_ORIGINS
    return "" if is_local or is_https else "insecure"


def find_localhost_address(request: HttpRequest) -> str:
    """Return this page's address under the name localhost, if the bare address is of this
    machine."""
    host, port = split_domain_port(request.get_host())
    if not _is_ip_address(host) or not ipaddress.ip_address(host.strip("[]")).is_loopback:
        return ""
    suffix = f":{port}" if port else ""
    return f"{request.scheme}://localhost{suffix}{request.path}"


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
