"""Identifies the account that a page was made for, so that a page never acts for another
account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin

from accounts.models import User
from accounts.secret_keys import compute_codes, is_any_of
from accounts.tokens.paths import API_PATHS

FORM_FIELD = "account"
"""A field in the forms of a page, for browsers without scripts."""
HEADER_NAME = "X-Account"
"""A header in the requests of a page's scripts, and in the response that refuses one."""


def get_opaque_account_id(user: User | AnonymousUser) -> str:
    return list_opaque_account_ids(user)[0]


def list_opaque_account_ids(user: User | AnonymousUser) -> list[str]:
    """One for each secret key, newest first: a page may be older than the newest key."""
    if not user.is_authenticated:
        return [""]
    codes = compute_codes("accounts.page_account", str(user.pk))
    return [code.hex()[:32] for code in codes]


def is_account_id(named: str, user: User | AnonymousUser) -> bool:
    return is_any_of(named, list_opaque_account_ids(user))


def account_context(request: HttpRequest) -> dict[str, str]:
    user = getattr(request, "user", None)  # an error may come before the user is known
    if user is None:
        return {"account_id": "", "earlier_account_ids": ""}
    newest, *earlier = list_opaque_account_ids(user)
    return {"account_id": newest, "earlier_account_ids": " ".join(earlier)}


def get_submitted_account_id(request: HttpRequest) -> str:
    """ "" if the page names none. The API takes no forms, and its body could not be read any more
    after Django has read it as one."""
    named = request.headers.get(HEADER_NAME, "")
    if named or request.path.startswith(API_PATHS):
        return named
    return request.POST.get(FORM_FIELD, "")


class SameAccountMiddleware(MiddlewareMixin):
    """Refuse a request from the page of another account than the one that is signed in now, as
    after a sign-in in another tab. The text of a form is returned."""

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        named = get_submitted_account_id(request)
        if not named or not request.user.is_authenticated:
            return None  # the view asks a signed-out visitor to sign in
        if is_account_id(named, request.user):
            return None
        context = {"text": request.POST.get("text", "")}
        refusal = render(request, "errors/account_mismatch.html", context, status=409)
        refusal.headers[HEADER_NAME] = get_opaque_account_id(request.user)
        refusal.headers["Cache-Control"] = "no-store, private"
        return refusal


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form of a page that was open during a sign-in or sign-out. Browsers without scripts
    get their text back; a page of another site, which has another origin or none, gets nothing."""
    is_ours = "Origin" in request.headers and not reason.startswith("Origin checking failed")
    context = {"text": request.POST.get("text", "") if is_ours else ""}
    return render(request, "403_csrf.html", context, status=403)
