"""Limits the forms that are posted under /accounts/, in the memory of the process, before any of
them causes a write or computes a hash; and those of the settings of a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account.adapter import get_adapter
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from accounts.devices import COOKIE_NAME, find_oldest_account
from accounts.memory_limits import FormLimiter
from accounts.rate_limits import RateLimit
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


SETTINGS_PREFIX = "/settings/"
SETTINGS_LIMIT = RateLimit("settings", 200, 3600)
"""Forms of one person. Each writes an audit event, and many send a mail."""


class FormLimitMiddleware(MiddlewareMixin):
    """Runs after the CSRF check, so that another site can't use up the limit of its visitors."""

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        if request.method == "POST" and request.path.startswith(SETTINGS_PREFIX):
            return _limit_settings(request)
        limiter = _find_limiter(request)
        if limiter is None:
            return None
        wait_seconds = _consume_form(limiter, request)
        return respond_too_many_requests(request, wait_seconds) if wait_seconds else None


def _limit_settings(request: HttpRequest) -> HttpResponse | None:
    user = request.user
    if not user.is_authenticated or SETTINGS_LIMIT.counter_for(user.pk).try_consume():
        return None
    return respond_too_many_requests(request, SETTINGS_LIMIT.window_seconds)


def _find_limiter(request: HttpRequest) -> FormLimiter | None:
    path = request.path
    if request.method != "POST" or path.startswith(UNLIMITED_PREFIX):
        return None
    return next((limit for prefix, limit in FORM_LIMITERS.items() if path.startswith(prefix)), None)


def _consume_form(limiter: FormLimiter, request: HttpRequest) -> int:
    """Count the form for a client that is known: signed in, or a browser that has signed in before,
    whose cookie can't be forged. Each browser has a count of its own, because its cookie may be
    from before a new password, and in other hands. When those of an account have used up what it
    may send, they count as strangers."""
    if request.user.is_authenticated:
        return limiter.try_consume(f"user {request.user.pk}", is_known=True)
    network = get_adapter().get_client_network(request)
    known = find_oldest_account(request.COOKIES.get(COOKIE_NAME))
    if known is None:
        return limiter.try_consume(network)
    account, device = known
    if limiter.is_group_used_up(f"devices of {account}"):
        return limiter.try_consume(network)
    name, group = f"device {device} of {account}", f"devices of {account}"
    return limiter.try_consume(name, is_known=True, group=group)


def clear_limiters() -> None:
    for limiter in FORM_LIMITERS.values():
        limiter.clear()
