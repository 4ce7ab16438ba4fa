"""Which account a page was made for, so that one account's page never acts in another's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.deprecation import MiddlewareMixin

from accounts.models import User

FORM_FIELD = "account"
"""In the forms of a page, for browsers without scripts."""
HEADER_NAME = "X-Account"
"""In the requests of a page's scripts, and in the answer that refuses one of them."""


def get_opaque_account_id(user: User | AnonymousUser) -> str:
    """A name for this account that says nothing about it to others; "" for anonymous visitors."""
    if not user.is_authenticated:
        return ""
    return salted_hmac("accounts.page_account", str(user.pk), algorithm="sha256").hexdigest()[:32]


def account_context(request: HttpRequest) -> dict[str, str]:
    """For every template: the account its page is made for."""
    user = getattr(request, "user", None)  # an error may come before anybody knows
    return {"account_id": get_opaque_account_id(user) if user is not None else ""}


def get_submitted_account_id(request: HttpRequest) -> str:
    """The account of the page this request comes from, as that page says; "" if it says none."""
    return request.headers.get(HEADER_NAME, "") or request.POST.get(FORM_FIELD, "")


class SameAccountMiddleware(MiddlewareMixin):
    """Refuse what comes from the page of another account than the one that is signed in now, as
    when somebody else has signed in in another tab. The text of a form is given back."""

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        named = get_submitted_account_id(request)
        if not named or not request.user.is_authenticated:
            return None  # who is signed out is asked to sign in by the view
        current = get_opaque_account_id(request.user)
        if constant_time_compare(named, current):
            return None
        context = {"text": request.POST.get("text", "")}
        refusal = render(request, "errors/account_mismatch.html", context, status=409)
        refusal.headers[HEADER_NAME] = current
        refusal.headers["Cache-Control"] = "no-store, private"
        return refusal


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A page that was open while somebody signed in or out. Browsers without scripts get back what
    they typed; a page of another site, which has another origin or none, gets nothing."""
    is_ours = "Origin" in request.headers and not reason.startswith("Origin checking failed")
    context = {"text": request.POST.get("text", "") if is_ours else ""}
    return render(request, "403_csrf.html", context, status=403)
