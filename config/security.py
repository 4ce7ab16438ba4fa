"""Security headers of every response (nothing inline, nothing from elsewhere, no framing), and
error reports that keep secrets out.

`config/response_headers.py` adds the headers to responses that are made before Django, and HSTS
over HTTPS. The two modules of limits add them to those that the servers make themselves.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.debug import SafeExceptionReporterFilter

from accounts.middleware import GetResponse
from accounts.social.form_origins import list_form_origins

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        # No image from elsewhere: a prompt could make a model put text into the image's address.
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "manifest-src 'self'",
        # A text becomes HTML or a script only through static/js/trusted-html.js.
        "require-trusted-types-for 'script'",
        "trusted-types holdfast",
    )
)
ADMIN_PATH = "/admin/"
ADMIN_CONTENT_SECURITY_POLICY = CONTENT_SECURITY_POLICY.replace(
    "trusted-types holdfast", "trusted-types holdfast default"
)
"""The policy of static/js/admin-html.js, without which jQuery does not start."""
UNUSED_FEATURES = (
    "accelerometer",
    "attribution-reporting",
    "autoplay",
    "browsing-topics",
    "camera",
    "captured-surface-control",
    "compute-pressure",
    "cross-origin-isolated",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "gamepad",
    "geolocation",
    "gyroscope",
    "hid",
    "identity-credentials-get",
    "idle-detection",
    "join-ad-interest-group",
    "keyboard-map",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "otp-credentials",
    "payment",
    "picture-in-picture",
    "private-state-token-issuance",
    "private-state-token-redemption",
    "run-ad-auction",
    "screen-wake-lock",
    "serial",
    "shared-storage",
    "storage-access",
    "sync-xhr",
    "usb",
    "window-management",
    "xr-spatial-tracking",
)
"""Features of browsers that no page uses. A browser ignores a name that it does not know."""

SECURITY_HEADERS = {
    "Cache-Control": "no-store",  # for what has no rule of its own: no copy on a shared computer
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Origin-Agent-Cluster": "?1",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in UNUSED_FEATURES),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
    "X-Frame-Options": "DENY",
}

ADDRESS_SECRETS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
"""The name with the password in an address."""


class HeaderException(NamedTuple):
    """Responses that may lack a header, or have another value of it, and the reason."""

    path: str
    """A regular expression for the whole path."""
    statuses: tuple[int, ...]
    """Status codes; empty for all."""
    headers: tuple[str, ...]
    reason: str


HEADER_EXCEPTIONS = (
    HeaderException(
        r"/static/.*",
        (200, 206, 304, 416),
        ("Cache-Control",),
        "The files are the same for everybody, and their names contain a hash.",
    ),
    HeaderException(
        r"/translations/[^/]+\.js",
        (200,),
        ("Cache-Control",),
        "The texts are the same for everybody.",
    ),
    HeaderException(
        f"{ADMIN_PATH}.*",
        (),
        ("Content-Security-Policy",),
        "jQuery in Django’s admin makes HTML of texts; static/js/admin-html.js refuses scripts.",
    ),
    HeaderException(
        r"/accounts/(login|signup|(github|oidc/[^/]+)/login|3rdparty/confirm)/"
        r"|/settings/linked-accounts/",
        (),
        ("Content-Security-Policy",),
        "Their buttons lead to the configured servers for sign-in, which form-action names.",
    ),
    HeaderException(
        r"/accounts/invitation/[^/]+/",
        (404, 410),
        ("Referrer-Policy",),
        "The address holds the secret of the invitation, so no link may send it: no-referrer.",
    ),
    HeaderException(
        r".*",
        (101,),
        (*SECURITY_HEADERS, "Strict-Transport-Security"),
        "A browser shows nothing of the answer that opens a socket.",
    ),
)
"""All exceptions. tests/config/test_headers.py reads them, and fails for any other."""


def add_security_headers(get_response: GetResponse) -> GetResponse:
    """Add the headers that a view has not set itself."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if origins := list_form_origins(request):
            response.headers.setdefault("Content-Security-Policy", allow_forms_to(origins))
        if request.path.startswith(ADMIN_PATH):
            response.headers.setdefault("Content-Security-Policy", ADMIN_CONTENT_SECURITY_POLICY)
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return middleware


def allow_forms_to(origins: list[str]) -> str:
    """Return the policy of a page with buttons to other sites, such as the sign-in page."""
    own = "form-action 'self'"
    return CONTENT_SECURITY_POLICY.replace(own, f"{own} {' '.join(origins)}")


class AlwaysRedact(SafeExceptionReporterFilter):
    """Django hides sensitive values only outside DEBUG, and no password in an address. A real key
    is as secret in DEBUG."""

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def cleanse_setting(self, key: int | str, value: Any) -> Any:
        shown = super().cleanse_setting(key, value)
        if not isinstance(shown, str):
            return shown
        return ADDRESS_SECRETS.sub(self.cleansed_substitute, shown)
