"""How often a token may be used: one count for requests, event streams and sockets."""

from __future__ import annotations

from django.conf import settings

from accounts.memory_limits import FormLimiter
from accounts.models import AccessToken

_limiter = FormLimiter(settings.MAX_TOKEN_REQUESTS_PER_MINUTE, max_of_all=0)
"""The requests with each token in this process."""


def count_request(token: AccessToken) -> int:
    """Count one more. Return 0, or the seconds until the token may be used again."""
    return _limiter.try_consume(str(token.pk), is_known=True)
