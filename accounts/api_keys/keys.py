"""The provider keys of a user: save, replace, remove, and decrypt for a call.

A key is stored here and decrypted only for a call to its provider. Everything that pages show comes
from the row: the last four characters, the dates, the result of the last check.
"""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables

from accounts.api_keys.seal_context import build_seal_context
from accounts.models import ApiKey, ListedModel, User
from accounts.rotation.registry import SealedColumns, register_sealed
from accounts.sealing import SealedSecret, open_sealed, seal_secret
from streaming.providers.catalog import Provider, list_providers

MAX_KEY_CHARS = 500
SHOWN_CHARS = 4
MIN_CHARS_TO_SHOW_END = 12
"""No part of a shorter key is shown, because four characters would reveal too much."""

# Characters that an HTTP header can carry without quoting or encoding.
HEADER_SAFE = re.compile(r"[!-~]+")


class UnknownProvider(LookupError):
    """The provider does not exist, or needs no key."""


def providers_needing_keys() -> list[Provider]:
    return [each for each in list_providers() if each.needs_key and not each.is_connection]


@sensitive_variables("secret")
def clean(secret: str) -> str:
    """Return the key without surrounding blanks. Raises ValidationError if it can't be a key; the
    message never quotes it."""
    secret = secret.strip()
    if not secret:
        raise ValidationError(_("Paste the key here."))
    if len(secret) > MAX_KEY_CHARS:
        raise ValidationError(
            _("This is too long for a key: more than %(count)s characters.")
            % {"count": MAX_KEY_CHARS}
        )
    if not HEADER_SAFE.fullmatch(secret):
        raise ValidationError(
            _(
                "A key has no spaces, line breaks or special characters. "
                "Copy it again, and only the key."
            )
        )
    return secret


@sensitive_variables("secret")
def save(user: User, provider: str, secret: str) -> ApiKey:
    """Encrypt the key and store it in place of an earlier one.

    Raises UnknownProvider, and ValidationError as `clean` does.
    """
    if provider not in {known.id for known in providers_needing_keys()}:
        raise UnknownProvider(provider)
    secret = clean(secret)
    sealed = seal_secret(secret, *build_seal_context(user.pk, provider))
    key, _created = ApiKey.objects.update_or_create(
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
    """Delete the key. Return False if there was none."""
    deleted, _rows = ApiKey.objects.owned_by(user).filter(provider=provider).delete()
    return deleted > 0


def decrypt_for_call(user: User, provider: str) -> str | None:
    """Return the key for a call that is about to be made, and record the call as its last use.
    Return None if the user has none. Raises SealBroken, whose message says what to do, if it can't
    be decrypted any more."""
    key = ApiKey.objects.owned_by(user).filter(provider=provider).first()
    if key is None:
        return None
    secret = decrypt_for_check(key)
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now())
    return secret


def decrypt_for_check(key: ApiKey) -> str:
    """Return the key for a check, which does not count as use. Raises SealBroken."""
    sealed = SealedSecret(key.master_key_id, bytes(key.sealed))
    return open_sealed(sealed, *build_seal_context(key.user_id, key.provider))


def register_sealed_keys() -> None:
    register_sealed(
        gettext_lazy("API keys"),
        ApiKey,
        SealedColumns("sealed", "master_key_id"),
        lambda key: build_seal_context(key.user_id, key.provider),
    )


def providers_with_key(user: User) -> set[str]:
    """Keys whose master key is gone are left out."""
    return set(key_status_by_provider(user))


def key_status_by_provider(user: User) -> dict[str, str]:
    """The status is empty for a key that was never checked. Keys whose master key is gone are left
    out."""
    return {key.provider: key.check_result for key in _list_keys(user) if key.can_be_opened}


def providers_with_lost_key(user: User) -> set[str]:
    """Of keys whose master key is gone, so that their owner has to enter them again."""
    return {key.provider for key in _list_keys(user) if not key.can_be_opened}


def _list_keys(user: User) -> QuerySet[ApiKey]:
    fields = ("user_id", "provider", "check_result", "sealed", "master_key_id")
    return ApiKey.objects.owned_by(user).order_by().only(*fields)


def listed_model_ids(user: User, provider: str) -> set[str]:
    """The names that the provider lists for the user's key."""
    listed = ListedModel.objects.owned_by(user).filter(key__provider=provider)
    return set(listed.values_list("model_id", flat=True))
