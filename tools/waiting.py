"""Wait for a condition with a deadline, instead of sleeping for a guessed time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

EVERY = 0.02  # seconds between two checks


def until(condition: Callable[[], T], *, within: float = 20.0, what: str = "") -> T:
    """Return the first true result; fail with the last one after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, _complaint(condition, what, within, answer)
        time.sleep(EVERY)


async def until_async(
    condition: Callable[[], Awaitable[T]], *, within: float = 20.0, what: str = ""
) -> T:
    """Return the first true result of a condition that has to be awaited."""
    deadline = time.monotonic() + within
    while True:
        answer = await condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, _complaint(condition, what, within, answer)
        await asyncio.sleep(EVERY)


def _complaint(condition: object, what: str, within: float, answer: object) -> str:
    subject = what or getattr(condition, "__qualname__", repr(condition))
    return f"not within {within:g} s: {subject}; the last answer was {answer!r}"
