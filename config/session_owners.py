"""Whom sessions signed in when this process last answered them: what is decided before Django is
asked may rest on it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from streaming.sessions import load_session_user

MAX_REMEMBERED_SESSIONS = 10_000
CACHE_SECONDS = 60.0
"""How long an answer counts. The session may have ended in another process."""


class SessionOwnerCache:
    """Finds owners by their sessions; `load_user` gives the user of a session that is not known, or
    None. For each session it has the owner, and when it learned that."""

    def __init__(self, load_user: Callable[[str], Awaitable[Any]] = load_session_user) -> None:
        self._load_user = load_user
        self._owners: OrderedDict[str, tuple[Any, float]] = OrderedDict()

    def get_cached_owner(self, session: str | None) -> Any:
        """The primary key of the person, or None."""
        owner, at = self._owners.get(session or "", (None, 0.0))
        return owner if time.monotonic() - at < CACHE_SECONDS else None

    async def find_owner(self, session: str | None) -> Any:
        """The same, of any session: the database is asked about one that is not known. Raises
        Error where it is away."""
        owner = self.get_cached_owner(session)
        if owner is None and session:
            user = await self._load_user(session)
            owner = user.pk if user else None
            self.set_owner(session, owner)
        return owner

    def set_owner(self, session: str, owner: Any) -> None:
        """None as the owner forgets the session."""
        self._owners.pop(session, None)
        if owner is not None:
            self._owners[session] = owner, time.monotonic()
            if len(self._owners) > MAX_REMEMBERED_SESSIONS:
                self._owners.popitem(last=False)


session_owners = SessionOwnerCache()
"""Of this process."""
