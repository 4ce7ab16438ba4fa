"""How fast the commands of one user are handled, over all sockets of this process. Each costs the
event loop a part of a millisecond, and a client can send a hundred thousand in a second."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakValueDictionary

MAX_COMMANDS_PER_SECOND = 250
"""Commands of one user that are handled in a second. Further ones wait, in the order of their
socket."""
MAX_COMMANDS_AT_ONCE = 1_000
"""Commands that need not wait after a pause, such as those of many tabs that reconnect."""
FOLLOW_COST = 10
"""A follow counts as so many commands, because it reads the journal."""


class CommandPace:
    """The turns of one user's commands."""

    def __init__(self) -> None:
        self._next_at = 0.0

    def reserve_turn(self, cost: int = 1) -> float:
        """Take the next turn, for so many commands. Return the seconds until then."""
        now = asyncio.get_running_loop().time()
        earliest = now - MAX_COMMANDS_AT_ONCE / MAX_COMMANDS_PER_SECOND
        turn_at = max(self._next_at, earliest)
        self._next_at = turn_at + cost / MAX_COMMANDS_PER_SECOND
        return max(0.0, turn_at - now)


_paces: WeakValueDictionary[Any, CommandPace] = WeakValueDictionary()


def get_pace(user_id: Any) -> CommandPace:
    """Return the pace that all sockets of this user share. It is kept as long as one holds it."""
    return _paces.setdefault(user_id, CommandPace())
