"""Uses a code: one of the authenticator app, or a recovery code."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from accounts.factors import events
from accounts.factors.code_attempts import CodeAttempt
from accounts.factors.recovery_codes import use_recovery_code
from accounts.factors.totp import is_readable, use_totp_code
from accounts.models import User
from accounts.rate_limits import RateLimit

LIMIT_MAIL_LIMIT = RateLimit("code-limit-mail", 1, 60 * 60)
"""Mails about reached limits to one person."""


class TooManyCodes(Exception):
    """A limit of wrong codes is reached, and the code was not checked."""


@sensitive_variables("code")
def use_code(request: HttpRequest, user: User, code: str) -> Authenticator | None:
    """Return the factor that the code belongs to, after which it is void, or None for a wrong code.
    Raises TooManyCodes."""
    attempt = CodeAttempt.from_request(request, user)
    if not attempt.try_consume():
        if LIMIT_MAIL_LIMIT.counter_for(user.pk).try_consume():
            events.report_event(events.CODE_LIMIT_REACHED, user, request)
        raise TooManyCodes
    factor = use_totp_code(user, code) or use_recovery_code(user, code)
    if factor is None:
        return None
    attempt.give_back()
    if factor.type == Authenticator.Type.RECOVERY_CODES:
        left = len(factor.data["hashes"])
        events.report_event(events.CODE_USED, user, request, codes_left=left)
    return factor


def is_app_unreadable(user: User) -> bool:
    """Return whether the account has an app whose codes can't be checked any more."""
    app = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    return app is not None and not is_readable(app)
