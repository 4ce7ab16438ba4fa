"""Django's authentication, without its one effect that would sign people out after a change of
SECRET_KEY.

Django gives a session that was opened under an older key a new session key. Other requests of the
same page, and open sockets, still have the old one, which no longer exists.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import middleware
from django.http import HttpRequest


class AuthenticationMiddleware(middleware.AuthenticationMiddleware):
    def process_request(self, request: HttpRequest) -> None:
        """While there are older keys, load the user at once. The session gets a hash of the newest
        key, and keeps its session key."""
        super().process_request(request)
        if settings.SECRET_KEY_FALLBACKS:
            with request.session.keep_key():  # type: ignore[attr-defined]
                middleware.get_user(request)
