"""Messages as pages show them: all a template needs to know, so that it asks nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils.safestring import SafeString

from chat.models import Conversation, Message
from chat.rendering import to_html
from chat.replies import shown
from streaming.models import State, Stream
from streaming.providers.catalog import PROVIDERS

KEPT = "What was written is kept."
AGAIN = "Send your message again."

# What helps, where the error's own sentence does not say it.
ADVICE = {
    "no_permission": "Use a key that may, or pick another model.",
    "no_credit": "Top it up there, or use another key.",
    "model_not_found": "",
    "context_too_long": "",
    "invalid_key": "",
    "rate_limited": "",
    "overloaded": "",
    "bad_request": "Change the settings of the message, or pick another model.",
    "refused": "Put it differently, or pick another model.",
    "internal": "Send your message again. If that fails too, tell whoever runs this server.",
}
ABOUT_KEYS = {"invalid_key", "no_permission", "no_credit", "no_key", "unsealable"}

FINISHED = {
    "length": "Reached the length limit",
    "content_filter": "Cut short by the provider’s content rules",
    "refusal": "Declined by the model",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a reply did not reach its end, and what a person can do about it."""

    what: str
    advice: str
    tone: str
    link: str = ""
    link_words: str = ""


@dataclass(frozen=True)
class Article:
    """A message, and where it stands."""

    id: str
    role: str
    name: str
    conversation: str = ""
    state: str = ""
    text: str = ""
    reasoning: str = ""
    index: int = -1
    seams: tuple[int, ...] = ()
    stream: str = ""
    trouble: Trouble | None = None
    details: tuple[tuple[str, str], ...] = field(default=())
    note: str = ""
    finish_reason: str = ""

    @property
    def busy(self) -> bool:
        return self.state in {State.QUEUED, State.RUNNING}

    @property
    def tone(self) -> str:
        """The colour of the words: what waits and what failed stand out, the rest is quiet."""
        if self.state == State.FAILED:
            return "failed"
        waiting = {State.QUEUED, State.INTERRUPTED}
        return "waiting" if self.state in waiting or self.finish_reason in FINISHED else ""

    @property
    def words(self) -> str:
        """How the reply stands, in a word or two."""
        match self.state:
            case State.QUEUED:
                return self.note or "Waiting"
            case State.RUNNING:
                return self.note or self._doing
            case State.COMPLETED:
                ended = FINISHED.get(self.finish_reason, "")
                return ended or ("" if self.text else "Ended without a word")
            case State.STOPPED:
                return "Stopped"
            case State.INTERRUPTED:
                return "Interrupted"
            case State.FAILED:
                return "Failed"
        return ""

    @property
    def _doing(self) -> str:
        if self.text:
            return "Writing"
        return "Thinking" if self.reasoning else "Connecting"

    @cached_property
    def html(self) -> SafeString:
        return to_html(self.text, self.seams)

    @cached_property
    def reasoning_html(self) -> SafeString:
        return to_html(self.reasoning)

    @property
    def source(self) -> dict[str, object]:
        """What the HTML was made of, and the index it stands at."""
        return {
            "text": self.text,
            "reasoning": self.reasoning,
            "index": self.index,
            "seams": list(self.seams),
        }

    @property
    def source_id(self) -> str:
        return f"source-{self.id}"


BLANK_QUESTION = Article(id="", role=Message.Role.USER, name="You")
BLANK_ANSWER = Article(id="", role=Message.Role.ASSISTANT, name="", state=State.QUEUED)
"""What a script shows until the server has answered."""


def article(message: Message) -> Article:
    """One message, with all of its text that is committed now."""
    known = shown(message)
    name = "You" if message.role == Message.Role.USER else message.model
    stream = known.stream
    return Article(
        id=str(message.pk),
        role=message.role,
        name=name,
        conversation=str(message.conversation_id),
        text=known.text,
        reasoning=known.reasoning,
        index=known.index,
        seams=known.seams,
        state=stream.state if stream else _state_without_stream(message),
        stream=str(stream.uuid) if stream else "",
        note=stream.note if stream else "",
        finish_reason=message.finish_reason,
        trouble=trouble(stream, bool(known.text)) if stream else None,
        details=details(message, stream) if stream else (),
    )


def articles(conversation: Conversation) -> list[Article]:
    """The branch that is shown. A query for it, and one for the text of the running reply."""
    return [article(message) for message in conversation.branch()]


def _state_without_stream(message: Message) -> str:
    return State.COMPLETED if message.is_complete else State.STOPPED


def trouble(stream: Stream, has_text: bool) -> Trouble | None:
    """What the card under a reply says; None for a reply that was not cut short by a fault."""
    if stream.state not in {State.FAILED, State.INTERRUPTED}:
        return None
    code = stream.error_class
    advice = ADVICE.get(code, AGAIN)
    link, link_words = _way_out(code)
    return Trouble(
        what=stream.error or "The reply was cut off.",
        advice=f"{KEPT} {advice}".strip() if has_text else advice,
        tone="waiting" if stream.state == State.INTERRUPTED else "failed",
        link=link,
        link_words=link_words,
    )


def _way_out(code: str) -> tuple[str, str]:
    if code in ABOUT_KEYS:
        return reverse("keys"), "Open settings and keys"
    if code == "context_too_long":
        return reverse("home"), "New chat"
    return "", ""


def sent(decided: dict[str, Any] | None) -> str:
    """What the model was sent, as `context.plan` decided."""
    if not decided:
        return ""
    parts = [
        f"{decided['turns']} turn{pluralize(decided['turns'])}",
        f"{decided['left_out']} older ones left out" if decided["left_out"] else "",
        f"about {decided['tokens']:,} tokens",
        f"{decided['reserve']:,} kept for the reply",
        "taken for a follow-up" if decided["refers_back"] else "",
    ]
    return ", ".join(part for part in parts if part)


def details(message: Message, stream: Stream) -> tuple[tuple[str, str], ...]:
    """What somebody who looks into the trouble wants to have."""
    provider = PROVIDERS.get(message.provider)
    ended = stream.ended_at.isoformat(" ", "seconds") if stream.ended_at else ""
    known = (
        ("Error", stream.error_class),
        ("Answer", stream.error_detail),
        ("Provider", provider.name if provider else message.provider),
        ("Sent", sent(stream.arguments.get("context"))),
        ("Its request", stream.upstream_id),
        ("Reply", str(stream.uuid)),
        ("Ended", ended),
    )
    return tuple((name, value) for name, value in known if value)
