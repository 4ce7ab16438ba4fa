"""Whom sessions signed in when this process last answered them: what is decided before Django is
asked may rest on it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

REMEMBERED = 10_000


class KnownSessions:
    def __init__(self) -> None:
        self._owners: OrderedDict[str, Any] = OrderedDict()

    def owner(self, session: str | None) -> Any:
        """The primary key of the person, or None."""
        return self._owners.get(session) if session else None

    def learn(self, session: str, owner: Any) -> None:
        """None as the owner forgets the session."""
        self._owners.pop(session, None)
        if owner is not None:
            self._owners[session] = owner
            if len(self._owners) > REMEMBERED:
                self._owners.popitem(last=False)


known_sessions = KnownSessions()
"""Of this process."""
