"""What templates may ask about accounts."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts import setup


def sign_up_context(request: HttpRequest) -> dict[str, object]:
    """Whether a link to the sign-up page leads anywhere. Asked only by pages that have one."""
    return {"sign_up_is_open": SimpleLazyObject(lambda: setup.is_sign_up_open(request))}
