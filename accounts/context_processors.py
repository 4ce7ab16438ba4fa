"""Context of accounts for templates."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts import setup


def sign_up_context(request: HttpRequest) -> dict[str, object]:
    """Evaluated only by pages with a link to the sign-up page."""
    return {"sign_up_is_open": SimpleLazyObject(lambda: setup.is_sign_up_open(request))}
