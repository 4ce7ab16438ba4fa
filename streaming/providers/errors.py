"""What can go wrong at a provider, told apart by what the caller can do about it.

Every error carries a sentence for people, whether trying again helps, and what the provider said
with the key taken out. No key is ever in a message, a repr, the arguments or a cause: adapters
translate at the edge, scrub, and raise these without a context.
"""

import html
import itertools
import json
import re
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import quote

from streaming.events import SourceError

KEY_FRAGMENT_CHARS = 8  # Any run of this many characters of a key counts as the key.
MAX_DETAIL_CHARS = 600  # Characters of the provider's own words that are kept.

REDACTED = "[key]"
SECRET_PATTERN = re.compile(r"\b(?:sk|pk|rk)-[\w-]{8,}|\bAIza[\w-]{20,}|(?i:\bbearer\s+)[^\s\"',]+")


class ProviderError(SourceError):
    """Any other answer that is no reply; the root of the tree.

    `message` is a sentence for people (the class has one for its case), `retryable` says whether
    the very same request may work later, `retry_after` is in seconds, `detail` is the provider's
    own text and must be redacted by the code that raises this, `upstream_id` is the provider's id
    of the request.
    """

    code = "provider_error"
    default_message: ClassVar[str] = "{provider} answered with an error."
    default_retryable: ClassVar[bool] = False
    default_interrupted: ClassVar[bool] = False

    def __init__(
        self,
        message: str = "",
        *,
        provider: str = "the provider",
        retryable: bool | None = None,
        retry_after: float | None = None,
        detail: str = "",
        upstream_id: str = "",
        status: int | None = None,
    ) -> None:
        message = message or self.default_message.format(provider=provider)
        super().__init__(
            self.code,
            message[:1].upper() + message[1:],
            detail,
            interrupted=self.default_interrupted,
            upstream_id=upstream_id,
        )
        self.retryable = self.default_retryable if retryable is None else retryable
        self.retry_after = retry_after
        self.status = status


class InvalidKey(ProviderError):
    """The key is wrong, revoked or missing."""

    code = "invalid_key"
    default_message = "{provider} did not accept the API key. Check it in settings."


class NoPermission(ProviderError):
    """The key is good, but not for this model, region or project."""

    code = "no_permission"
    default_message = "{provider} does not let this API key use the model."


class NoCredit(ProviderError):
    """The account behind the key has nothing left to spend."""

    code = "no_credit"
    default_message = "The account behind this API key has no credit left at {provider}."


class RateLimited(ProviderError):
    """Too many requests or tokens for now; `retry_after` where the provider named a time."""

    code = "rate_limited"
    default_message = (
        "{provider} is limiting how often this API key may ask. Try again in a moment."
    )
    default_retryable = True


class Overloaded(ProviderError):
    """The provider is up but can't take this request now."""

    code = "overloaded"
    default_message = "{provider} is overloaded at the moment. Try again in a moment."
    default_retryable = True


class ContextTooLong(ProviderError):
    """The conversation and the reserve for the reply don't fit the model's window."""

    code = "context_too_long"
    default_message = (
        "This conversation is too long for the model. Start a new one or pick another model."
    )


class ModelNotFound(ProviderError):
    """The provider doesn't serve this model, or not to this key."""

    code = "model_not_found"
    default_message = "{provider} has no such model for this API key. Pick another one."


class BadRequest(ProviderError):
    """The provider refused the request itself; `param` names the setting where it told us."""

    code = "bad_request"
    default_message = "{provider} could not work with this request."

    def __init__(
        self, message: str = "", *, param: str = "", provider: str = "the provider", **kwargs: Any
    ) -> None:
        self.param = param
        if param and not message:
            message = f"{provider} did not accept the setting “{param}” for this model."
        super().__init__(message, provider=provider, **kwargs)


class ContentRefused(ProviderError):
    """The provider's content rules turned the request down before any reply."""

    code = "refused"
    default_message = "{provider} declined to answer this for its content rules."


class TimedOut(ProviderError):
    """No first token, or silence in the middle, for longer than we wait."""

    code = "timeout"
    default_message = "{provider} has been silent for too long."
    default_retryable = True


class ConnectionFailed(ProviderError):
    """The provider could not be reached, or the connection broke before any text."""

    code = "network"
    default_message = "{provider} could not be reached."
    default_retryable = True


class Interrupted(ProviderError):
    """The connection broke after some of the reply was here."""

    code = "interrupted"
    default_message = "The connection to {provider} broke in the middle of the reply."
    default_retryable = True
    default_interrupted = True


def make_redactor(key: str) -> Callable[[str], str]:
    """A function that takes `key`, long pieces of it and anything that looks like one out of text.

    It is a closure so that a traceback that prints locals shows a function, not the key.
    Keys shorter than four characters (“none” for local servers has four) are no secrets.
    """
    size = min(KEY_FRAGMENT_CHARS, len(key))
    forms = _encodings_of(key) if size >= 4 else set()
    windows = {form[i : i + size] for form in forms for i in range(len(form) - size + 1)}

    def redact(text: str) -> str:
        bounded = text[: 10 * MAX_DETAIL_CHARS]
        return SECRET_PATTERN.sub(REDACTED, _redact_fragments(windows, size, bounded))[
            :MAX_DETAIL_CHARS
        ]

    return redact


def _encodings_of(key: str) -> set[str]:
    """How a key may stand in an address, in JSON or on a page."""
    escaped = quote(key, safe="")
    lower = re.sub("%..", lambda code: code[0].lower(), escaped)
    return {
        key,
        escaped,
        lower,
        html.escape(key),
        json.dumps(key)[1:-1],
        key.replace("/", "\\/"),
    }


def _redact_fragments(fragments: set[str], size: int, text: str) -> str:
    starts = range(len(text) - size + 1) if fragments else ()
    hidden = {
        spot for at in starts if text[at : at + size] in fragments for spot in range(at, at + size)
    }
    runs = itertools.groupby(enumerate(text), lambda place: place[0] in hidden)
    return "".join(REDACTED if inside else "".join(c for _, c in run) for inside, run in runs)
