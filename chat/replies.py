"""Replies: how one is asked for, made ready for its worker, and settled at its end.

`start` writes the question, the empty answer and the queued stream in one transaction, so
that what was answered with a page is there after any crash. `prepare` and `settle` are what
the engine calls for streams of the source `chat`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal
from functools import partial
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from accounts import keys
from accounts.models import User
from chat import calls, context, limits, offer, sync, titles
from chat.models import Conversation, Message
from streaming import journal, lifecycle
from streaming.events import StreamText
from streaming.models import State, Stream
from streaming.providers import catalog
from streaming.providers.reply_source import ReplySource
from streaming.providers.types import Request, Turn, Usage
from streaming.sources import StreamHandler
from streaming.sources import register as register_source

SOURCE = "chat"

STATUS = {
    State.COMPLETED: Conversation.Status.COMPLETED,
    State.STOPPED: Conversation.Status.COMPLETED,
    State.FAILED: Conversation.Status.ERROR,
    State.INTERRUPTED: Conversation.Status.ERROR,
}


class ReplyRejected(Exception):
    """A reply that can't be started, before anything was written. `message` is a sentence
    for people that says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


MOVED = ReplyRejected("moved", "This chat moved on in another tab.")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a reply is to be made; None leaves a setting to the provider."""

    model: str
    max_tokens: int | None = None
    temperature: float | None = None
    system_prompt: str = ""
    reasoning_effort: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a page stands: the message it ends with, and what was the conversation's leaf when
    the page was made. They differ where a reader went back to another branch on purpose."""

    parent: UUID
    seen: UUID


@dataclass(frozen=True, slots=True)
class Reply:
    """A question and its answer; `created` is false when the request had been made before."""

    conversation: Conversation
    question: Message
    answer: Message
    stream: Stream
    created: bool


# Starting


def start(
    user: User,
    *,
    text: str,
    request_id: UUID,
    chosen: Settings,
    conversation: Conversation | None = None,
    standing: Standing | None = None,
) -> Reply:
    """Ask for a reply, in a conversation or a new one; idempotent by (user, request id).

    Raises ReplyRejected, as `moved` when the conversation has gone on from where the page stands.
    While another reply of the conversation runs, this one waits in its lane.
    """

    def write(model: catalog.Model) -> Reply:
        fitted = fitting(chosen, model)
        if conversation is None:
            into = Conversation.objects.create(user=user, title=titles.first_words(text))
            parent = None
        else:
            into = _locked(user, conversation.pk, request_id)
            parent = _parent(into, standing)
        question = _question(into, parent, text)
        return _answer(into, question, request_id, fitted, model, len(text))

    return _once(user, request_id, chosen.model, write)


def edit(user: User, *, question: Message, text: str, request_id: UUID, chosen: Settings) -> Reply:
    """Ask in other words: a question beside this one, and its answer; idempotent by (user,
    request id). The old ones stay. Raises ReplyRejected."""

    def write(model: catalog.Model) -> Reply:
        fitted = fitting(chosen, model)
        conversation = _locked(user, question.conversation_id, request_id)
        beside = _question(conversation, question.parent_id, text)
        return _answer(conversation, beside, request_id, fitted, model, len(text))

    return _once(user, request_id, chosen.model, write)


def regenerate(user: User, *, answer: Message, request_id: UUID, chosen: Settings) -> Reply:
    """Ask the same once more, of the same model or another: an answer beside this one;
    idempotent by (user, request id). The old one stays. Raises ReplyRejected."""

    def write(model: catalog.Model) -> Reply:
        fitted = fitting(chosen, model)
        conversation = _locked(user, answer.conversation_id, request_id)
        question = conversation.messages.get(children=answer.pk)
        return _answer(conversation, question, request_id, fitted, model)

    return _once(user, request_id, chosen.model, write)


def answered(user: User, request_id: UUID) -> Reply | None:
    """The reply that this request got before, if it was made before."""
    stream = Stream.objects.owned_by(user).filter(request_id=request_id).first()
    if stream is None:
        return None
    answers = Message.objects.select_related("conversation", "stream", "parent")
    answer = answers.filter(pk=stream.arguments["message"]).first()
    if answer is None or answer.parent is None:
        return None
    return Reply(answer.conversation, answer.parent, answer, stream, created=False)


def serving(user: User, model_id: str) -> catalog.Model:
    """The model as it is offered to this user, who can use it now. Raises ReplyRejected."""
    known = offer.models(user)
    model = known.get(model_id)
    if model is None:
        raise ReplyRejected("unknown_model", catalog.UnknownModel(model_id).message)
    if model.lifecycle == "retired":
        raise ReplyRejected("retired_model", retired(model, known.get(model.successor)))
    provider = catalog.PROVIDERS[model.provider]
    if provider.needs_key and provider.id not in keys.providers_with_key(user):
        raise ReplyRejected("no_key", calls.no_key(provider.id))
    return model


