"""Security headers of every response (nothing inline, nothing from elsewhere, no framing), and
error reports that keep secrets out."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.debug import SafeExceptionReporterFilter

from accounts.middleware import GetResponse

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
    )
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def add_security_headers(get_response: GetResponse) -> GetResponse:
    """Add the headers that a view has not set itself."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return middleware


class AlwaysRedact(SafeExceptionReporterFilter):
    """Django hides sensitive values only outside DEBUG. A real key is as secret in DEBUG."""

    def is_active(self, request: HttpRequest | None) -> bool:
        return True
