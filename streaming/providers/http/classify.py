"""From a provider's error response to an error of ours."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx2

from streaming.providers import errors
from streaming.providers.http import too_long, wordings
from streaming.providers.http.parsed import ErrorResponse

GATEWAY_STATUSES = {502, 503, 520, 521, 522, 523, 527, 530}
"""From 520 on they are Cloudflare's
(https://developers.cloudflare.com/support/troubleshooting/http-status-codes/)."""
GATEWAY_TIMEOUT_STATUSES = {504, 524}
GATEWAY_CERTIFICATE_STATUSES = {525, 526}
REDIRECT_STATUSES = {301, 302, 303, 307, 308}
PROXY_STATUSES = {407, *GATEWAY_CERTIFICATE_STATUSES}
ERROR_RULES: tuple[tuple[type[errors.ProviderError], frozenset[int], re.Pattern[str]], ...] = tuple(
    (kind, frozenset(statuses), re.compile(words, re.IGNORECASE))
    for kind, statuses, words in (
        (errors.NoCredit, {402}, "insufficient_(quota|balance|credit)|billing|spend_limit"),
        (
            errors.InvalidKey,
            {401},
            # LiteLLM without a database has only the last word for a key that it does not know.
            r"(invalid_api_key|api_key_invalid)|authentication_error|\bunauthenticated\b"
            r"|\bno_db_connection\b|\bauth_error\b",
        ),
        (errors.NoPermission, {403}, "permission|unsupported_country|failed_precondition"),
        (errors.ContextTooLong, {413}, "request_too_large"),
        (
            errors.ContentRefused,
            (),
            "content_(policy|filter)|invalid_prompt|moderation|bio_policy|policy_violation"
            "|prompt_blocked",
        ),
        (errors.RateLimited, {429}, "rate_limit|too_many_requests|resource_exhausted"),
        (
            errors.ModelNotFound,
            {404},
            r"model_(not_(found|supported|available)|decommissioned)|(unknown|invalid)_model\b"
            r"|deployment_?not_?found|\bnot_found(_error)?\b",
        ),
        (errors.BadRequest, {400, 422}, "invalid_(request|argument)"),
        (errors.TimedOut, {408}, "timeout|deadline_exceeded"),
        (
            errors.Overloaded,
            {504, 524, 529, *GATEWAY_STATUSES},
            r"overloaded|server_error|\bapi_error|unavailable|slow_down|\binternal\b",
        ),
    )
)
"""Tried in order on an error response: our error, its statuses, and the providers' words for it,
which are looked for in codes and types, where providers agree most."""
CERTAIN_CODE_KINDS = (
    errors.NoCredit,
    errors.InvalidKey,
    errors.ContentRefused,
    errors.RateLimited,
)
"""Errors whose codes say more than any sentence."""
NO_CREDIT_STATUSES = {0, 400, 429}
ACCESS_STATUSES = {401, 402, 403, 429}
"""Statuses that are about the key: a sentence beside them says nothing about the request."""
KEY_STATUSES = {0, 400, 403, 404, 422, 500}
"""Statuses of servers that have none of their own for a wrong key."""
CONTEXT_STATUSES = {0, 400, 413, 422, 424, 500, 502}
MODEL_STATUSES = {0, 400, 404, 410, 422, 500}
MAX_RETRY_AFTER_SECONDS = 86400.0 * 365
"""A provider that asks for more means never."""
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)

NETWORK_ERRORS = (httpx2.HTTPError, OSError)
CLOSED_ERRORS = (httpx2.RemoteProtocolError, httpx2.ReadError)
"""Of a connection that took the request."""
MIN_SILENCE_SECONDS = 0.5
"""A connection that is closed later broke because of its silence. One that is closed sooner belongs
to a server that is just starting, or to a proxy without one."""
NETWORK_ERROR_CODES = frozenset(
    kind.code
    for kind in (errors.ConnectionFailed, errors.TimedOut, errors.NoResponse, errors.Interrupted)
)
"""The codes of our errors for them."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The server that an error comes from. `redact` removes the key from a text; `is_keyless` says
    that it got none, `retries_silence` that it may be asked again after it was silent."""

    name: str
    redact: Callable[[str], str]
    is_keyless: bool = False
    retries_silence: bool = True


def to_provider_error(response: ErrorResponse, endpoint: Endpoint) -> errors.ProviderError:
    """The error of our tree that says what can be done about a response."""
    if not response.status and (status := wordings.read_status_line(response.message)):
        response = replace(response, status=status)
    kind = _classify_error(response)
    is_silence = kind is errors.TimedOut or response.status in GATEWAY_TIMEOUT_STATUSES
    # A proxy's own page under 408 says that the request came too slowly.
    is_late_request = response.status == 408 and response.is_page
    if is_silence and not is_late_request and not endpoint.retries_silence:
        kind = errors.NoResponse
    redact, message = endpoint.redact, _choose_message(kind, response)
    known: dict[str, Any] = {
        "provider": endpoint.name,
        "detail": redact(" ".join([*response.codes.split(), response.message])),
        "upstream_id": redact(response.request_id),
        "status": response.status or None,
        "retry_after": response.retry_after,
        "param": redact(response.param),
        "is_keyless": endpoint.is_keyless,
    }
    if kind is errors.ProviderError:
        known["retryable"] = response.status == 409 or response.status >= 500
    return kind(message.format(provider=endpoint.name), **known)


