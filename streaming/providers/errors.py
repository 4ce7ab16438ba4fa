"""The errors of a provider: one class for each thing that the caller can do about it.

Every error has a sentence for people, says whether trying again helps, and holds the provider's own
words with the key taken out. No key is in a message, a repr, the arguments or a cause: adapters
translate at the edge, redact, and raise these without a context.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from streaming.events import SourceError
from streaming.sentences import gettext_noop

TRY_AGAIN_SOON = gettext_noop("{problem} Try again in a moment.")

# Of errors that have no class of their own
CUT_OFF = gettext_noop("Cut off by the server: {reason}")
UNREADABLE_ANSWER = gettext_noop("{provider} sent an answer that could not be read.")
COMPRESSED_ANSWER = gettext_noop("The provider sent an unrequested compressed answer.")
EVENT_TOO_LARGE = gettext_noop("The provider sent more than one event can hold.")
TOO_MANY_CALLS = gettext_noop("The model called more tools at once than one reply can hold.")
CALLS_TOO_LONG = gettext_noop("The model wrote longer tool calls than one reply can hold.")


# Of errors that only a proxy or a server of one's own has
MODEL_NOT_LOADED = gettext_noop(
    "{provider} has not loaded this model. Choose another one, or ask your administrator to load "
    "it."
)
GATEWAY_FAILED = TRY_AGAIN_SOON.format(
    problem=gettext_noop("A proxy gets no answer from {provider}.")
)
GATEWAY_TIMED_OUT = gettext_noop(
    "A proxy stopped waiting for {provider}. Start a new chat, choose a faster model, or ask your "
    "administrator to raise the proxy’s time limit."
)
GATEWAY_SIZE_LIMIT = gettext_noop(
    "This chat is larger than a proxy of {provider} lets through. Start a new one, or ask your "
    "administrator to raise the proxy’s limit."
)
GATEWAY_CERTIFICATE = gettext_noop(
    "A proxy does not trust the certificate of {provider}. Ask your administrator to renew it."
)
REDIRECTED = gettext_noop(
    "{provider} redirects to another address, which is not followed. Ask your administrator to "
    "check the address that is set up for it, such as https in place of http."
)


class ProviderError(SourceError):
    """Any other answer that is no reply; the root of the tree.

    `message` is a sentence for people (the class has one for its case), `retryable` says whether
    the very same request may work later, `retry_after` is in seconds, `param` is the setting that
    the provider named. `detail` is the provider's own text and must be redacted by the code that
    raises this; `upstream_id` is the provider's id of the request. `sent_hints` are the names of
    the hints that the request had (`HttpWire.list_hints`).
    """

    code = "provider_error"
    default_message: ClassVar[str] = gettext_noop("{provider} answered with an error.")
    param_message: ClassVar[str] = ""
    """The message instead of that one where the provider named a setting."""
    keyless_message: ClassVar[str] = ""
    """The message instead of that one where no key was sent, because the server needs none."""
    default_retryable: ClassVar[bool] = False
    default_interrupted: ClassVar[bool] = False

    def __init__(
        self,
        message: str = "",
        *,
        provider: str = "the provider",
        param: str = "",
        retryable: bool | None = None,
        retry_after: float | None = None,
        detail: str = "",
        upstream_id: str = "",
        status: int | None = None,
        is_keyless: bool = False,
    ) -> None:
        if not message:
            special = (param and self.param_message) or (is_keyless and self.keyless_message)
            message = (special or self.default_message).format(provider=provider, param=param)
        super().__init__(
            self.code,
            message[:1].upper() + message[1:],
            detail,
            interrupted=self.default_interrupted,
            upstream_id=upstream_id,
        )
        self.retryable = self.default_retryable if retryable is None else retryable
        self.retry_after = retry_after
        self.param = param
        self.status = status
        self.sent_hints: frozenset[str] = frozenset()


class InvalidKey(ProviderError):
    """The key is wrong, revoked or missing."""

    code = "invalid_key"
    default_message = gettext_noop("{provider} rejected your API key.")
    keyless_message = gettext_noop(
        "{provider} asks for an API key, but is set up without one. Ask your administrator to set "
        "“needs_key” for it, or choose another model."
    )


class NoPermission(ProviderError):
    """The key is good, but not for this model, region or project."""

    code = "no_permission"
    default_message = gettext_noop("Your API key has no access to this model of {provider}.")
    keyless_message = gettext_noop(
        "{provider} gives no access to this model. Ask your administrator, or choose another one."
    )


class AccountSettings(ProviderError):
    """A setting of the account at the provider rules the model out."""

    code = "account_settings"
    default_message = gettext_noop(
        "The settings of your account at {provider} rule out this model. Change them there, or "
        "choose another one."
    )


class NoCredit(ProviderError):
    """The account behind the key has nothing left to spend."""

    code = "no_credit"
    default_message = gettext_noop("Your account at {provider} is out of credit.")
    keyless_message = gettext_noop(
        "The account at {provider} is out of credit. Ask your administrator, or choose another "
        "model."
    )


class RateLimited(ProviderError):
    """Too many requests or tokens for now; `retry_after` where the provider named a time."""

    code = "rate_limited"
    default_message = TRY_AGAIN_SOON.format(
        problem=gettext_noop("You’ve hit the rate limit of {provider}.")
    )
    default_retryable = True


class ExceedsRateLimit(ProviderError):
    """The request alone is larger than what may be sent in a minute: waiting does not help."""

    code = "exceeds_rate_limit"
    default_message = gettext_noop(
        "This chat is larger than the limit of {provider} for one minute. Start a new one, or "
        "choose another model."
    )


class Overloaded(ProviderError):
    """The provider is up but can't take this request now."""

    code = "overloaded"
    default_message = TRY_AGAIN_SOON.format(problem=gettext_noop("{provider} is overloaded."))
    default_retryable = True


