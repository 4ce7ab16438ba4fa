"""Ends a half-finished sign-in when its account changes: a sign-in that waits for a code, say.

It is kept in a session that belongs to nobody yet, so that a new password does not end it as it
ends other sessions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account.internal.stagekit import LOGIN_SESSION_KEY, clear_login
from allauth.account.signals import authentication_step_completed
from allauth.account.utils import url_str_to_user_pk
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext as _

from accounts.email_addresses import find_user_by_email
from accounts.models import User

PREFIX = "/accounts/"
STATE_KEY = "account"
"""In the state of allauth's `Login`: the account as it was when the sign-in began."""
PROVEN_HASH = "proven_session_hash"


@receiver(authentication_step_completed)
def remember_proven_hash(request: HttpRequest, user: User, **_: Any) -> None:
    """The password may change between its check and the end of the request."""
    setattr(request, PROVEN_HASH, user.get_session_auth_hash())


class PendingSignInMiddleware(MiddlewareMixin):
    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> None:
        if not _may_have_session(request):
            return
        pending: Any = request.session.get(LOGIN_SESSION_KEY)
        user = _find_user(pending)
        if user is not None and not _is_unchanged(pending, user):
            clear_login(request)
            messages.info(request, _("Your account has changed meanwhile. Sign in again."))

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if hasattr(request, "_account_login_accessed"):  # allauth has stored or read one
            pending: Any = request.session.get(LOGIN_SESSION_KEY)
            user = _find_user(pending)
            if user is not None and STATE_KEY not in pending["state"]:
                pending["state"][STATE_KEY] = {
                    "hash": getattr(request, PROVEN_HASH, user.get_session_auth_hash()),
                    "email": _find_own_address(pending, user),
                }
                request.session[LOGIN_SESSION_KEY] = pending
        return response


def find_pending_user_id(session: dict[str, Any]) -> int | None:
    """Return the id of the account that a session has half signed in to."""
    pending = session.get(LOGIN_SESSION_KEY)
    key = pending.get("user_pk") if isinstance(pending, dict) else None
    try:
        return int(url_str_to_user_pk(key)) if key else None
    except (ValueError, ValidationError):
        return None


def _may_have_session(request: HttpRequest) -> bool:
    is_sent = settings.SESSION_COOKIE_NAME in request.COOKIES
    return is_sent and request.path.startswith(PREFIX)


def _find_user(pending: Any) -> User | None:
    user_id = find_pending_user_id({LOGIN_SESSION_KEY: pending})
    return None if user_id is None else User.objects.filter(pk=user_id).first()


def _is_unchanged(pending: dict[str, Any], user: User) -> bool:
    before = pending["state"].get(STATE_KEY) or {"hash": "", "email": ""}
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    if not any(constant_time_compare(before["hash"], one) for one in hashes):
        return False
    return not before["email"] or find_user_by_email(before["email"]) == user


def _find_own_address(pending: dict[str, Any], user: User) -> str:
    """The address that the sign-in uses, if it belongs to the account. One that is still to be
    confirmed belongs to none."""
    stages = pending["state"].get("stages", {})
    mailed = stages.get("login_by_code", {}).get("data", {}).get("email")
    email = str(mailed or pending.get("email") or "")
    return email if email and find_user_by_email(email) == user else ""
