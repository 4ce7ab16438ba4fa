"""When a request is made again, and the notes for people meanwhile.

Only our code asks again: the SDKs, which would wait for up to two minutes unseen, never do. And
only while nothing of the reply is written, so that no text is ever paid for or shown twice.
"""

from __future__ import annotations

from streaming.providers.errors import TRY_AGAIN_SOON, ProviderError
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
        problem = remove_retry_advice(error).message
        delay = _format_duration(error.retry_after)
        error.message = TRY_AGAIN_LATER.format(problem=problem, delay=delay)
    return error


def remove_retry_advice(error: ProviderError) -> ProviderError:
    """The error without the advice to try again, for a text that is better continued."""
    error.message = error.message.removesuffix(TRY_AGAIN_SOON.format(problem=""))
    return error


def _format_duration(seconds: float) -> str:
    """A length of time, rounded up: seconds, minutes or hours."""
    if seconds <= 90:
        return SECONDS.format(count=max(1, -int(-seconds // 1)))
    if seconds <= 90 * 60:
        return MINUTES.format(count=-int(-seconds // 60))
    return HOURS.format(count=-int(-seconds // 3600))
