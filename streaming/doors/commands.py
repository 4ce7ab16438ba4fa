"""Commands that an application adds to the socket, such as one that starts a stream.

The engine does not know what they do. It bounds them, runs each in a database thread at its
person's turn, and sends the answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from streaming.database import run_command_in_db
from streaming.doors.credentials import Credential

MAX_REQUEST_CHARS = 200
"""The longest id of a request."""

T = TypeVar("T")

Fields = Mapping[str, Any]
"""The fields of a frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCommand:
    """A kind of frame of a client. Each has a `request`, the client's own name for it.

    `run(user, credential, fields)` is called in a thread and may use the database. It returns the
    fields of the answer, or raises `FrameRejected`. A client sends a command again whose answer it
    missed, so the same request must have one effect. The session was valid a moment ago; the rights
    of a token are for the command to check.
    """

    run: Callable[[Any, Credential, Fields], Fields]
    answer: str
    """The type of the answering frame."""
    cost: int = 10
    """How many commands it counts for."""


_commands: dict[str, ClientCommand] = {}


def register_command(name: str, command: ClientCommand) -> None:
    """Register a command under the `type` of its frames."""
    _commands[name] = command


def get_command(name: str) -> ClientCommand | None:
    return _commands.get(name)


def list_commands() -> tuple[str, ...]:
    return tuple(_commands)


TurnRunner = Callable[[Any, Callable[[], Any]], Awaitable[Any]]
"""Runs a function in a thread at the turn of the user with this id. May raise FrameRejected."""


async def _run_at_once(user_id: Any, function: Callable[[], Any]) -> Any:
    return await run_command_in_db(function)


_run_in_turn: TurnRunner = _run_at_once


def set_turn_runner(runner: TurnRunner) -> None:
    """For a server that bounds what each person does at once. By default commands run at once."""
    global _run_in_turn
    _run_in_turn = runner


async def run_in_turn(user_id: Any, function: Callable[[], T]) -> T:
    """Run a command that starts a stream. Raises FrameRejected if its user has too much running."""
    result: T = await _run_in_turn(user_id, function)
    return result
