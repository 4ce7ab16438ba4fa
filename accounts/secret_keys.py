"""Codes that are made with SECRET_KEY, and checked with it and the older keys in
SECRET_KEY_FALLBACKS: a change of the key makes none of them void."""

from __future__ import annotations

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac


def list_secret_keys() -> list[str]:
    """Newest first."""
    return [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


def compute_codes(salt: str, value: str) -> list[bytes]:
    """The codes of all keys, newest first."""
    return [
        salted_hmac(salt, value, secret=secret, algorithm="sha256").digest()
        for secret in list_secret_keys()
    ]


def is_any_of(given: str, accepted: list[str]) -> bool:
    return any(constant_time_compare(given, code) for code in accepted)
