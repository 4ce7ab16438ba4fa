"""A message as templates show it: all that they need, so that they ask nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.conversations.tree import Tree
from chat.model_catalog import get_full_name
from chat.models import Message
from chat.presentation.current_text import CurrentText, read_current_text
from chat.presentation.details import build_details
from chat.presentation.durations import format_reasoning_time
from chat.presentation.reply_error import ReplyError, build_reply_error
from chat.presentation.stored_sentences import translate_stored
from chat.presentation.tool_part_views import ToolPartView, load_tool_part_views
from chat.presentation.versions import VersionLinks, build_version_links
from chat.rendering.cache import MessageHtmlLoader
from chat.replies import can_continue
from streaming import journal
from streaming.models import State, Stream

EMPTY_HTML = SafeString("")


FINISH_REASON_TEXTS = {
    "length": gettext_lazy("Reached the length limit"),
    "content_filter": gettext_lazy("Stopped by the provider’s content filter"),
    "refusal": gettext_lazy("Declined by the model"),
    "tool_calls": gettext_lazy("Wanted to call a tool"),
}
OTHER_REASON_TEXT = gettext_lazy("Ended by the server")
"""Shown with the server's own word for why."""


@dataclass(frozen=True)
class MessageView:
    """`index` is that of the newest chunk in `text`, -1 before the first. The request ids are those
    of the buttons under the message."""

    id: str
    role: str
    name: str
    conversation_id: str = ""
    question_id: str = ""
    state: str = ""
    text: str = ""
    reasoning: str = ""
    html: SafeString = EMPTY_HTML
    reasoning_html: SafeString = EMPTY_HTML
    reasoning_ms: int | None = None
    index: int = -1
    seams: tuple[int, ...] = ()
    stream_id: str = ""
    request_id: str = ""
    error: ReplyError | None = None
    details: tuple[tuple[str, str], ...] = ()
    note: str = ""
    finish_reason: str = ""
    finish_reason_word: str = ""
    waited_seconds: int | None = None
    can_continue: bool = False
    versions: VersionLinks | None = None
    regenerate_request_id: str = ""
    continue_request_id: str = ""
    tool_parts: tuple[ToolPartView, ...] = ()

    @property
    def is_busy(self) -> bool:
        return self.state in {State.QUEUED, State.RUNNING}

    @property
    def severity(self) -> str:
        """The colour of the status: `failed`, `waiting`, or none."""
        if self.state == State.FAILED:
            return "failed"
        is_waiting = self.state in {State.QUEUED, State.INTERRUPTED} or bool(
            self.is_busy and self.note
        )
        return "waiting" if is_waiting or self._finish_text else ""

    @property
    def _finish_text(self) -> str:
        """Empty for a reply whose calls are shown."""
        if self.finish_reason == "tool_calls" and self.tool_parts:
            return ""
        return str(FINISH_REASON_TEXTS.get(self.finish_reason, ""))

    @property
    def status_text(self) -> str:
        match self.state:
            case State.QUEUED:
                return self.note or _("Queued")
            case State.RUNNING:
                return self.note or self._activity_text
            case State.COMPLETED:
                return self._completed_text
            case State.STOPPED:
                return _("Stopped")
            case State.INTERRUPTED:
                return _("Interrupted")
            case State.FAILED:
                return _("Failed")
        return ""

    @property
    def _completed_text(self) -> str:
        """Why the reply ended, if there is more to say than that it did."""
        text, word = self._finish_text, self.finish_reason_word
        if word:
            return _("%(text)s: %(word)s") % {"text": text or OTHER_REASON_TEXT, "word": word}
        if text or self.text.strip() or self.tool_parts:
            return text
        return _("Only thoughts, no answer") if self.reasoning else _("Empty reply")

    @property
    def is_reasoning_open(self) -> bool:
        """Whether there is nothing else to read."""
        return not self.is_busy and not self.text.strip()

    @property
    def _activity_text(self) -> str:
        if self.text:
            return _("Writing")
        return _("Thinking") if self.reasoning else _("Connecting")

    @property
    def reasoning_label(self) -> str:
        if self.is_busy and not self.text:
            return _("Thinking")
        return format_reasoning_time(self.reasoning_ms)

    @property
    def markdown_source(self) -> dict[str, object]:
        """The source of the HTML, which scripts continue from."""
        return {
            "text": self.text,
            "reasoning": self.reasoning,
            "index": self.index,
            "seams": list(self.seams),
        }

    @property
    def source_element_id(self) -> str:
        return f"source-{self.id}"