def retired(model: catalog.Model, successor: catalog.Model | None) -> str:
    """Why a model can't be picked any more, and what to pick instead."""
    provider = catalog.PROVIDERS[model.provider].name
    day = f" on {model.shutdown.day} {model.shutdown:%B %Y}" if model.shutdown else ""
    instead = f"Pick {successor.label} instead." if successor else "Pick another model."
    return f"{provider} has shut down {model.label}{day}. {instead}"


def fitting(chosen: Settings, model: catalog.Model) -> Settings:
    """The settings that the model takes. Raises ReplyRejected for one that is out of range."""
    taken = what_it_takes(chosen, model)
    most = model.max_output
    if most and (taken.max_tokens or 0) > most:
        raise ReplyRejected("max_tokens", f"{model.label} writes at most {most:,} tokens.")
    return taken


def what_it_takes(chosen: Settings, model: catalog.Model) -> Settings:
    """The settings without what the model does not take, which may be there from another model
    that was picked before."""
    return replace(
        chosen,
        max_tokens=chosen.max_tokens if model.takes_max_tokens else None,
        temperature=chosen.temperature if model.takes_temperature else None,
        reasoning_effort=(
            chosen.reasoning_effort if chosen.reasoning_effort in model.efforts else ""
        ),
    )


class _Repeated(Exception):
    """The same request was found under the conversation's lock."""


def _once(
    user: User, request_id: UUID, model_id: str, write: Callable[[catalog.Model], Reply]
) -> Reply:
    """The reply that this request got before, or what `write` makes in one transaction of the model
    as it is offered. If the same request was faster, its reply, and all of this is rolled back."""
    if before := answered(user, request_id):
        return before
    model = serving(user, model_id)
    try:
        with transaction.atomic():
            return write(model)
    except (IntegrityError, _Repeated):
        if before := answered(user, request_id):
            return before
        raise


def _locked(user: User, conversation_id: UUID, request_id: UUID) -> Conversation:
    """The conversation, in which nothing else is written until the transaction ends."""
    found = Conversation.objects.select_for_update().filter(pk=conversation_id, deleted_at=None)
    conversation = found.first()
    if conversation is None:
        raise ReplyRejected("deleted", "This chat was deleted.")
    if Stream.objects.filter(owner=user, request_id=request_id).exists():
        raise _Repeated
    return conversation


def _parent(conversation: Conversation, standing: Standing | None) -> UUID | None:
    """What a new question follows. Who does not say where they stand follows the leaf."""
    if standing is None:
        return conversation.leaf_id
    if standing.seen != conversation.leaf_id:
        raise ReplyRejected(MOVED.code, MOVED.message)
    answers = conversation.messages.filter(role=Message.Role.ASSISTANT)
    if not answers.filter(pk=standing.parent).exists():
        raise ReplyRejected(
            "nowhere", "This page is out of date. Reload it, and send the message again."
        )
    return standing.parent


def _question(conversation: Conversation, parent: UUID | None, text: str) -> Message:
    if not text.strip():
        raise ReplyRejected("empty", "Write a message first.")
    return Message.objects.create(
        conversation=conversation,
        parent_id=parent,
        role=Message.Role.USER,
        content=text,
        is_complete=True,
    )


def _answer(
    conversation: Conversation,
    question: Message,
    request_id: UUID,
    chosen: Settings,
    model: catalog.Model,
    written: int = 0,
) -> Reply:
    """An empty answer with its stream, queued, at the end of the conversation's branch; `written`
    is how many characters of a question were stored for it. Raises ReplyRejected."""
    size = written + len(chosen.system_prompt)
    _admit(conversation.user, request_id, size)
    answer = Message(
        conversation=conversation,
        parent=question,
        role=Message.Role.ASSISTANT,
        model=model.id,
        provider=model.provider,
    )
    answer.stream = lifecycle.enqueue(
        owner=conversation.user,
        request_id=request_id,
        source=SOURCE,
        arguments={"message": str(answer.pk), **asdict(chosen)},
        lane=str(conversation.pk),
        pool=_pool(model),
        size=size,
    )
    answer.save(force_insert=True)
    _update(conversation, chosen, leaf=answer)
    return Reply(conversation, question, answer, answer.stream, created=True)


