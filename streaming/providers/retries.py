"""When a request is made again, and the notes for people meanwhile.

Only our code asks again: the SDKs, which would wait for up to two minutes unseen, never do. And
only while nothing of the reply is written, so that no text is ever paid for or shown twice.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from streaming.providers.errors import TRY_AGAIN_SOON, BadRequest, ProviderError
from streaming.providers.types import Request
from streaming.sentences import gettext_noop

MAX_TRIES = 3
"""How often a reply is asked for in total."""
RETRY_DELAYS_SECONDS = (2.0, 4.0)
"""Seconds before the second and the third try, unless the provider asks for more."""
MAX_RETRY_DELAY_SECONDS = 60.0
"""If a provider asks for more, the reply fails, and its error names the time."""
NOTE_UPDATE_SECONDS = 5.0
"""How often the note of a longer wait is updated."""

NOTES_BY_CODE = {
    "rate_limited": gettext_noop("Rate limited"),
    "overloaded": gettext_noop("Overloaded"),
    "network": gettext_noop("Could not be reached"),
    "timeout": gettext_noop("No response"),
}
OTHER_NOTE = gettext_noop("The provider failed")
WAITING_NOTE = gettext_noop("{reason}. Retrying in {delay} ({number} of {total})")
RETRY_NOTE = gettext_noop("Retrying ({number} of {total})")
DROPPED_PARAMETER_NOTE = gettext_noop("This model has no {setting} setting. Retrying without it.")
TRY_AGAIN_LATER = gettext_noop("{problem} Try again in {delay}.")
SECONDS = gettext_noop("{count} s")
MINUTES = gettext_noop("{count} min")
HOURS = gettext_noop("{count} h")


def choose_retry_delay(error: ProviderError, tries: int) -> float | None:
    """Seconds to wait before the next try, after so many tries; None means to give up."""
    if not error.retryable or tries >= MAX_TRIES:
        return None
    wait = max(RETRY_DELAYS_SECONDS[tries - 1], error.retry_after or 0.0)
    return wait if wait <= MAX_RETRY_DELAY_SECONDS else None


def format_waiting_note(error: ProviderError, seconds: float, tries: int) -> str:
    return WAITING_NOTE.format(
        reason=NOTES_BY_CODE.get(error.code, OTHER_NOTE),
        delay=_format_duration(seconds),
        number=tries + 1,
        total=MAX_TRIES,
    )


def format_retry_note(tries: int) -> str:
    return RETRY_NOTE.format(number=tries, total=MAX_TRIES)


def add_retry_time(error: ProviderError) -> ProviderError:
    """The error, with the time in its message if the provider asks for a long one."""
    if error.retry_after and error.retry_after > MAX_RETRY_DELAY_SECONDS:
        problem = error.message.removesuffix(TRY_AGAIN_SOON.format(problem=""))
        delay = _format_duration(error.retry_after)
        error.message = TRY_AGAIN_LATER.format(problem=problem, delay=delay)
    return error


def _format_duration(seconds: float) -> str:
    """A length of time, rounded up: seconds, minutes or hours."""
    if seconds <= 90:
        return SECONDS.format(count=max(1, -int(-seconds // 1)))
    if seconds <= 90 * 60:
        return MINUTES.format(count=-int(-seconds // 60))
    return HOURS.format(count=-int(-seconds // 3600))


# Parameters that a model does not take

PARAMETER_RULES = (
    (re.compile("temperature"), "temperature", gettext_noop("temperature")),
    (re.compile("max.*tokens", re.IGNORECASE), "max_tokens", gettext_noop("token limit")),
    (
        re.compile("effort|reasoning|thinking", re.IGNORECASE),
        "reasoning_effort",
        gettext_noop("reasoning effort"),
    ),
)
"""The names that providers use, our field of Request, and the word for people."""
UNSUPPORTED_PATTERN = re.compile(
    r"unsupported|not support|n['’]t support|not permitted|not allowed|deprecated|unrecogni[sz]ed"
    r"|unknown|unexpected|only the default",
    re.IGNORECASE,
)


def find_unsupported_parameter(error: ProviderError, request: Request) -> str:
    """The parameter of this request that the provider does not support; empty if it names none.

    Some name it only in their message; that counts if the message says that it is not supported.
    """
    if not isinstance(error, BadRequest):
        return ""
    named = error.param or (error.detail if is_permanent(error) else "")
    for pattern, parameter, _ in PARAMETER_RULES:
        if pattern.search(named) and getattr(request, parameter) is not None:
            return parameter
    return ""


def is_permanent(error: ProviderError) -> bool:
    """Whether the provider never supports the parameter, rather than this value of it."""
    return bool(UNSUPPORTED_PATTERN.search(error.detail))


def drop_parameter(request: Request, parameter: str) -> Request:
    """The request without this parameter."""
    left_out: dict[str, Any] = {parameter: None}
    return replace(request, **left_out)


def format_dropped_parameter_note(parameter: str) -> str:
    name = next(name for _, ours, name in PARAMETER_RULES if ours == parameter)
    return DROPPED_PARAMETER_NOTE.format(setting=name)
