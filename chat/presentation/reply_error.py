"""The card under a reply that failed: what happened, and the one thing to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.ledger.models import OWN_KEY
from chat.models import Message
from chat.presentation.stored_sentences import translate_stored
from chat.replies import can_continue
from chat.replies.consumption import Call
from streaming.models import State, Stream
from streaming.providers import catalog

CONTINUE_ADVICE = gettext_lazy("Continue where it stopped, or regenerate it.")
REGENERATE_ADVICE = gettext_lazy("Regenerate the reply; your message is still there.")

# Empty where the error's own message says what to do.
ADVICE_BY_ERROR = {
    "no_permission": gettext_lazy("Use a key with access, or choose another model."),
    "no_credit": gettext_lazy("Add credit at the provider, or use another key."),
    "account_settings": "",
    "exceeds_rate_limit": "",
    "model_not_found": "",
    "no_response": "",
    "out_of_memory": "",
    "proxy_failed": "",
    "wrong_address": "",
    "context_too_long": "",
    "invalid_key": "",
    "limit_reached": "",
    "rate_limited": "",
    "overloaded": "",
    "bad_request": gettext_lazy("Check the chat settings, or choose another model."),
    "empty_reply": gettext_lazy("Shorten your message, start a new chat, or try again."),
    "only_reasoning": gettext_lazy(
        "Try again, allow longer replies in the chat settings, or choose another model."
    ),
    "only_tool_call": gettext_lazy("Rephrase your message, or choose another model."),
    "refused": gettext_lazy("Rephrase your message, or choose another model."),
    "internal": gettext_lazy(
        "Regenerate the reply. If that fails again, contact your administrator."
    ),
}

# Any other error is worth another try.
FIX_BY_ERROR = {
    "invalid_key": "keys",
    "no_permission": "keys",
    "no_credit": "keys",
    "no_key": "keys",
    "unsealable": "keys",
    "account_settings": "model",
    "context_too_long": "new",
    "exceeds_rate_limit": "new",
    "limit_reached": "model",
    "model_not_found": "model",
    "no_response": "model",
    "out_of_memory": "model",
    "proxy_failed": "model",
    "wrong_address": "model",
    "bad_request": "model",
    "refused": "edit",
}


@dataclass(frozen=True, slots=True)
class ReplyError:
    """`fix` names the first button: `again`, `continue`, `edit`, `keys`, `model` or `new`."""

    message: str
    advice: str
    severity: str
    fix: str


def build_reply_error(stream: Stream, message: Message) -> ReplyError | None:
    """None for a reply that no error has ended."""
    if stream.state not in {State.FAILED, State.INTERRUPTED}:
        return None
    code, is_continuable = stream.error_class, can_continue(message)
    advice = str(
        CONTINUE_ADVICE if is_continuable else ADVICE_BY_ERROR.get(code, REGENERATE_ADVICE)
    )
    fix = "continue" if is_continuable else FIX_BY_ERROR.get(code, "again")
    if fix == "keys" and (_is_keyless(message) or _has_shared_key(stream)):
        fix, advice = "model", ""  # the error's own message says so
    if message.content.strip():
        advice = f"{_('The partial reply is saved.')} {advice}".strip()
    return ReplyError(
        message=translate_stored(stream.error) or _("The reply was cut off."),
        advice=advice,
        severity="waiting" if stream.state == State.INTERRUPTED else "failed",
        fix=fix,
    )


def _has_shared_key(stream: Stream) -> bool:
    """Whether a connection's key was used, which only an administrator can change."""
    call = Call.from_stream(stream)
    return call is not None and call.connection_id != OWN_KEY


def _is_keyless(message: Message) -> bool:
    """Whether the administrator set the server up, and nobody has a key for it."""
    provider = catalog.PROVIDERS.get(message.provider)
    return provider is not None and bool(provider.base_url) and not provider.needs_key
