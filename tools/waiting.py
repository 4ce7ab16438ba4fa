"""Wait for a condition with a deadline, instead of a sleep of a guessed time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.02  # between two checks


def until(condition: Callable[[], T], *, within: float = 20.0, what: str = "") -> T:
    """Return the first true result; fail with the last one after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, _format_failure(condition, what, within, answer)
        time.sleep(POLL_SECONDS)


async def until_async(
    condition: Callable[[], Awaitable[T]], *, within: float = 20.0, what: str = ""
) -> T:
    """Return the first true result of a condition that has to be awaited."""
    deadline = time.monotonic() + within
    while True:
        answer = await condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, _format_failure(condition, what, within, answer)
        await asyncio.sleep(POLL_SECONDS)


def _format_failure(condition: object, what: str, within: float, answer: object) -> str:
    subject = what or getattr(condition, "__qualname__", repr(condition))
    return f"not within {within:g} s: {subject}; the last answer was {answer!r}"