def build_blank_views() -> dict[str, MessageView]:
    """Scripts fill these in for messages that the server has not answered yet."""
    return {
        "blank_question": MessageView(id="", role=Message.Role.USER, name=_("You")),
        "blank_answer": MessageView(
            id="", role=Message.Role.ASSISTANT, name="", state=State.QUEUED
        ),
    }


def build_message_view(
    message: Message,
    tree: Tree | None = None,
    html_loader: MessageHtmlLoader | None = None,
    tool_parts: Mapping[UUID, Sequence[ToolPartView]] | None = None,
) -> MessageView:
    """One message with all of its text that is committed now. Without a tree, a loader of stored
    HTML or tool parts they are read from the database."""
    if tool_parts is None:
        tool_parts = load_tool_part_views([message.pk]) if message.conversation.door else {}
    loader = html_loader or MessageHtmlLoader([message.pk])
    current = read_current_text(message)
    html, reasoning_html = _render_html(message, current, loader)
    if html_loader is None:
        loader.save_new_rows()
    stream = current.stream
    versions = (tree or Tree.from_conversation(message.conversation)).list_versions(message.pk)
    return MessageView(
        id=str(message.pk),
        role=message.role,
        name=(
            _("You")
            if message.role == Message.Role.USER
            else get_full_name(message.model, message.provider)
        ),
        conversation_id=str(message.conversation_id),
        question_id=str(message.parent_id or ""),
        text=current.content,
        reasoning=current.reasoning,
        html=html,
        reasoning_html=reasoning_html,
        reasoning_ms=_get_reasoning_ms(message, current),
        index=current.index,
        seams=current.seams,
        state=stream.state if stream else _get_state_without_stream(message),
        stream_id=str(stream.uuid) if stream else "",
        request_id=str(stream.request_id) if stream else "",
        note=translate_stored(stream.note) if stream else "",
        finish_reason=message.finish_reason,
        finish_reason_word=_get_finish_reason_word(stream),
        waited_seconds=_get_waited_seconds(stream) if stream else None,
        error=build_reply_error(stream, message) if stream else None,
        details=build_details(message, stream) if stream else (),
        can_continue=can_continue(message),
        versions=build_version_links(message, versions),
        # Derived, so that the same button in two tabs, or pressed twice, makes one reply.
        regenerate_request_id=str(uuid5(message.pk, f"version {len(versions)}")),
        continue_request_id=str(uuid5(stream.uuid, "continuation")) if stream else "",
        tool_parts=tuple(tool_parts.get(message.pk, ())),
    )


def _render_html(
    message: Message, current: CurrentText, loader: MessageHtmlLoader
) -> tuple[SafeString, SafeString]:
    """The text and the reasoning of a reply. A person's own words are shown as they were typed."""
    if message.role == Message.Role.USER:
        return EMPTY_HTML, EMPTY_HTML
    if current.stream is not None and not State(current.stream.state).has_ended:
        return (
            loader.render_growing(current.content, current.seams),
            loader.render_growing(current.reasoning),
        )
    return (
        loader.render_ended(message.pk, "content", current.content, current.seams),
        loader.render_ended(message.pk, "reasoning", current.reasoning),
    )


def _get_reasoning_ms(message: Message, current: CurrentText) -> int | None:
    """The journal knows it while the reply grows, the message afterwards."""
    stream = current.stream
    if not current.reasoning or stream is None or State(stream.state).has_ended:
        return message.reasoning_ms
    duration = journal.read_reasoning_duration(stream.id)
    return round(duration.total_seconds() * 1000) if duration is not None else None


def _get_finish_reason_word(stream: Stream | None) -> str:
    """The provider's own, where it says more than ours; of a reply that failed its error has it."""
    return stream.error_detail if stream and stream.state == State.COMPLETED else ""


def _get_waited_seconds(stream: Stream) -> int | None:
    """Seconds since a worker claimed it; None once text has come."""
    if stream.state != State.RUNNING or stream.next_index or stream.claimed_at is None:
        return None
    return max(0, int((timezone.now() - stream.claimed_at).total_seconds()))


def _get_state_without_stream(message: Message) -> str:
    return State.COMPLETED if message.is_complete else State.STOPPED
