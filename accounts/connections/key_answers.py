"""Stores what a provider says about a key at a reply, as a check of the key would."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from accounts.api_keys.statuses import KeyStatus
from accounts.connections.access import ProviderAccess
from accounts.connections.models import Connection
from accounts.models import ApiKey, User


def needs_storing(access: ProviderAccess, *, is_accepted: bool) -> bool:
    """Return False for an accepted key that was not rejected before: most replies need no query."""
    return not is_accepted or access.key_status == KeyStatus.INVALID


def store_key_answer(user: User, provider: str, access: ProviderAccess, is_accepted: bool) -> None:
    """Store nothing if the key was replaced after the call."""
    status = KeyStatus.VALID if is_accepted else KeyStatus.INVALID
    _find_row(user, provider, access).update(check_result=status, last_checked_at=timezone.now())


def _find_row(user: User, provider: str, access: ProviderAccess) -> QuerySet[Any]:
    if connection := access.connection:
        return Connection.objects.filter(
            pk=connection.pk, sealed=connection.sealed, address=connection.address
        )
    own = ApiKey.objects.owned_by(user)
    return own.filter(provider=provider, created_at__lte=access.opened_at)
