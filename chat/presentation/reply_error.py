"""The card under a reply that failed: what happened, and the one thing to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from chat.models import Message
from chat.replies import can_continue
from streaming.models import State, Stream

TEXT_KEPT_ADVICE = "What was written is kept."
CONTINUE_ADVICE = "Continue where it stopped, or have it written again."
REGENERATE_ADVICE = "Have it written again; your message is still there."

# Empty where the error's own message says what to do.
ADVICE_BY_ERROR = {
    "no_permission": "Use a key that may, or pick another model.",
    "no_credit": "Top it up there, or use another key.",
    "model_not_found": "",
    "context_too_long": "",
    "invalid_key": "",
    "rate_limited": "",
    "overloaded": "",
    "bad_request": "Change the settings of the message, or pick another model.",
    "refused": "Put it differently, or pick another model.",
    "internal": "Have it written again. If that fails too, tell whoever runs this server.",
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
    advice = CONTINUE_ADVICE if is_continuable else ADVICE_BY_ERROR.get(code, REGENERATE_ADVICE)
    return ReplyError(
        message=stream.error or "The reply was cut off.",
        advice=f"{TEXT_KEPT_ADVICE} {advice}".strip() if message.content else advice,
        severity="waiting" if stream.state == State.INTERRUPTED else "failed",
        fix="continue" if is_continuable else FIX_BY_ERROR.get(code, "again"),
    )