def _admit(user: User, request_id: UUID, size: int) -> None:
    """Raises ReplyRejected when this person asks for too much; of one and the same request only the
    first is counted."""
    limits.lock(user)
    if Stream.objects.owned_by(user).filter(request_id=request_id).exists():
        raise _Repeated
    asked = Stream.objects.owned_by(user).filter(source=SOURCE)
    if sentence := limits.exceeded(asked, size):
        raise ReplyRejected("too_much", sentence)


def _pool(model: catalog.Model) -> str:
    """Which limited places a reply takes: those of the models that cost nobody a key."""
    if catalog.PROVIDERS[model.provider].needs_key:
        return ""
    return "demo" if model.provider == "demo" else "keyless"


def _update(conversation: Conversation, chosen: Settings, leaf: Message) -> None:
    conversation.leaf = leaf
    conversation.status = Conversation.Status.STREAMING
    for name, value in asdict(chosen).items():
        setattr(conversation, name, value)
    conversation.updated_at = Now()
    conversation.save()
    conversation.refresh_from_db(fields=["updated_at"])
    sync.changed(conversation.user_id)


# Going on


def may_go_on(answer: Message) -> bool:
    """Whether a reply ended before its time, so that it can be continued."""
    if answer.stream is None or not answer.content:
        return False
    state = State(answer.stream.state)
    return state in (State.STOPPED, State.INTERRUPTED) or (
        state == State.COMPLETED and answer.finish_reason == "length"
    )


def go_on(user: User, *, answer: Message, request_id: UUID) -> Reply:
    """Continue a stopped, truncated or interrupted reply: a new stream for the same message
    that begins with its text so far; idempotent by (user, request id). Raises ReplyRejected."""
    return _once(user, request_id, answer.model, partial(_go_on, user, answer, request_id))


def _go_on(user: User, answer: Message, request_id: UUID, model: catalog.Model) -> Reply:
    conversation = _locked(user, answer.conversation_id, request_id)
    answer = Message.objects.select_related("stream", "parent").get(pk=answer.pk)
    before = answer.stream
    if before is None or answer.parent is None or not may_go_on(answer):
        raise ReplyRejected("not_cut", "This reply is not cut off: there is nothing to continue.")
    size = len(answer.content) + len(answer.reasoning) + len(conversation.system_prompt)
    _admit(user, request_id, size)
    answer.stream = lifecycle.enqueue(
        owner=user,
        request_id=request_id,
        source=SOURCE,
        arguments=before.arguments,
        lane=str(conversation.pk),
        pool=_pool(model),
        size=size,
        continues=before,
        text=StreamText(answer.content, answer.reasoning, tuple(answer.seams)),
    )
    answer.is_complete, answer.finish_reason = False, ""
    answer.save(update_fields=["stream", "is_complete", "finish_reason"])
    conversation.status = Conversation.Status.STREAMING
    conversation.updated_at = Now()
    conversation.save(update_fields=["status", "updated_at"])
    sync.changed(conversation.user_id)
    return Reply(conversation, answer.parent, answer, answer.stream, created=True)


def settings_of(conversation: Conversation, model: str = "") -> Settings:
    """How its last reply was asked for, or as that with another model."""
    last = Settings(**{field.name: getattr(conversation, field.name) for field in fields(Settings)})
    return replace(last, model=model) if model else last


# Showing


@dataclass(frozen=True, slots=True)
class Shown:
    """The text of a message with the index of its stream that it stands at; -1: nothing yet."""

    text: str
    reasoning: str
    seams: tuple[int, ...]
    index: int
    stream: Stream | None


def shown(message: Message) -> Shown:
    """What a page shows of a message: of a growing reply, all that is committed now."""
    stream = message.stream
    if stream is None or State(stream.state).has_ended:
        index = stream.next_index - 1 if stream else -1
        return Shown(message.content, message.reasoning, tuple(message.seams), index, stream)
    text = journal.read_text(stream.id)
    return Shown(text.content, text.reasoning, text.seams, text.next_index - 1, stream)


# What the engine calls


def register() -> None:
    register_source(SOURCE, StreamHandler(prepare, settle, recall))


def prepare(stream: Stream, text: StreamText) -> ReplySource:
    """What the worker iterates for a reply; in a thread, because SDKs take long to load.

    Raises ModelNotFound when the model, and InvalidKey when the key was removed since the reply
    was asked for, or can't be opened any more.
    """
    model = calls.model(stream)
    answer = Message.objects.select_related("conversation").get(pk=stream.arguments["message"])
    chosen = what_it_takes(_chosen(stream), model)
    planned = context.plan(
        _before(answer),
        system=chosen.system_prompt,
        window=model.context_window,
        max_output=model.max_output,
        max_tokens=chosen.max_tokens,
        partial=text.content,
    )
    _keep(stream, planned.decided)
    return ReplySource(
        calls.adapter(model.provider),
        Request(
            model=model.id,
            turns=planned.turns,
            system=planned.system,
            max_tokens=chosen.max_tokens,
            temperature=chosen.temperature,
            reasoning_effort=chosen.reasoning_effort or None,
            background=stream.owner.background_replies,
        ),
        calls.key(stream, model.provider),
        calls.refusal_memory(model),
    )


