"""The provider keys of a user: saved, replaced, removed, and opened for nothing but a call.

A key goes in here and comes out again only for a call to its provider. Everything a person is shown
comes from the row: the last four characters, the dates, the result of the last check.
"""

from __future__ import annotations

import re

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.models import ApiKey, ListedModel, User
from accounts.sealing import SealedSecret, open_sealed, seal_secret
from streaming.providers.catalog import PROVIDERS, Provider

MAX_KEY_CHARS = 500
SHOWN_CHARS = 4
MIN_CHARS_TO_SHOW_END = 12
"""Of a key shorter than this not even the end is shown: it would be too much of it."""

# What an HTTP header can carry without being quoted or encoded.
HEADER_SAFE = re.compile(r"[!-~]+")


class UnknownProvider(LookupError):
    """There is no such provider, or it takes no key."""


def providers_needing_keys() -> list[Provider]:
    """The providers a key can be added for."""
    return [provider for provider in PROVIDERS.values() if provider.needs_key]


@sensitive_variables("secret")
def clean(secret: str) -> str:
    """The key without the blanks around it. Raises ValidationError, which never quotes it,
    if this can't be a key."""
    secret = secret.strip()
    if not secret:
        raise ValidationError("Paste the key here.")
    if len(secret) > MAX_KEY_CHARS:
        raise ValidationError(f"This is too long for a key: more than {MAX_KEY_CHARS} characters.")
    if not HEADER_SAFE.fullmatch(secret):
        raise ValidationError(
            "A key has no spaces, line breaks or special characters in it. "
            "Copy it once more, and only the key."
        )
    return secret


@sensitive_variables("secret")
def save(user: User, provider: str, secret: str) -> ApiKey:
    """Seal the key and keep it, in place of the one there may have been.

    Raises UnknownProvider, and ValidationError as `clean` does.
    """
    if provider not in {known.id for known in providers_needing_keys()}:
        raise UnknownProvider(provider)
    secret = clean(secret)
    sealed = seal_secret(secret, user_id=user.pk, provider=provider)
    key, _ = ApiKey.objects.update_or_create(
        user=user,
        provider=provider,
        defaults={
            "sealed": sealed.ciphertext,
            "master_key_id": sealed.master_key_id,
            "last_four": secret[-SHOWN_CHARS:] if len(secret) >= MIN_CHARS_TO_SHOW_END else "",
            "created_at": timezone.now(),
            "last_used_at": None,
            "last_checked_at": None,
            "check_result": "",
        },
    )
    return key


def remove(user: User, provider: str) -> bool:
    """Forget the key. False if there was none."""
    deleted, _ = ApiKey.objects.filter(user=user, provider=provider).delete()
    return deleted > 0


def decrypt_for_call(user: User, provider: str) -> str | None:
    """The key itself, for a call to the provider that is about to be made, which is noted as
    its last use. None if the user has none; raises SealBroken, whose message says what to do,
    if it can no longer be opened."""
    key = ApiKey.objects.filter(user=user, provider=provider).first()
    if key is None:
        return None
    secret = decrypt_for_check(key)
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now())
    return secret


def decrypt_for_check(key: ApiKey) -> str:
    """The key itself, for asking the provider about it: nothing its owner would call a use.
    Raises SealBroken."""
    sealed = SealedSecret(key.master_key_id, bytes(key.sealed))
    return open_sealed(sealed, user_id=key.user_id, provider=key.provider)


def providers_with_key(user: User) -> set[str]:
    """The providers this user has a key for. One whose master key is gone is none."""
    return set(key_status_by_provider(user))


def key_status_by_provider(user: User) -> dict[str, str]:
    """What the last check of each of this user's keys said, by provider; empty for a key that was
    never checked. One whose master key is gone is none."""
    keys = ApiKey.objects.filter(user=user, master_key_id__in=list(settings.MASTER_KEYS))
    return dict(keys.values_list("provider", "check_result"))


def listed_model_ids(user: User) -> set[str]:
    """The ids of the models that this user's providers list for their keys."""
    listed = ListedModel.objects.filter(key__user=user)
    return set(listed.values_list("model_id", flat=True))
