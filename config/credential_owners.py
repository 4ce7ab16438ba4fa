"""Remembers the users of sessions and access tokens from the latest responses of this process, for
decisions before Django handles a request."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from accounts.tokens.paths import API_PATHS
from streaming.doors.client_identity import get_session_key
from streaming.doors.credentials import Credential, get_credential, load_access

MAX_REMEMBERED_CREDENTIALS = 10_000
CACHE_SECONDS = 60.0
"""The time for which an entry is valid. The session may have ended in another process."""


def find_credential(scope: Mapping[str, Any]) -> Credential | None:
    """Pages know sessions only, whatever a proxy writes into the header for tokens."""
    if scope["path"].startswith(API_PATHS):
        return get_credential(scope["headers"])
    key = get_session_key(scope["headers"])
    return Credential(key, is_token=False) if key else None


async def load_user(credential: Credential) -> Any:
    access = await load_access(credential)
    return access and access.user


class CredentialOwnerCache:
    """Finds owners by their credentials; `load_user` returns the user of an unknown one, or None.
    Each entry has the owner, and the time when it was learned."""

    def __init__(self, load_user: Callable[[Credential], Awaitable[Any]] = load_user) -> None:
        self._load_user = load_user
        self._owners: OrderedDict[Credential, tuple[Any, float]] = OrderedDict()

    def get_cached_owner(self, credential: Credential | None) -> Any:
        """The primary key of the user, or None."""
        owner, at = self._owners.get(credential, (None, 0.0)) if credential else (None, 0.0)
        return owner if time.monotonic() - at < CACHE_SECONDS else None

    async def find_owner(self, credential: Credential | None) -> Any:
        """Return the owner, with a query for an unknown credential. Raises Error during an outage
        of the database."""
        owner = self.get_cached_owner(credential)
        if owner is None and credential:
            user = await self._load_user(credential)
            owner = user.pk if user else None
            self.set_owner(credential, owner)
        return owner

    def set_owner(self, credential: Credential, owner: Any) -> None:
        """None makes the cache forget the credential."""
        self._owners.pop(credential, None)
        if owner is not None:
            self._owners[credential] = owner, time.monotonic()
            if len(self._owners) > MAX_REMEMBERED_CREDENTIALS:
                self._owners.popitem(last=False)


credential_owners = CredentialOwnerCache()
"""The cache of this process."""