def _chosen(stream: Stream) -> Settings:
    """How the reply was asked for, also by a version of this that knew fewer settings."""
    known = {field.name for field in fields(Settings)} & stream.arguments.keys()
    return Settings(**{name: stream.arguments[name] for name in known})


def _keep(stream: Stream, decided: context.Decided) -> None:
    """Put what was decided beside what was asked for; unless another worker has taken over."""
    stream.arguments = {**stream.arguments, "context": decided.to_json()}
    mine = Stream.objects.filter(pk=stream.pk, epoch=stream.epoch, state=State.RUNNING)
    mine.update(arguments=stream.arguments)


def _before(answer: Message) -> list[Turn]:
    """What was said before this answer, the first turn first; other branches are left out."""
    rows = answer.conversation.messages.values_list("id", "parent_id", "role", "content")
    messages = {id: (parent, role, content) for id, parent, role, content in rows}
    turns: list[Turn] = []
    at = answer.parent_id
    while at is not None:
        at, role, content = messages[at]
        turns.append(Turn("user" if role == Message.Role.USER else "assistant", content))
    return turns[::-1]


def settle(stream: Stream) -> None:
    """Bring message and conversation in line with the stream that has just ended; in the
    transaction that ends it. A message that was deleted meanwhile needs nothing."""
    answer = Message.objects.filter(stream=stream).first()
    if answer is None:
        return
    conversation = Conversation.objects.select_for_update().get(pk=answer.conversation_id)
    text = journal.read_text(stream.id)
    answer.content = text.content
    answer.reasoning = text.reasoning
    answer.thought = _thought(stream, answer)
    answer.seams = list(text.seams)
    answer.is_complete = stream.state == State.COMPLETED
    answer.finish_reason = stream.finish_reason
    counted = _counted(stream)
    answer.input_tokens = counted.input
    answer.output_tokens = counted.output
    answer.reasoning_tokens = counted.reasoning
    answer.cost = _cost(stream, answer)
    answer.save()
    others = Stream.objects.filter(lane=stream.lane).unfinished().exists()
    conversation.status = Conversation.Status.STREAMING if others else STATUS[State(stream.state)]
    conversation.updated_at = Now()
    conversation.read = False
    conversation.save(update_fields=["status", "updated_at", "read"])
    if stream.state == State.COMPLETED:
        titles.ask(conversation, answer)
    sync.changed(conversation.user_id)


def _thought(stream: Stream, answer: Message) -> int | None:
    """Milliseconds, those before it was continued included; None where there is no reasoning."""
    took = journal.read_reasoning_duration(stream.id) if answer.reasoning else None
    if took is None:
        return answer.thought
    before = (answer.thought or 0) if stream.continues_id else 0
    return before + round(took.total_seconds() * 1000)


LARGEST_COUNT = 2**31 - 1


def _counted(stream: Stream) -> Usage:
    """The tokens as the provider counted them; what can't be a number of tokens is unknown."""
    counts = {}
    for name in ("input", "output", "reasoning", "cached"):
        count = stream.usage.get(name)
        if isinstance(count, int) and 0 <= count <= LARGEST_COUNT:
            counts[name] = count
    return Usage(**counts)


MILLIONTH = Decimal("0.000001")
DEAREST = 1_000_000
"""Dollars. Who counts more tokens than that has miscounted."""


def _cost(stream: Stream, answer: Message) -> Decimal | None:
    """Dollars for the whole message, where all of them are known: of a run that was cut nobody
    knows the tokens."""
    cut = stream.attempts > 0 and not stream.upstream_cursor
    before = answer.cost if stream.continues_id else Decimal()
    if cut or before is None or not stream.usage:
        return None
    model = offer.models(stream.owner).get(answer.model)
    price = model.price if model else None
    cost = price.calculate_cost(_counted(stream)) if price else None
    if cost is None or before + cost >= DEAREST:
        return None
    return (before + cost).quantize(MILLIONTH)


def recall(stream: Stream) -> StreamText | None:
    """The text of an ended stream as its message holds it. A stream that was continued later
    is the beginning of its message's text."""
    answer = Message.objects.filter(pk=stream.arguments["message"]).first()
    if answer is None:
        return None
    seams = tuple(seam for seam in answer.seams if seam <= stream.length)
    return StreamText(answer.content[: stream.length], answer.reasoning, seams, stream.next_index)
