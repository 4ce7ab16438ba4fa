"""When a request is made again, and what people are told meanwhile.

Only this asks again: the SDKs, which would wait for up to two minutes unseen, never do. And only
while nothing of the reply is written, so that no text is ever paid for or shown twice.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from streaming.providers.base import Request
from streaming.providers.errors import BadRequest, ProviderError

TRIES = 3
"""How often a reply is asked for, all in all."""
PAUSES = (2.0, 4.0)
"""Seconds before the second and the third try, unless the provider asks for more."""
LONGEST = 60.0
"""Seconds. A provider that asks for more is not waited for: who asked is told the time instead."""
STEP = 5.0
"""How often a longer wait says anew how long it still takes."""

TROUBLES = {
    "rate_limited": "Rate limited",
    "overloaded": "Overloaded",
    "network": "Could not be reached",
    "timeout": "No answer",
}
IN_A_MOMENT = " Try again in a moment."


def pause(error: ProviderError, tries: int) -> float | None:
    """Seconds to wait before asking once more, after so many tries; None is to give up."""
    if not error.retryable or tries >= TRIES:
        return None
    wait = max(PAUSES[tries - 1], error.retry_after or 0.0)
    return wait if wait <= LONGEST else None


def waiting(error: ProviderError, seconds: float, tries: int) -> str:
    """What a stream is doing that waits before its next try."""
    trouble = TROUBLES.get(error.code, "The provider failed")
    return f"{trouble}. Trying again in {_time(seconds)}, {tries + 1} of {TRIES}"


def trying(tries: int) -> str:
    return f"Trying again, {tries} of {TRIES}"


def told(error: ProviderError) -> ProviderError:
    """The error with the time in its sentence, where the provider asks for a long one."""
    if error.retry_after and error.retry_after > LONGEST:
        error.message = error.message.removesuffix(IN_A_MOMENT)
        error.message += f" Try again in {_time(error.retry_after)}."
    return error


def _time(seconds: float) -> str:
    """A length of time, rounded up: seconds, minutes or hours."""
    if seconds <= 90:
        return f"{max(1, -int(-seconds // 1))} s"
    if seconds <= 90 * 60:
        return f"{-int(-seconds // 60)} min"
    return f"{-int(-seconds // 3600)} h"


# Parameters that a model does not take

# The names providers use, and ours: a field of Request, and what people call it.
PARAMETERS = (
    (re.compile("temperature"), "temperature", "temperature"),
    (re.compile("max.*tokens", re.IGNORECASE), "max_tokens", "limit of tokens"),
    (re.compile("effort|reasoning|thinking", re.IGNORECASE), "reasoning_effort", "such effort"),
)
NOT_AT_ALL = re.compile(
    r"unsupported|not support|n['’]t support|not permitted|not allowed|deprecated|unrecogni[sz]ed"
    r"|unknown|unexpected|only the default",
    re.IGNORECASE,
)


def refused(error: ProviderError, request: Request) -> str:
    """The parameter of this request that the provider will not have; empty if it names none.

    Some name it only in their sentence; that counts where the sentence says that it is not taken.
    """
    if not isinstance(error, BadRequest):
        return ""
    named = error.param or (error.detail if for_good(error) else "")
    for pattern, parameter, _ in PARAMETERS:
        if pattern.search(named) and getattr(request, parameter) is not None:
            return parameter
    return ""


def for_good(error: ProviderError) -> bool:
    """Whether the provider never takes the parameter, rather than dislikes its value."""
    return bool(NOT_AT_ALL.search(error.detail))


def without(request: Request, parameter: str) -> Request:
    """The same request, which leaves this parameter to the provider."""
    left_out: dict[str, Any] = {parameter: None}
    return replace(request, **left_out)


def plainer(parameter: str) -> str:
    """What a stream is doing that asks again without a parameter."""
    name = next(name for _, ours, name in PARAMETERS if ours == parameter)
    return f"The model takes no {name}. Asking again without"
