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

from chat.models import Conversation, Message
from chat.rendered import Rendered
from chat.replies import Shown, may_go_on, shown
from chat.tree import Tree
from streaming import journal
from streaming.models import State, Stream
from streaming.providers.catalog import PROVIDERS

NOTHING = SafeString("")

KEPT = "What was written is kept."
AGAIN = "Have it written again; your message is still there."

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
    "internal": "Have it written again. If that fails too, tell whoever runs this server.",
}
GO_ON = "Continue where it stopped, or have it written again."

# The one thing to do about it. What is not here is worth another try.
FIXES = {
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

FINISHED = {
    "length": "Reached the length limit",
    "content_filter": "Cut short by the provider’s content rules",
    "refusal": "Declined by the model",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a reply did not reach its end, and what a person can do about it. `fix` is the first
    thing to do: `again`, `continue`, `edit`, `keys`, `model` or `new`."""

    what: str
    advice: str
    tone: str
    fix: str


@dataclass(frozen=True, slots=True)
class Versions:
    """Which of its versions a message is, and where the ones beside it are shown."""

    number: int
    count: int
    before: str
    after: str


@dataclass(frozen=True)
class Article:
    """A message, and where it stands."""

    id: str
    role: str
    name: str
    conversation: str = ""
    question: str = ""
    state: str = ""
    text: str = ""
    reasoning: str = ""
    html: SafeString = NOTHING
    reasoning_html: SafeString = NOTHING
    thought: int | None = None
    index: int = -1
    seams: tuple[int, ...] = ()
    stream: str = ""
    request: str = ""
    trouble: Trouble | None = None
    details: tuple[tuple[str, str], ...] = field(default=())
    note: str = ""
    finish_reason: str = ""
    waited: int | None = None
    may_continue: bool = False
    versions: Versions | None = None
    again_id: str = ""
    continue_id: str = ""

    @property
    def busy(self) -> bool:
        return self.state in {State.QUEUED, State.RUNNING}

    @property
    def tone(self) -> str:
        """The colour of the words: what waits and what failed stand out, the rest is quiet."""
        if self.state == State.FAILED:
            return "failed"
        waiting = self.state in {State.QUEUED, State.INTERRUPTED} or bool(self.busy and self.note)
        return "waiting" if waiting or self.finish_reason in FINISHED else ""

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
                return "Stopped" if self.text or self.reasoning else "Stopped before it began"
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

    @property
    def thinking(self) -> str:
        """The line that its reasoning is folded under."""
        if self.busy and not self.text:
            return "Thinking"
        return thought_for(self.thought)

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


AT_ONCE = 50
"""Messages that a page begins with, and that are fetched at a time of those before."""
MAX_BYTES = 1_000_000
"""Of their text. A page of fifty messages at their longest would be hundreds of megabytes."""
EXCHANGE = 2
"""Messages that are shown together however large they are. A person's own words come with the reply
to them, and every page leads further."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Messages that follow one another, and the address of those before them, if there are any.
    Where they are not the last of their branch, `newest` is the address of those. `end` is the
    branch's last message, if it was looked for."""

    articles: list[Article]
    earlier: str = ""
    newest: str = ""
    end: UUID | None = None


BLANK_QUESTION = Article(id="", role=Message.Role.USER, name="You")
BLANK_ANSWER = Article(id="", role=Message.Role.ASSISTANT, name="", state=State.QUEUED)
"""What a script shows until the server has answered."""


def article(
    message: Message, tree: Tree | None = None, rendered: Rendered | None = None
) -> Article:
    """One message, with all of its text that is committed now. The tree is read if it is not
    given, and so is what is kept of its HTML."""
    made = rendered or Rendered([message.pk])
    known = shown(message)
    html, reasoning_html = _htmls(message, known, made)
    if rendered is None:
        made.keep()
    name = "You" if message.role == Message.Role.USER else message.model
    stream = known.stream
    beside = (tree or Tree.of(message.conversation)).versions(message.pk)
    return Article(
        id=str(message.pk),
        role=message.role,
        name=name,
        conversation=str(message.conversation_id),
        question=str(message.parent_id or ""),
        text=known.text,
        reasoning=known.reasoning,
        html=html,
        reasoning_html=reasoning_html,
        thought=_thought(message, known),
        index=known.index,
        seams=known.seams,
        state=stream.state if stream else _state_without_stream(message),
        stream=str(stream.uuid) if stream else "",
        request=str(stream.request_id) if stream else "",
        note=stream.note if stream else "",
        finish_reason=message.finish_reason,
        waited=_waited(stream) if stream else None,
        trouble=trouble(stream, message) if stream else None,
        details=details(message, stream) if stream else (),
        may_continue=may_go_on(message),
        versions=_versions(message, beside) if len(beside) > 1 else None,
        # The same version, or continuation, whichever tab it is asked for in, and how often.
        again_id=str(uuid5(message.pk, f"version {len(beside)}")),
        continue_id=str(uuid5(stream.uuid, "continuation")) if stream else "",
    )


def _htmls(message: Message, known: Shown, rendered: Rendered) -> tuple[SafeString, SafeString]:
    """Of the text of a reply, and of its reasoning. A person's own words are shown as they are."""
    if message.role == Message.Role.USER:
        return NOTHING, NOTHING
    if known.stream is not None and not State(known.stream.state).has_ended:
        return rendered.growing(known.text, known.seams), rendered.growing(known.reasoning)
    return (
        rendered.ended(message.pk, "content", known.text, known.seams),
        rendered.ended(message.pk, "reasoning", known.reasoning),
    )


def articles(conversation: Conversation, through: UUID | None = None) -> Stretch:
    """The end of the newest branch through a message, or of the conversation's own branch. If the
    message stands further up, as much from there on as a page holds."""
    tree = Tree.of(conversation)
    named = through if through and through in tree else None
    path = tree.path(tree.end_of(named) if named else conversation.leaf_id)
    end = path[-1] if path else None
    first = _first(path)
    if named is None or (at := path.index(named)) >= first:
        return replace(_stretch(tree, path, first), end=end)
    shown = path[: at + _fitting(path[at:])]
    newest = "" if shown == path else f"{_page(conversation)}?leaf={end}"
    return replace(_stretch(tree, shown, at), newest=newest, end=end)


def earlier_articles(conversation: Conversation, before: UUID) -> Stretch:
    """What stands before a message; raises KeyError for one that is not of this conversation."""
    tree = Tree.of(conversation)
    path = tree.path(before)[:-1]
    return replace(_stretch(tree, path, _first(path)), newest=_page(conversation))


def _first(path: Sequence[UUID]) -> int:
    """Where the last messages that a page shows of a path begin."""
    return max(0, len(path) - _fitting(path[::-1][:AT_ONCE]))


def _fitting(ids: Sequence[UUID]) -> int:
    """How many of these messages, from the first on, a page holds. None of their text is read; that
    of a growing reply stands elsewhere, and is not counted."""
    messages = Message.objects.filter(pk__in=ids).annotate(
        bytes=Bytes("content") + Bytes("reasoning")
    )
    sizes = dict(messages.values_list("pk", "bytes"))
    sums = accumulate(sizes.get(id, 0) for id in ids)  # one may have been deleted since
    return max(EXCHANGE, sum(sum_ <= MAX_BYTES for sum_ in sums))


class Bytes(Func):
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


def _stretch(tree: Tree, path: Sequence[UUID], first: int) -> Stretch:
    """A query for the messages, one for their HTML, and one for the text of each running reply."""
    found = Message.objects.select_related("stream").in_bulk(path[first:])
    rendered = Rendered(path[first:])
    shown = [article(found[id], tree, rendered) for id in path[first:]]
    rendered.keep()
    if not first:
        return Stretch(shown)
    chat = reverse("earlier", args=[shown[0].conversation])
    return Stretch(shown, f"{chat}?before={shown[0].id}")


def _page(conversation: Conversation) -> str:
    return reverse("conversation", args=[conversation.pk])


def address(conversation: UUID, message: UUID) -> str:
    """Where a message stands: its conversation, on the newest branch with it."""
    return f"{reverse('conversation', args=[conversation])}?leaf={message}#m-{message}"


def _versions(message: Message, beside: Sequence[UUID]) -> Versions:
    at = beside.index(message.pk)

    def version(number: int) -> str:
        is_there = 0 <= number < len(beside)
        return address(message.conversation_id, beside[number]) if is_there else ""

    return Versions(at + 1, len(beside), version(at - 1), version(at + 1))


def _thought(message: Message, known: Shown) -> int | None:
    """Milliseconds; of a growing reply, from its journal."""
    stream = known.stream
    if not known.reasoning or stream is None or State(stream.state).has_ended:
        return message.thought
    took = journal.read_reasoning_duration(stream.id)
    return round(took.total_seconds() * 1000) if took is not None else None


def thought_for(milliseconds: int | None) -> str:
    """In words, as static/js/live-reply.js has them too."""
    if milliseconds is None:
        return "Thought"
    seconds = round(milliseconds / 1000)
    if seconds < 1:
        return "Thought for a moment"
    if seconds < 60:
        return f"Thought for {seconds} s"
    return f"Thought for {seconds // 60} min {seconds % 60} s"


def _waited(stream: Stream) -> int | None:
    """Seconds since a worker asked for it, as long as nothing has come."""
    if stream.state != State.RUNNING or stream.next_index or stream.claimed_at is None:
        return None
    return max(0, int((timezone.now() - stream.claimed_at).total_seconds()))


def _state_without_stream(message: Message) -> str:
    return State.COMPLETED if message.is_complete else State.STOPPED


def trouble(stream: Stream, message: Message) -> Trouble | None:
    """What the card under a reply says; None for a reply that was not cut short by a fault."""
    if stream.state not in {State.FAILED, State.INTERRUPTED}:
        return None
    code, go_on = stream.error_class, may_go_on(message)
    advice = GO_ON if go_on else ADVICE.get(code, AGAIN)
    return Trouble(
        what=stream.error or "The reply was cut off.",
        advice=f"{KEPT} {advice}".strip() if message.content else advice,
        tone="waiting" if stream.state == State.INTERRUPTED else "failed",
        fix="continue" if go_on else FIXES.get(code, "again"),
    )


# What somebody who looks into a reply wants to have


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
    """All that is known of how a reply came about, in the order in which it is asked for."""
    provider = PROVIDERS.get(message.provider)
    known = (
        ("Error", stream.error_class),
        ("Answer", stream.error_detail),
        ("Model", message.model),
        ("Provider", provider.name if provider else message.provider),
        ("First word", _span(stream.created_at, stream.first_chunk_at, "after")),
        ("Took", _span(stream.created_at, stream.ended_at)),
        ("Tokens", _tokens(message)),
        ("Cost", f"${message.cost.normalize():f}" if message.cost is not None else ""),
        ("Sent", sent(stream.arguments.get("context"))),
        ("Ended", message.finish_reason or stream.state),
        ("Carried on", _times(stream.attempts)),
        ("Continued", "from a reply that was cut" if stream.continues_id else ""),
        ("Its request", stream.upstream_id),
        ("Reply", str(stream.uuid)),
        ("At", f"{stream.ended_at:%Y-%m-%d %H:%M:%S} UTC" if stream.ended_at else ""),
    )
    return tuple((name, value) for name, value in known if value)


def _span(start: datetime, end: datetime | None, word: str = "") -> str:
    if end is None:
        return ""
    seconds = (end - start).total_seconds()
    if seconds < 60:
        spelled = f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    else:
        spelled = f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{word} {spelled}".strip()


def _tokens(message: Message) -> str:
    counted = (
        (message.input_tokens, "in"),
        (message.output_tokens, "out"),
        (message.reasoning_tokens, "of them thinking"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in counted if count is not None)


def _times(count: int) -> str:
    return {0: "", 1: "once, after a crash"}.get(count, f"{count} times, after crashes")
