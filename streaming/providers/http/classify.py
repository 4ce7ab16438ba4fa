"""From a provider's error response to an error of ours."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx2

from streaming.providers import errors
from streaming.providers.http.parsed import ErrorResponse

ERROR_RULES: tuple[tuple[type[errors.ProviderError], frozenset[int], re.Pattern[str]], ...] = tuple(
    (kind, frozenset(statuses), re.compile(words, re.IGNORECASE))
    for kind, statuses, words in (
        (errors.NoCredit, {402}, "insufficient_(quota|balance|credit)|billing|spend_limit"),
        (
            errors.InvalidKey,
            {401},
            r"(invalid_api_key|api_key_invalid)|authentication_error|\bunauthenticated\b",
        ),
        (errors.NoPermission, {403}, "permission|unsupported_country|failed_precondition"),
        (errors.ContextTooLong, {413}, "context_(length|window)|request_too_large"),
        (
            errors.ContentRefused,
            (),
            "content_(policy|filter)|invalid_prompt|moderation|bio_policy|policy_violation"
            "|prompt_blocked",
        ),
        (errors.RateLimited, {429}, "rate_limit|too_many_requests|resource_exhausted"),
        (errors.ModelNotFound, {404}, r"model_not_found|\bnot_found(_error)?\b"),
        (errors.BadRequest, {400, 422}, "invalid_(request|argument)"),
        (errors.TimedOut, {408}, "timeout|deadline_exceeded"),
        (
            errors.Overloaded,
            {502, 503, 504, 529},
            r"overloaded|server_error|\bapi_error|unavailable|slow_down|\binternal\b",
        ),
    )
)
"""Tried in order on an error response: our error, its statuses, and the providers' words for it,
which are looked for in codes and types, where providers agree most."""
MESSAGE_RULES: tuple[tuple[type[errors.ProviderError], frozenset[int], re.Pattern[str]], ...] = (
    (
        errors.ContextTooLong,
        frozenset({0, 400, 422}),
        re.compile(
            r"context (length|window)|maximum context|too many tokens|prompt is too long"
            r"|token count .{0,40}exceeds",
            re.IGNORECASE,
        ),
    ),
    (
        errors.NoCredit,
        frozenset({0, 400, 429}),
        re.compile(r"credit balance is too low|spend(ing)? limit|\blimit: 0\b", re.IGNORECASE),
    ),
)
"""Errors that some providers report only in a sentence, under a less exact status."""
MAX_RETRY_AFTER_SECONDS = 86400.0 * 365
"""A provider that asks for more means never."""
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)

NETWORK_ERRORS = (httpx2.HTTPError, OSError)
NETWORK_ERROR_CODES = frozenset(
    kind.code for kind in (errors.ConnectionFailed, errors.TimedOut, errors.Interrupted)
)
"""The codes of our errors for them."""


def to_provider_error(
    response: ErrorResponse, provider_name: str, redact: Callable[[str], str]
) -> errors.ProviderError:
    """The error of our tree that says what can be done about a response."""
    kind = _classify_error(response)
    known: dict[str, Any] = {
        "provider": provider_name,
        "detail": redact(" ".join([*response.codes.split(), response.message])),
        "upstream_id": redact(response.request_id),
        "status": response.status or None,
        "retry_after": response.retry_after,
        "param": redact(response.param),
    }
    if kind is errors.ProviderError:
        known["retryable"] = response.status == 409 or response.status >= 500
    return kind(**known)


def _classify_error(response: ErrorResponse) -> type[errors.ProviderError]:
    for kind, statuses, pattern in MESSAGE_RULES:
        if response.status in statuses and pattern.search(response.message):
            return kind
    # A word says more than a status: 429 is also how OpenAI says that there is no credit left.
    for kind, _, pattern in ERROR_RULES:
        if pattern.search(response.codes) and kind is not errors.BadRequest:
            return kind
    unlisted = errors.BadRequest if _is_bad_request(response.codes) else errors.ProviderError
    return next(
        (kind for kind, statuses, _ in ERROR_RULES if response.status in statuses), unlisted
    )


def _is_bad_request(codes: str) -> bool:
    return any(p.search(codes) for kind, _, p in ERROR_RULES if kind is errors.BadRequest)


def from_exception(
    error: Exception, provider_name: str, redact: Callable[[str], str], *, has_delta: bool
) -> errors.ProviderError:
    """The error of our tree for an exception that is no error response."""
    # SDKs that wrap a fault of the network keep the original as the cause.
    cause = error.__cause__ if isinstance(error.__cause__, NETWORK_ERRORS) else error
    known: Any = {
        "provider": provider_name,
        "detail": redact(f"{type(cause).__name__}: {cause}"),
    }
    if isinstance(cause, httpx2.ConnectTimeout):
        return errors.ConnectionFailed(**known)
    if isinstance(cause, (httpx2.TimeoutException, TimeoutError)):
        return errors.TimedOut(**known)
    if isinstance(cause, NETWORK_ERRORS):
        return errors.Interrupted(**known) if has_delta else errors.ConnectionFailed(**known)
    message = errors.UNREADABLE_ANSWER.format(provider=provider_name)
    return errors.ProviderError(message, **known)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the provider asks us to wait: milliseconds, seconds or a date in its headers."""
    millis, value = headers.get("retry-after-ms", ""), headers.get("retry-after", "")
    if _NUMBER.fullmatch(millis):
        return min(float(millis) / 1000, MAX_RETRY_AFTER_SECONDS)
    if _NUMBER.fullmatch(value):
        return min(float(value), MAX_RETRY_AFTER_SECONDS)
    try:
        wait = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        return min(max(wait, 0.0), MAX_RETRY_AFTER_SECONDS)
    except (ValueError, OverflowError):
        return None
