"""Known browsers, which have signed in to an account before. Strangers who guess passwords do not
lock them out.

The cookie does not sign anybody in. For each account it holds a random id of the browser and a code
over that id, the account and its password hash. A new password makes it void.

A browser that has only set a new password, by a link in a mail, is known for passwords and not for
codes. Otherwise a reader of the mails could make one known browser after the other, and guess the
second factor with each.
"""

from __future__ import annotations

import secrets

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.models import User
from accounts.secret_keys import compute_codes, is_any_of

COOKIE_NAME = "device"
COOKIE_MAX_AGE_SECONDS = 365 * 24 * 60 * 60
COOKIE_PATH = "/accounts/"
MAX_ACCOUNTS_PER_DEVICE = 5
"""Accounts that one browser is remembered for."""
SALT = "accounts.devices"
NOT_SIGNED_IN = "."
"""The beginning of the id of a browser that has never completed a sign-in to the account."""


def find_device_id(request: HttpRequest, user: User) -> str | None:
    """None unless this browser has signed in to this account with its current password."""
    device, code = _read_cookie(request).get(str(user.pk), ("", ""))
    return device if device and is_any_of(code, _list_signatures(device, user)) else None


def find_signed_in_device_id(request: HttpRequest, user: User) -> str | None:
    """None also for a browser that has set a new password and has never signed in completely."""
    device = find_device_id(request, user)
    return None if device is None or device.startswith(NOT_SIGNED_IN) else device


def remember_device(
    request: HttpRequest, response: HttpResponseBase, user: User, *, has_signed_in: bool = True
) -> None:
    """A browser that signed in with an earlier password keeps its id, and so its counts."""
    accounts = _read_cookie(request)
    device, _ = accounts.pop(str(user.pk), ("", ""))
    if not device or (has_signed_in and device.startswith(NOT_SIGNED_IN)):
        device = ("" if has_signed_in else NOT_SIGNED_IN) + secrets.token_urlsafe(12)
    accounts[str(user.pk)] = (device, _list_signatures(device, user)[0])
    newest = dict(list(accounts.items())[-MAX_ACCOUNTS_PER_DEVICE:])
    response.set_cookie(
        COOKIE_NAME,
        signing.dumps(newest, salt=SALT),
        max_age=COOKIE_MAX_AGE_SECONDS,
        path=COOKIE_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def find_oldest_account(cookie: str | None) -> tuple[int, str] | None:
    """Return the id of the oldest account that a browser with this cookie has signed in to, maybe
    with an older password, and the id of the browser there. Needs no query."""
    accounts = _decode_cookie(cookie or "")
    return min(((int(user), device) for user, (device, _) in accounts.items()), default=None)


def _list_signatures(device: str, user: User) -> list[str]:
    """By the newest secret key first."""
    value = f"{device}:{user.pk}:{user.password}"
    return [code.hex() for code in compute_codes(SALT, value)]


def _read_cookie(request: HttpRequest) -> dict[str, tuple[str, str]]:
    return _decode_cookie(request.COOKIES.get(COOKIE_NAME, ""))


def _decode_cookie(cookie: str) -> dict[str, tuple[str, str]]:
    """The browser's id and the code, by the id of the account."""
    try:
        stored = signing.loads(cookie, salt=SALT, max_age=COOKIE_MAX_AGE_SECONDS)
        return {str(user): (str(device), str(code)) for user, (device, code) in stored.items()}
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        return {}
