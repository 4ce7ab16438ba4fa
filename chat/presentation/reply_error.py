"""The card under a reply that failed: what happened, and the one thing to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.models import Message
from chat.presentation.stored_sentences import translate_stored
from chat.replies import can_continue
from streaming.models import State, Stream

CONTINUE_ADVICE = gettext_lazy("Continue where it stopped, or regenerate it.")
REGENERATE_ADVICE = gettext_lazy("Regenerate the reply; your message is still there.")

# Empty where the error's own message says what to do.
ADVICE_BY_ERROR = {
    "no_permission": gettext_lazy("Use a key with access, or choose another model."),
    "no_credit": gettext_lazy("Add credit at the provider, or use another key."),
    "model_not_found": "",
    "context_too_long": "",
    "invalid_key": "",
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
    "context_too_long": "new",
    "model_not_found": "model",
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
    if message.content.strip():
        advice = f"{_('The partial reply is saved.')} {advice}".strip()
    return ReplyError(
        message=translate_stored(stream.error) or _("The reply was cut off."),
        advice=advice,
        severity="waiting" if stream.state == State.INTERRUPTED else "failed",
        fix="continue" if is_continuable else FIX_BY_ERROR.get(code, "again"),
    )
