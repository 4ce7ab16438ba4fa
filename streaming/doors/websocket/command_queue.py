"""The application's commands of one socket: they run one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from streaming.doors import frames
from streaming.doors.commands import get_command, run_in_turn
from streaming.doors.credentials import Credential
from streaming.doors.frames import FrameRejected
from streaming.doors.websocket.protocol import ApplicationCommand

MAX_WAITING_COMMANDS = 10
"""Commands of a socket that run or wait."""


class CommandQueue:
    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting_count = 0

    def reserve_place(self, command: ApplicationCommand) -> None:
        """Raises FrameRejected."""
        if self._waiting_count >= MAX_WAITING_COMMANDS:
            text = f"A socket may have up to {MAX_WAITING_COMMANDS} commands without an answer."
            raise FrameRejected("too_many", text, request=command.request)
        self._waiting_count += 1

    @asynccontextmanager
    async def wait_for_turn(self) -> AsyncIterator[None]:
        """Releases the place at the end."""
        try:
            async with self._turn:
                yield
        finally:
            self._waiting_count -= 1


async def run_command(user: Any, credential: Credential, command: ApplicationCommand) -> str:
    """Return the frame that answers. Raises DatabaseError."""
    found = get_command(command.name)
    assert found is not None
    try:
        call = partial(found.run, user, credential, command.fields)
        answer = await run_in_turn(user.pk, call)
    except FrameRejected as rejection:
        rejection.request = command.request
        return frames.encode_error(rejection)
    return frames.encode_answer(found.answer, command.request, answer)
