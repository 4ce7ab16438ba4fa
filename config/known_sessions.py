"""Whom sessions signed in when this process last answered them: what is decided before Django is
asked may rest on it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from django.db.utils import Error

from streaming.sessions import signed_in

REMEMBERED = 10_000


class KnownSessions:
    """Finds owners by their sessions; `ask` gives the user of a session that is not known, or
    None."""

    def __init__(self, ask: Callable[[str], Awaitable[Any]] = signed_in) -> None:
        self._ask = ask
        self._owners: OrderedDict[str, Any] = OrderedDict()

    def owner(self, session: str | None) -> Any:
        """The primary key of the person, or None."""
        return self._owners.get(session) if session else None

    async def find_owner(self, session: str | None) -> Any:
        """The same, of any session: the database is asked about one that is not known. None where
        it is away."""
        owner = self.owner(session)
        if owner is None and session:
            try:
                user = await self._ask(session)
            except Error:
                return None
            owner = user.pk if user else None
            self.learn(session, owner)
        return owner

    def learn(self, session: str, owner: Any) -> None:
        """None as the owner forgets the session."""
        self._owners.pop(session, None)
        if owner is not None:
            self._owners[session] = owner
            if len(self._owners) > REMEMBERED:
                self._owners.popitem(last=False)


known_sessions = KnownSessions()
"""Of this process."""
