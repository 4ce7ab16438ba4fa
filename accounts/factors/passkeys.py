"""Passkeys: creating one, and signing in or confirming with one.

allauth and fido2 check the challenge, the host, the signature and the user's verification. A
credential comes from a client: whatever is wrong with it, it is a wrong passkey, and no error of
the server.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.core import context as current
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.factors.addresses import is_own_origin
from accounts.models import User
from accounts.rate_limits import RateLimit

MAX_CREDENTIAL_CHARS = 32_000
MAX_PASSKEYS = 20
"""Passkeys of one account."""
ANSWER_LIMIT = RateLimit("answer-of-passkey", 1, 60 * 60)
"""allauth deletes the challenge from the session, which requests of the same moment still find."""
PARSE_ERRORS = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    RecursionError,
    NotImplementedError,
    struct.error,
    InvalidSignature,
    UnsupportedAlgorithm,
)
"""The errors of fido2 and cryptography for credentials that no browser makes."""
UNKNOWN_PASSKEY = _("This passkey did not work. Try again, or use another way.")
NOT_CREATED = _("This passkey could not be created. Try again.")


def begin_creation(user: User) -> dict[str, Any]:
    """Return the options for the browser. The session keeps their challenge."""
    options: dict[str, Any] = auth.begin_registration(user, passwordless=True)
    return options


def begin_use(user: User | None) -> dict[str, Any]:
    """Return the options for the browser. Without a user every passkey of this host is offered."""
    options: dict[str, Any] = auth.begin_authentication(user)
    return options


def complete_creation(text: str) -> dict[str, Any]:
    """Return the credential that the browser has created. Raises ValidationError."""
    with _raise_validation_error(NOT_CREATED):
        credential = _parse(text)
        _check_client_data(auth.parse_registration_response(credential).response.client_data)
        if not auth.complete_registration(credential).is_user_verified():
            raise ValueError("Without verification of the user")
    return credential


def complete_use(user: User | None, text: str) -> Authenticator:
    """Return the passkey that was used. Raises ValidationError."""
    with _raise_validation_error(UNKNOWN_PASSKEY):
        credential = _parse(text)
        client_data = auth.parse_authentication_response(credential).response.client_data
        _check_client_data(client_data)
        owner = user or auth.extract_user_from_response(credential)
        passkey: Authenticator = auth.complete_authentication(owner, credential)
        uses = ANSWER_LIMIT.counter_for(client_data.challenge.hex())
        if not uses.try_consume(allow_if_full=True):
            raise ValueError("Used by another request")
    return passkey


@contextmanager
def _raise_validation_error(message: Any) -> Iterator[None]:
    try:
        yield
    except (ValidationError, *PARSE_ERRORS):
        raise ValidationError(message) from None


def _parse(text: str) -> dict[str, Any]:
    credential = json.loads(text)
    if not isinstance(credential, dict):
        raise ValueError("No credential")
    return credential


def _check_client_data(client_data: Any) -> None:
    if not is_own_origin(current.request, client_data.origin) or client_data.cross_origin:
        raise ValueError("Made by another page")


def list_passkeys(user: User) -> list[Authenticator]:
    rows = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN)
    return list(rows.order_by("pk"))


def has_room_for_passkey(user: User) -> bool:
    return len(list_passkeys(user)) < MAX_PASSKEYS
