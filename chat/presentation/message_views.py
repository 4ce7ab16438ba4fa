"""Messages as pages show them: all a template needs to know, so that it asks nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import accumulate
from typing import Any
from uuid import UUID, uuid5

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func, IntegerField
from django.db.models.sql.compiler import SQLCompiler
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from chat.conversations.tree import Tree
from chat.models import Conversation, Message
from chat.presentation.current_text import CurrentText, read_current_text
from chat.rendering.cache import MessageHtmlLoader
from chat.replies import can_continue
from streaming import journal
from streaming.models import State, Stream
from streaming.providers.catalog import PROVIDERS

EMPTY_HTML = SafeString("")

TEXT_KEPT_ADVICE = "What was written is kept."
REGENERATE_ADVICE = "Have it written again; your message is still there."

# What helps, where the error's own sentence does not say it.
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
CONTINUE_ADVICE = "Continue where it stopped, or have it written again."

# The suggested action for each error; for others it is another attempt.
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

FINISH_REASON_TEXTS = {
    "length": "Reached the length limit",
    "content_filter": "Cut short by the provider’s content rules",
    "refusal": "Declined by the model",
}


@dataclass(frozen=True, slots=True)
class ReplyError:
    """Why a reply did not reach its end, and what a person can do about it. `fix` is the first
    thing to do: `again`, `continue`, `edit`, `keys`, `model` or `new`."""

    message: str
    advice: str
    severity: str
    fix: str


@dataclass(frozen=True, slots=True)
class VersionLinks:
    """Which of its versions a message is, and where the ones beside it are shown."""

    number: int
    count: int
    previous_url: str
    next_url: str


@dataclass(frozen=True)
class MessageView:
    """A message, and where it stands."""

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
    details: tuple[tuple[str, str], ...] = field(default=())
    note: str = ""
    finish_reason: str = ""
    waited_seconds: int | None = None
    can_continue: bool = False
    versions: VersionLinks | None = None
    regenerate_request_id: str = ""
    continue_request_id: str = ""

    @property
    def is_busy(self) -> bool:
        return self.state in {State.QUEUED, State.RUNNING}

    @property
    def severity(self) -> str:
        """The colour of the words: what waits and what failed stand out, the rest is quiet."""
        if self.state == State.FAILED:
            return "failed"
        waiting = self.state in {State.QUEUED, State.INTERRUPTED} or bool(
            self.is_busy and self.note
        )
        return "waiting" if waiting or self.finish_reason in FINISH_REASON_TEXTS else ""

    @property
    def status_text(self) -> str:
        """How the reply stands, in a word or two."""
        match self.state:
            case State.QUEUED:
                return self.note or "Waiting"
            case State.RUNNING:
                return self.note or self._activity_text
            case State.COMPLETED:
                ended = FINISH_REASON_TEXTS.get(self.finish_reason, "")
                return ended or ("" if self.text else "Ended without a word")
            case State.STOPPED:
                return "Stopped" if self.text or self.reasoning else "Stopped before it began"
            case State.INTERRUPTED:
                return "Interrupted"
            case State.FAILED:
                return "Failed"
        return ""

    @property
    def _activity_text(self) -> str:
        if self.text:
            return "Writing"
        return "Thinking" if self.reasoning else "Connecting"

    @property
    def reasoning_label(self) -> str:
        """The line that its reasoning is folded under."""
        if self.is_busy and not self.text:
            return "Thinking"
        return format_reasoning_time(self.reasoning_ms)

    @property
    def markdown_source(self) -> dict[str, object]:
        """What the HTML was made of, and the index it stands at."""
        return {
            "text": self.text,
            "reasoning": self.reasoning,
            "index": self.index,
            "seams": list(self.seams),
        }

    @property
    def source_element_id(self) -> str:
        return f"source-{self.id}"


MAX_PAGE_MESSAGES = 50
"""Messages that a page begins with, and that are fetched at a time of those before."""
MAX_PAGE_BYTES = 1_000_000
"""Of their text. A page of fifty messages at their longest would be hundreds of megabytes."""
MIN_PAGE_MESSAGES = 2
"""Messages that are shown together however large they are. A person's own words come with the reply
to them, and every page leads further."""


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Messages that follow one another, and the address of those before them, if there are any.
    Where they are not the last of their branch, `newest` is the address of those. `end` is the
    branch's last message, if it was looked for."""

    messages: list[MessageView]
    earlier_url: str = ""
    newest_url: str = ""
    branch_end_id: UUID | None = None


BLANK_QUESTION = MessageView(id="", role=Message.Role.USER, name="You")
BLANK_ANSWER = MessageView(id="", role=Message.Role.ASSISTANT, name="", state=State.QUEUED)
"""What a script shows until the server has answered."""


