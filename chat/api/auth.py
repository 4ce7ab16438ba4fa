"""Lets programs with an access token use the API, and our own pages with a session."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.allauth_views import has_recent_confirmation
from accounts.models import User
from accounts.tokens.limits import count_request
from accounts.tokens.models import Scope
from accounts.tokens.tokens import find_tokens, record_use
from chat.api.problems import Problem
from streaming.doors.credentials import Credential, get_credential
from streaming.doors.origin import is_same_origin_request

JSON_TYPES = frozenset({"application/json"})
EMPTY = (None, "", "0")
"""Lengths of a body that is not there."""


class ApiUser:
    """Called by django-ninja before each operation. Returns the user or raises Problem. Reading
    needs the right “read” or “write”, all other methods the right “write”."""

    def __call__(self, request: HttpRequest) -> User:
        return authenticate(request, Scope.READ if request.method == "GET" else Scope.WRITE)


def authenticate(request: HttpRequest, needed: Scope) -> User:
    """The user of a program's token with a right, or of a session of our own pages. Raises
    Problem."""
    headers = _get_headers(request)
    credential = get_credential(headers)
    if credential is not None and credential.is_token:
        user = _authenticate_token(request, credential, needed)
    else:
        user = _authenticate_session(request, {"headers": headers})
    require_json(request)
    return user


def authenticate_program(request: HttpRequest, needed: Scope) -> User:
    """The user of a token with a right; cookies count for nothing. Raises Problem."""
    credential = get_credential(_get_headers(request))
    if credential is None or not credential.is_token:
        raise build_signed_out()
    return _authenticate_token(request, credential, needed)


def _get_headers(request: HttpRequest) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower().encode(), value.encode("latin-1", "replace"))
        for name, value in request.headers.items()
    ]


def require_json(request: HttpRequest) -> None:
    """A form of a browser is no JSON, so no page of another site can send one that is read."""
    if request.content_type not in JSON_TYPES and _has_body(request):
        raise Problem(415, "no_json", _("Send JSON, as “Content-Type: application/json”."))


def _has_body(request: HttpRequest) -> bool:
    """A body that is sent in chunks has no length, so it has to be looked at."""
    return request.META.get("CONTENT_LENGTH") not in EMPTY or bool(request.body)


def get_user(request: HttpRequest) -> User:
    """The user that ApiUser has found."""
    user: User = request.auth  # type: ignore[attr-defined]
    return user


def _authenticate_token(request: HttpRequest, credential: Credential, needed: Scope) -> User:
    user = use_token(credential, needed)
    request.token_user = user  # type: ignore[attr-defined] # config/request_queue.py reads it
    return user


def authenticate_socket(user: Any, credential: Credential, needed: Scope) -> User:
    """For a message of a socket that has just checked its session, and that its page is ours.
    Raises Problem."""
    if credential.is_token:
        return use_token(credential, needed)
    found = User.objects.filter(pk=user.pk, is_active=True).first()
    if found is None:
        raise build_signed_out()
    return found


def use_token(credential: Credential, needed: Scope) -> User:
    """The user of a valid token with a right. Counts and records the use. Raises Problem."""
    token = find_tokens([credential.value]).get(credential.value)
    if token is None:
        raise build_signed_out()
    if seconds := count_request(token):
        text = _("This access token was used too often. Try again in a moment.")
        raise Problem(429, "too_many", text, headers={"Retry-After": str(seconds)})
    if not token.allows(needed):
        text = _("This access token does not have the right “%(right)s”.")
        raise Problem(403, "missing_right", text % {"right": needed.value})
    record_use([token])
    return token.user


def _authenticate_session(request: HttpRequest, scope: dict[str, Any]) -> User:
    user = request.user
    if not user.is_authenticated:
        raise build_signed_out()
    is_named = request.method == "GET" or _names_origin(request)
    if not is_named or not is_same_origin_request(scope):
        raise _build_foreign_page()
    return user


def require_recent_confirmation(request: HttpRequest) -> None:
    """For what a page of ours does only after the person has proved to be there. A token has its
    rights instead. Raises Problem."""
    if not hasattr(request, "token_user") and not has_recent_confirmation(request):
        text = _("Confirm it’s you at /accounts/reauthenticate/, then try again.")
        raise Problem(403, "confirm_first", text)


def _names_origin(request: HttpRequest) -> bool:
    """Browsers name the page that sends a POST. A client that does not is no page of ours."""
    return "Origin" in request.headers or "Sec-Fetch-Site" in request.headers


def build_signed_out() -> Problem:
    text = _("Send a valid access token, as “Authorization: Bearer hft_…”.")
    return Problem(401, "signed_out", text, headers={"WWW-Authenticate": "Bearer"})


def _build_foreign_page() -> Problem:
    text = _("A request with a cookie must come from one of our own pages.")
    return Problem(403, "foreign_page", text)