def _choose_message(kind: type[errors.ProviderError], response: ErrorResponse) -> str:
    """A sentence for a case of the error that needs other help; empty for the usual one."""
    if kind is errors.ModelNotFound and wordings.MODEL_NOT_LOADED.search(response.message):
        return errors.MODEL_NOT_LOADED
    if response.status in REDIRECT_STATUSES:
        return errors.REDIRECTED
    if response.status in GATEWAY_CERTIFICATE_STATUSES:
        return errors.GATEWAY_CERTIFICATE
    if kind is errors.NoResponse:
        return errors.GATEWAY_TIMED_OUT
    if kind is errors.ContextTooLong and wordings.PROXY_SIZE_LIMIT.search(response.message):
        return "" if re.search("token", response.message) else errors.GATEWAY_SIZE_LIMIT
    if response.is_page and kind is errors.Overloaded and response.status in GATEWAY_STATUSES:
        return errors.GATEWAY_FAILED
    return ""


def _classify_error(response: ErrorResponse) -> type[errors.ProviderError]:
    """A word says more than a status: 429 is also how OpenAI says that there is no credit left."""
    if response.status in NO_CREDIT_STATUSES and wordings.NO_CREDIT.search(response.message):
        return errors.NoCredit
    if too_long.exceeds_rate_limit(response.message):
        return errors.ExceedsRateLimit
    if response.status == 429 and _is_window_exceeded(response.message):
        return errors.ContextTooLong
    by_code = _find_code_kind(response.codes)
    if by_code in CERTAIN_CODE_KINDS:
        return by_code
    if by_words := _find_word_kind(response):
        return by_words
    if by_code is not None:
        return by_code
    unlisted = errors.BadRequest if _is_bad_request(response.codes) else errors.ProviderError
    return next(
        (kind for kind, statuses, _ in ERROR_RULES if response.status in statuses), unlisted
    )


def _is_window_exceeded(message: str) -> bool:
    return bool(too_long.CONTEXT_NAMES.search(message)) and too_long.is_context_too_long(
        "", message, ""
    )


def _find_word_kind(response: ErrorResponse) -> type[errors.ProviderError] | None:
    """The meaning of the sentence, and of codes that only some servers have."""
    status, message = response.status, response.message
    if status in {0, 400, 403, 404} and wordings.ACCOUNT_SETTINGS.search(message):
        return errors.AccountSettings
    if (response.is_page and status == 403) or status in PROXY_STATUSES:
        return errors.ProxyFailed
    if status in KEY_STATUSES and wordings.WRONG_KEY.search(message):
        return errors.InvalidKey
    if status == 403 and wordings.WRONG_TOKEN.search(message):
        return errors.InvalidKey
    if status in ACCESS_STATUSES:
        return None
    if wordings.OUT_OF_MEMORY.search(message):
        return errors.OutOfMemory
    if status in CONTEXT_STATUSES and too_long.is_context_too_long(
        response.codes, message, response.param
    ):
        return errors.ContextTooLong
    if wordings.TIMED_OUT.search(message):
        return errors.TimedOut
    if status in REDIRECT_STATUSES or wordings.CERTAINLY_UNKNOWN_ADDRESS.search(message):
        return errors.WrongAddress
    if status in {404, 405} and wordings.UNKNOWN_ADDRESS.search(message):
        return errors.WrongAddress
    if status in MODEL_STATUSES and wordings.NOTHING_SUPPORTS.search(message):
        return errors.BadRequest
    return errors.ModelNotFound if _is_model_missing(status, message) else None


def _is_model_missing(status: int, message: str) -> bool:
    """Whether waiting for the model can't help. A busy server has the status 503 too."""
    if status == 503:
        words = [wordings.NO_CHANNEL, wordings.MODEL_NOT_LOADED]
    elif status in MODEL_STATUSES:
        words = [wordings.MODEL_NOT_LOADED, wordings.MODEL_NOT_FOUND]
        if not wordings.PASSING_FAULT.search(message):
            words.append(wordings.MODEL_UNAVAILABLE)
    else:
        return False
    return any(pattern.search(message) for pattern in words)


def _find_code_kind(codes: str) -> type[errors.ProviderError] | None:
    found = (kind for kind, _, pattern in ERROR_RULES if pattern.search(codes))
    return next((kind for kind in found if kind is not errors.BadRequest), None)


def _is_bad_request(codes: str) -> bool:
    return any(p.search(codes) for kind, _, p in ERROR_RULES if kind is errors.BadRequest)


def from_exception(
    error: Exception, endpoint: Endpoint, *, has_delta: bool, silent_seconds: float
) -> errors.ProviderError:
    """The error of our tree for an exception that is no error response. `silent_seconds` is the
    time since the request or the last delta."""
    # SDKs that wrap a fault of the network keep the original as the cause.
    cause = error.__cause__ if isinstance(error.__cause__, NETWORK_ERRORS) else error
    known: Any = {
        "provider": endpoint.name,
        "detail": endpoint.redact(f"{type(cause).__name__}: {cause}"),
    }
    if isinstance(cause, httpx2.ConnectTimeout):
        return errors.ConnectionFailed(**known)
    if isinstance(cause, (httpx2.TimeoutException, TimeoutError)):
        is_patient = has_delta or endpoint.retries_silence
        return errors.TimedOut(**known) if is_patient else errors.NoResponse(**known)
    was_silent = isinstance(cause, CLOSED_ERRORS) and silent_seconds >= MIN_SILENCE_SECONDS
    if was_silent and not has_delta and not endpoint.retries_silence:
        return errors.NoResponse(**known)
    if isinstance(cause, NETWORK_ERRORS):
        return errors.Interrupted(**known) if has_delta else errors.ConnectionFailed(**known)
    message = errors.UNREADABLE_ANSWER.format(provider=endpoint.name)
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