def build_message_view(
    message: Message, tree: Tree | None = None, html_loader: MessageHtmlLoader | None = None
) -> MessageView:
    """One message, with all of its text that is committed now. The tree is read if it is not
    given, and so is what is kept of its HTML."""
    made = html_loader or MessageHtmlLoader([message.pk])
    known = read_current_text(message)
    html, reasoning_html = _render_html(message, known, made)
    if html_loader is None:
        made.save_new_rows()
    name = "You" if message.role == Message.Role.USER else message.model
    stream = known.stream
    beside = (tree or Tree.from_conversation(message.conversation)).list_versions(message.pk)
    return MessageView(
        id=str(message.pk),
        role=message.role,
        name=name,
        conversation_id=str(message.conversation_id),
        question_id=str(message.parent_id or ""),
        text=known.content,
        reasoning=known.reasoning,
        html=html,
        reasoning_html=reasoning_html,
        reasoning_ms=_get_reasoning_ms(message, known),
        index=known.index,
        seams=known.seams,
        state=stream.state if stream else _state_without_stream(message),
        stream_id=str(stream.uuid) if stream else "",
        request_id=str(stream.request_id) if stream else "",
        note=stream.note if stream else "",
        finish_reason=message.finish_reason,
        waited_seconds=_get_waited_seconds(stream) if stream else None,
        error=build_reply_error(stream, message) if stream else None,
        details=build_details(message, stream) if stream else (),
        can_continue=can_continue(message),
        versions=_build_version_links(message, beside) if len(beside) > 1 else None,
        # The same version, or continuation, whichever tab it is asked for in, and how often.
        regenerate_request_id=str(uuid5(message.pk, f"version {len(beside)}")),
        continue_request_id=str(uuid5(stream.uuid, "continuation")) if stream else "",
    )


def _render_html(
    message: Message, current: CurrentText, html_loader: MessageHtmlLoader
) -> tuple[SafeString, SafeString]:
    """Of the text of a reply, and of its reasoning. A person's own words are shown as they are."""
    if message.role == Message.Role.USER:
        return EMPTY_HTML, EMPTY_HTML
    if current.stream is not None and not State(current.stream.state).has_ended:
        return html_loader.render_growing(
            current.content, current.seams
        ), html_loader.render_growing(current.reasoning)
    return (
        html_loader.render_ended(message.pk, "content", current.content, current.seams),
        html_loader.render_ended(message.pk, "reasoning", current.reasoning),
    )


def load_branch_page(conversation: Conversation, target_id: UUID | None = None) -> MessagePage:
    """The end of the newest branch through a message, or of the conversation's own branch. If the
    message stands further up, as much from there on as a page holds."""
    tree = Tree.from_conversation(conversation)
    named = target_id if target_id and target_id in tree else None
    path = tree.path_to(tree.find_newest_leaf(named) if named else conversation.current_leaf_id)
    end = path[-1] if path else None
    first = _find_page_start(path)
    if named is None or (at := path.index(named)) >= first:
        return replace(_build_page(tree, path, first), branch_end_id=end)
    shown = path[: at + _count_fitting(path[at:])]
    newest = "" if shown == path else f"{_build_conversation_url(conversation)}?leaf={end}"
    return replace(_build_page(tree, shown, at), newest_url=newest, branch_end_id=end)


def load_page_before(conversation: Conversation, before_id: UUID) -> MessagePage:
    """What stands before a message; raises KeyError for one that is not of this conversation."""
    tree = Tree.from_conversation(conversation)
    path = tree.path_to(before_id)[:-1]
    return replace(
        _build_page(tree, path, _find_page_start(path)),
        newest_url=_build_conversation_url(conversation),
    )


def _find_page_start(path: Sequence[UUID]) -> int:
    """Where the last messages that a page shows of a path begin."""
    return max(0, len(path) - _count_fitting(path[::-1][:MAX_PAGE_MESSAGES]))


def _count_fitting(ids: Sequence[UUID]) -> int:
    """How many of these messages, from the first on, a page holds. None of their text is read; that
    of a growing reply stands elsewhere, and is not counted."""
    messages = Message.objects.filter(pk__in=ids).annotate(
        bytes=OctetLength("content") + OctetLength("reasoning")
    )
    sizes = dict(messages.values_list("pk", "bytes"))
    sums = accumulate(sizes.get(id, 0) for id in ids)  # one may have been deleted since
    return max(MIN_PAGE_MESSAGES, sum(sum_ <= MAX_PAGE_BYTES for sum_ in sums))


class OctetLength(Func):
    """Of a text. PostgreSQL knows them without reading a text that it keeps outside its row."""

    function = "OCTET_LENGTH"
    arity = 1
    output_field = IntegerField()

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any
    ) -> tuple[str, tuple[str | int, ...]]:
        """Its own OCTET_LENGTH is newer than some of the SQLites that we run on."""
        template = "LENGTH(CAST(%(expressions)s AS BLOB))"
        return self.as_sql(compiler, connection, template=template)


def _build_page(tree: Tree, path: Sequence[UUID], first: int) -> MessagePage:
    """A query for the messages, one for their HTML, and one for the text of each running reply."""
    found = Message.objects.select_related("stream").in_bulk(path[first:])
    rendered = MessageHtmlLoader(path[first:])
    shown = [build_message_view(found[id], tree, rendered) for id in path[first:]]
    rendered.save_new_rows()
    if not first:
        return MessagePage(shown)
    chat = reverse("earlier", args=[shown[0].conversation_id])
    return MessagePage(shown, f"{chat}?before={shown[0].id}")


