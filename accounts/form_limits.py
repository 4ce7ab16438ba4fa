"""Limits the forms that are posted under /accounts/, in the memory of the process, before any of
them causes a write or computes a hash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account.adapter import get_adapter
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from accounts.devices import COOKIE_NAME, find_oldest_account
from accounts.memory_limits import FormLimiter
from accounts.too_many_requests import respond_too_many_requests

PREFIX = "/accounts/"
UNLIMITED_PREFIX = "/accounts/password/reset/"
"""Strangers could use up any limit and so keep an owner from a new password. Mails with links are
limited instead (accounts/forms.py); a request for another address writes nothing."""

FORM_LIMITERS = {
    "/accounts/login/": FormLimiter(max_per_client=30, max_of_all=240),
    "/accounts/signup/": FormLimiter(max_per_client=20, max_of_all=120),
    PREFIX: FormLimiter(max_per_client=60, max_of_all=600),
}
"""By the beginning of the path; the first one that matches counts. A process computes about as many
hashes in a minute as it accepts sign-in forms."""


class FormLimitMiddleware(MiddlewareMixin):
    """Runs after the CSRF check, so that another site can't use up the limit of its visitors."""

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        limiter = _find_limiter(request)
        if limiter is None:
            return None
        client, is_known = _identify_client(request)
        wait_seconds = limiter.try_consume(client, is_known=is_known)
        return respond_too_many_requests(request, wait_seconds) if wait_seconds else None


def _find_limiter(request: HttpRequest) -> FormLimiter | None:
    path = request.path
    if request.method != "POST" or path.startswith(UNLIMITED_PREFIX):
        return None
    return next((limit for prefix, limit in FORM_LIMITERS.items() if path.startswith(prefix)), None)


def _identify_client(request: HttpRequest) -> tuple[str, bool]:
    """The name of the client, and whether it is known: signed in, or a browser that has signed in
    before, whose cookie can't be forged. All browsers of an account share its count."""
    if request.user.is_authenticated:
        return f"user {request.user.pk}", True
    account = find_oldest_account(request.COOKIES.get(COOKIE_NAME))
    if account is not None:
        return f"device of {account}", True
    return get_adapter().get_client_network(request), False


def clear_limiters() -> None:
    for limiter in FORM_LIMITERS.values():
        limiter.clear()
