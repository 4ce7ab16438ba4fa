"""Django's authentication, without its one effect that would sign people out after a change of
SECRET_KEY, or after the hash of a password was renewed.

Django gives a session from before that a new session key. Other requests of the same page, and open
sockets, still have the old one, which no longer exists.
"""

from __future__ import annotations

from functools import partial

from django.conf import settings
from django.contrib.auth import middleware
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject


class AuthenticationMiddleware(middleware.AuthenticationMiddleware):
    def process_request(self, request: HttpRequest) -> None:
        """While there are older keys, load the user at once. The session gets a hash of the newest
        key, and keeps its session key."""
        super().process_request(request)
        request.user = SimpleLazyObject(partial(_get_user, request))  # type: ignore[assignment]
        if settings.SECRET_KEY_FALLBACKS:
            _get_user(request)


def _get_user(request: HttpRequest) -> AbstractBaseUser | AnonymousUser:
    with request.session.keep_key():  # type: ignore[attr-defined]
        return middleware.get_user(request)
