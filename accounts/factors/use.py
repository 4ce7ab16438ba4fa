"""Records that a factor was used to sign in or to confirm."""

from __future__ import annotations

from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.http import HttpRequest


def record_use(
    request: HttpRequest,
    factor: Authenticator,
    *,
    reauthenticated: bool = False,
    passwordless: bool = False,
) -> bool:
    """Return False if another request has removed the factor since it was checked. It then proves
    nothing any more."""
    with transaction.atomic():
        rows = Authenticator.objects.select_for_update(of=("self",))
        if not rows.filter(pk=factor.pk).exists():
            return False
        post_authentication(
            request, factor, reauthenticated=reauthenticated, passwordless=passwordless
        )
    return True