def _build_conversation_url(conversation: Conversation) -> str:
    return reverse("conversation", args=[conversation.pk])


def build_message_url(conversation: UUID, message: UUID) -> str:
    """Where a message stands: its conversation, on the newest branch with it."""
    return f"{reverse('conversation', args=[conversation])}?leaf={message}#m-{message}"


def _build_version_links(message: Message, version_ids: Sequence[UUID]) -> VersionLinks:
    at = version_ids.index(message.pk)

    def get_version_url(number: int) -> str:
        is_there = 0 <= number < len(version_ids)
        return build_message_url(message.conversation_id, version_ids[number]) if is_there else ""

    return VersionLinks(at + 1, len(version_ids), get_version_url(at - 1), get_version_url(at + 1))


def _get_reasoning_ms(message: Message, current: CurrentText) -> int | None:
    """Milliseconds; of a growing reply, from its journal."""
    stream = current.stream
    if not current.reasoning or stream is None or State(stream.state).has_ended:
        return message.reasoning_ms
    took = journal.read_reasoning_duration(stream.id)
    return round(took.total_seconds() * 1000) if took is not None else None


def format_reasoning_time(milliseconds: int | None) -> str:
    """In words, as static/js/live-reply.js has them too."""
    if milliseconds is None:
        return "Thought"
    seconds = round(milliseconds / 1000)
    if seconds < 1:
        return "Thought for a moment"
    if seconds < 60:
        return f"Thought for {seconds} s"
    return f"Thought for {seconds // 60} min {seconds % 60} s"


def _get_waited_seconds(stream: Stream) -> int | None:
    """Seconds since a worker asked for it, as long as nothing has come."""
    if stream.state != State.RUNNING or stream.next_index or stream.claimed_at is None:
        return None
    return max(0, int((timezone.now() - stream.claimed_at).total_seconds()))


def _state_without_stream(message: Message) -> str:
    return State.COMPLETED if message.is_complete else State.STOPPED


def build_reply_error(stream: Stream, message: Message) -> ReplyError | None:
    """What the card under a reply says; None for a reply that was not cut short by a fault."""
    if stream.state not in {State.FAILED, State.INTERRUPTED}:
        return None
    code, go_on = stream.error_class, can_continue(message)
    advice = CONTINUE_ADVICE if go_on else ADVICE_BY_ERROR.get(code, REGENERATE_ADVICE)
    return ReplyError(
        message=stream.error or "The reply was cut off.",
        advice=f"{TEXT_KEPT_ADVICE} {advice}".strip() if message.content else advice,
        severity="waiting" if stream.state == State.INTERRUPTED else "failed",
        fix="continue" if go_on else FIX_BY_ERROR.get(code, "again"),
    )


# What somebody who looks into a reply wants to have


def describe_context(stats: dict[str, Any] | None) -> str:
    """What the model was sent, as `context.plan` decided."""
    if not stats:
        return ""
    parts = [
        f"{stats['turns']} turn{pluralize(stats['turns'])}",
        f"{stats['left_out']} older ones left out" if stats["left_out"] else "",
        f"about {stats['tokens']:,} tokens",
        f"{stats['reserve']:,} kept for the reply",
        "taken for a follow-up" if stats["refers_back"] else "",
    ]
    return ", ".join(part for part in parts if part)


def build_details(message: Message, stream: Stream) -> tuple[tuple[str, str], ...]:
    """All that is known of how a reply came about, in the order in which it is asked for."""
    provider = PROVIDERS.get(message.provider)
    known = (
        ("Error", stream.error_class),
        ("Answer", stream.error_detail),
        ("Model", message.model),
        ("Provider", provider.name if provider else message.provider),
        ("First word", _format_duration(stream.created_at, stream.first_chunk_at, "after")),
        ("Took", _format_duration(stream.created_at, stream.ended_at)),
        ("Tokens", _format_tokens(message)),
        ("Cost", f"${message.cost.normalize():f}" if message.cost is not None else ""),
        ("Sent", describe_context(stream.arguments.get("context"))),
        ("Ended", message.finish_reason or stream.state),
        ("Carried on", _format_attempts(stream.attempts)),
        ("Continued", "from a reply that was cut" if stream.continues_id else ""),
        ("Its request", stream.upstream_id),
        ("Reply", str(stream.uuid)),
        ("At", f"{stream.ended_at:%Y-%m-%d %H:%M:%S} UTC" if stream.ended_at else ""),
    )
    return tuple((name, value) for name, value in known if value)


def _format_duration(start: datetime, end: datetime | None, word: str = "") -> str:
    if end is None:
        return ""
    seconds = (end - start).total_seconds()
    if seconds < 60:
        spelled = f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    else:
        spelled = f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{word} {spelled}".strip()


def _format_tokens(message: Message) -> str:
    counted = (
        (message.input_tokens, "in"),
        (message.output_tokens, "out"),
        (message.reasoning_tokens, "of them thinking"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in counted if count is not None)


def _format_attempts(count: int) -> str:
    return {0: "", 1: "once, after a crash"}.get(count, f"{count} times, after crashes")