class ContextTooLong(ProviderError):
    """The conversation and the reserve for the reply don't fit the model's window."""

    code = "context_too_long"
    default_message = gettext_noop(
        "This chat is too long for the model. Start a new one, or choose another model."
    )


class OutOfMemory(ProviderError):
    """The machine of the server has not enough memory for the model or the conversation."""

    code = "out_of_memory"
    default_message = gettext_noop(
        "{provider} has not enough memory for this. Choose a smaller model, start a new chat, or "
        "ask your administrator."
    )


class ModelNotFound(ProviderError):
    """The provider doesn't serve this model, or not to this key."""

    code = "model_not_found"
    default_message = gettext_noop(
        "{provider} has no such model for your API key. Choose another one."
    )
    keyless_message = gettext_noop("{provider} has no such model. Choose another one.")


class WrongAddress(ProviderError):
    """The server knows the address of no API of the kind that it is set up for."""

    code = "wrong_address"
    default_message = gettext_noop(
        "{provider} does not answer at the address that is set up for it. Ask your administrator "
        "to check it, or choose another model."
    )


class UnreadableList(ProviderError):
    """The provider answered, but not with a list of models that can be read."""

    code = "unreadable_list"
    default_message = gettext_noop("The model list of {provider} could not be read.")


class BadRequest(ProviderError):
    """The provider refused the request itself, or one setting of it."""

    code = "bad_request"
    default_message = gettext_noop("{provider} rejected this request.")
    param_message = gettext_noop("{provider} rejected the setting “{param}” for this model.")


class ContentRefused(ProviderError):
    """The provider's content rules turned the request down before any reply."""

    code = "refused"
    default_message = gettext_noop("The content policy of {provider} blocked this.")


class TimedOut(ProviderError):
    """No first token, or silence in the middle, for longer than we wait."""

    code = "timeout"
    default_message = gettext_noop("{provider} stopped responding.")
    default_retryable = True


class ProxyFailed(ProviderError):
    """A proxy in front of the server refuses every request until the administrator changes it."""

    code = "proxy_failed"
    default_message = gettext_noop(
        "A proxy of {provider} blocked this request. Ask your administrator to allow it."
    )


class NoResponse(TimedOut):
    """A server that may be slow took the request and was silent: asking again would make it begin
    anew."""

    code = "no_response"
    default_message = gettext_noop(
        "{provider} took too long to begin. Start a new chat, choose a faster model, or ask your "
        "administrator to raise the time limit."
    )
    default_retryable = False


class ConnectionFailed(ProviderError):
    """The provider could not be reached, or the connection broke before any text."""

    code = "network"
    default_message = gettext_noop("{provider} could not be reached.")
    default_retryable = True


class Interrupted(ProviderError):
    """The connection broke after some of the reply was here."""

    code = "interrupted"
    default_message = gettext_noop("The connection to {provider} broke in the middle of the reply.")
    default_retryable = True
    default_interrupted = True


class CutOff(ProviderError):
    """The server gave the reply up before it was complete; `reason` is its own word for why."""

    code = "cut_off"
    default_message = gettext_noop("Cut off by the server.")
    default_retryable = True

    def __init__(
        self, reason: str = "", *, usage: Mapping[str, int] | None = None, **known: Any
    ) -> None:
        message = CUT_OFF.format(reason=reason) if reason else ""
        super().__init__(message, **{"detail": reason} | known)
        self.usage = usage
