"""Codes of an authenticator app. The secret is sealed for its owner, and no code works twice.

A code is valid from a minute before its time to a minute after it. allauth remembers a used code
for 30 seconds only; here the row holds the last used counter, and only later codes are accepted.
"""

from __future__ import annotations

import time
from typing import Any

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
)
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from accounts.models import User
from accounts.rotation.registry import SealedText, register_sealed
from accounts.sealing import SealBroken, SealedSecret, open_sealed, seal_secret

SETUP_SESSION_KEY = "factors.totp_setup"
PERIOD_SECONDS, TOLERANCE_STEPS = 30, 2
PURPOSE, SETUP_PURPOSE = "totp", "totp setup"


@sensitive_variables("secret")
def start_setup(request: HttpRequest, user: User) -> str:
    """Return a new secret, which the session keeps, sealed, until a code of it is entered."""
    secret = generate_totp_secret()
    request.session[SETUP_SESSION_KEY] = seal_secret(secret, SETUP_PURPOSE, user.pk).to_text()
    return secret


def read_setup(request: HttpRequest, user: User) -> str | None:
    """Return the secret that the setup page has shown, or None if there is none."""
    try:
        sealed = SealedSecret.from_text(request.session.get(SETUP_SESSION_KEY, ""))
        return open_sealed(sealed, SETUP_PURPOSE, user.pk)
    except SealBroken:
        return None


def end_setup(request: HttpRequest) -> None:
    request.session.pop(SETUP_SESSION_KEY, None)


@sensitive_variables("secret")
def activate_totp(user: User, secret: str, code: str) -> Authenticator | None:
    """Store the secret if this is one of its codes, which can't be used again. Return None if it is
    not. An app that another request has added meanwhile is replaced."""
    counter = find_counter(secret, code, after=0)
    if counter is None:
        return None
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).delete()
        return Authenticator.objects.create(
            user=user, type=Authenticator.Type.TOTP, data=build_data(user.pk, secret, counter)
        )


def use_totp_code(user: User, code: str) -> Authenticator | None:
    """Return the authenticator if the code is valid and was not used. Simultaneous requests use it
    once. An app whose secret can't be decrypted has no valid code."""
    with transaction.atomic():
        apps = Authenticator.objects.select_for_update().filter(
            user=user, type=Authenticator.Type.TOTP
        )
        app = apps.first()
        if app is None:
            return None
        try:
            secret = open_totp_secret(app)
        except SealBroken:
            return None
        counter = find_counter(secret, code, after=app.data["last_counter"])
        if counter is None:
            return None
        app.data["last_counter"] = counter
        app.save(update_fields=["data"])
    return app


@sensitive_variables("secret")
def find_counter(secret: str, code: str, *, after: int) -> int | None:
    """Return the counter of a code that is valid now, if it is later than `after`."""
    for counter in _list_counters():
        expected = format_hotp_value(hotp_value(secret, counter))
        if compare_user_code(actual=code, expected=expected):
            return counter if counter > after else None
    return None


def _list_counters() -> range:
    """A clock may be off by a minute, in either direction."""
    now = int(read_clock()) // PERIOD_SECONDS
    return range(now - TOLERANCE_STEPS, now + TOLERANCE_STEPS + 1)


def read_clock() -> float:
    return time.time()


def open_totp_secret(app: Authenticator) -> str:
    """Raises SealBroken if its master key is gone."""
    return open_sealed(SealedSecret.from_text(app.data["secret"]), PURPOSE, app.user_id)


def is_readable(app: Authenticator) -> bool:
    try:
        open_totp_secret(app)
    except SealBroken:
        return False
    return True


def register_sealed_secrets() -> None:
    register_sealed(
        _("secrets of authenticator apps"),
        Authenticator,
        SealedText("data", entry="secret"),
        lambda app: (PURPOSE, app.user_id),
        rows=Q(type=Authenticator.Type.TOTP),
    )


def build_data(user_id: int, secret: str, last_counter: int) -> dict[str, Any]:
    sealed = seal_secret(secret, PURPOSE, user_id)
    return {"secret": sealed.to_text(), "last_counter": last_counter}
