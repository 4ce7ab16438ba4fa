"""Lets programs with an access token use the API, and our own pages with a session."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.memory_limits import FormLimiter
from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import find_tokens, record_use
from chat.api.problems import Problem
from streaming.doors.credentials import Credential, get_credential
from streaming.doors.origin import is_same_origin_request

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_limiter = FormLimiter(settings.MAX_TOKEN_REQUESTS_PER_MINUTE, max_of_all=0)
"""The requests with each token."""

SIGNED_OUT = Problem(
    401,
    "signed_out",
    _("Send a valid access token, as “Authorization: Bearer hft_…”."),
    headers={"WWW-Authenticate": "Bearer"},
)
FOREIGN_PAGE = Problem(
    403, "foreign_page", _("A request with a cookie must come from one of our own pages.")
)


class ApiUser:
    """Called by django-ninja before each operation. Returns the user or raises Problem. Reading
    needs the right “read”, all other methods the right “write”."""

    def __call__(self, request: HttpRequest) -> User:
        headers = [
            (name.lower().encode(), value.encode("latin-1", "replace"))
            for name, value in request.headers.items()
        ]
        credential = get_credential(headers)
        if credential is not None and credential.is_token:
            return _authenticate_token(request, credential)
        return _authenticate_session(request, {"headers": headers})


def get_user(request: HttpRequest) -> User:
    """The user that ApiUser has found."""
    user: User = request.auth  # type: ignore[attr-defined]
    return user


def _authenticate_token(request: HttpRequest, credential: Credential) -> User:
    token = find_tokens([credential.value]).get(credential.value)
    if token is None:
        raise SIGNED_OUT
    needed = Scope.READ if request.method in SAFE_METHODS else Scope.WRITE
    if needed not in token.scopes:
        text = _("This access token does not have the right “%(right)s”.")
        raise Problem(403, "missing_right", text % {"right": needed.value})
    if seconds := _limiter.try_consume(str(token.pk), is_known=True):
        text = _("This access token was used too often. Try again in a moment.")
        raise Problem(429, "too_many", text, headers={"Retry-After": str(seconds)})
    record_use([token])
    request.token_user = token.user  # type: ignore[attr-defined] # config/request_queue.py reads it
    return token.user


def _authenticate_session(request: HttpRequest, scope: dict[str, Any]) -> User:
    user = request.user
    if not user.is_authenticated:
        raise SIGNED_OUT
    is_safe = request.method in SAFE_METHODS
    if not is_same_origin_request(scope) or not (is_safe or _names_origin(request)):
        raise FOREIGN_PAGE
    return user


def _names_origin(request: HttpRequest) -> bool:
    """Browsers name the page that sends a POST. A client that does not is no page of ours."""
    return "Origin" in request.headers or "Sec-Fetch-Site" in request.headers
