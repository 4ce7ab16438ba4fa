"""Remembers the users of sessions from the latest responses of this process, for decisions before
Django handles a request."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from streaming.doors.sessions import load_session_user

MAX_REMEMBERED_SESSIONS = 10_000
CACHE_SECONDS = 60.0
"""The time for which an entry is valid. The session may have ended in another process."""


class SessionOwnerCache:
    """Finds owners by their sessions; `load_user` returns the user of an unknown session, or None.
    Each entry has the owner, and the time when it was learned."""

    def __init__(self, load_user: Callable[[str], Awaitable[Any]] = load_session_user) -> None:
        self._load_user = load_user
        self._owners: OrderedDict[str, tuple[Any, float]] = OrderedDict()

    def get_cached_owner(self, session: str | None) -> Any:
        """The primary key of the user, or None."""
        owner, at = self._owners.get(session or "", (None, 0.0))
        return owner if time.monotonic() - at < CACHE_SECONDS else None

    async def find_owner(self, session: str | None) -> Any:
        """Return the owner, with a query for an unknown session. Raises Error during an outage of
        the database."""
        owner = self.get_cached_owner(session)
        if owner is None and session:
            user = await self._load_user(session)
            owner = user.pk if user else None
            self.set_owner(session, owner)
        return owner

    def set_owner(self, session: str, owner: Any) -> None:
        """None makes the cache forget the session."""
        self._owners.pop(session, None)
        if owner is not None:
            self._owners[session] = owner, time.monotonic()
            if len(self._owners) > MAX_REMEMBERED_SESSIONS:
                self._owners.popitem(last=False)


session_owners = SessionOwnerCache()
"""The cache of this process."""
