"""The functions that the engine calls for a reply's stream."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now

from chat import changes
from chat.models import Conversation, Message
from chat.replies import consumption, context, credentials, limits, titles, usage
from chat.replies.settings import ReplySettings
from chat.replies.stored_text import remove_stored_reasoning
from chat.replies.stream_facts import save_facts
from chat.replies.tool_turns import infer_tools
from chat.tool_parts.storage import NO_TOOLS, MessageTools, load_tools, save_tools
from chat.webhooks.events import record_ending
from streaming import journal
from streaming.events import StreamText
from streaming.models import State, Stream
from streaming.providers.catalog.prices import Price
from streaming.providers.reasoning_mark import split_marked_reasoning
from streaming.providers.reply_source import ReplySource
from streaming.providers.tools import Tools, format_calls, parse_calls
from streaming.providers.types import Request, Turn
from streaming.sources import StreamHandler
from streaming.sources import register as register_source

SOURCE = "chat"
EXACT = "exact"
"""The argument of a reply whose model gets all turns as a program sent them."""
TOOLS = "tools"
"""The argument with the functions that the model may call."""
VERBOSITY = "verbosity"
"""The argument with OpenAI's word for how much the model should write."""

TEMPORARY_KEPT_FOR = timedelta(hours=1)
"""How long a temporary conversation stays after the end of its last reply, if nobody reads it."""

STATUS_BY_STATE = {
    State.COMPLETED: Conversation.ReplyStatus.COMPLETED,
    State.STOPPED: Conversation.ReplyStatus.COMPLETED,
    State.FAILED: Conversation.ReplyStatus.ERROR,
    State.INTERRUPTED: Conversation.ReplyStatus.ERROR,
}


def register_handler() -> None:
    handler = StreamHandler(
        prepare=prepare,
        finalize=finalize,
        load_text=load_text,
        convert_text=split_marked_reasoning,
    )
    register_source(SOURCE, handler)


def prepare(stream: Stream, text: StreamText) -> ReplySource:
    """The source that the worker iterates. Runs in a thread, because an adapter's libraries load
    slowly.

    Raises ModelNotFound or InvalidKey if the model or the key was removed after the reply was
    queued, or if the key can't be decrypted any more.
    """
    model = credentials.get_stream_model(stream)
    answer = Message.objects.select_related("conversation").get(pk=stream.arguments["message"])
    chosen = ReplySettings.from_json(stream.arguments).for_model(model)
    build_context = context.build_exact_context if _is_exact(stream) else context.build_context
    planned = build_context(
        load_turns(answer.conversation, answer.parent_id),
        system=chosen.system_prompt,
        context_window=model.context_window,
        max_output=model.max_output,
        max_tokens=chosen.max_tokens,
        partial=_find_partial_reply(text, model.provider),
    )
    save_facts(stream, context=planned.stats.to_json())
    request = Request(
        model=model.id,
        turns=planned.turns,
        tools=read_tools(stream) or infer_tools(planned.turns),
        system=planned.system,
        max_tokens=chosen.max_tokens,
        temperature=chosen.temperature,
        reasoning_effort=chosen.reasoning_effort or None,
        verbosity=stream.arguments.get(VERBOSITY),
        background=stream.owner.background_replies,
        cache_key=_build_cache_key(answer),
    )
    return credentials.build_source(stream, model, request, text)


def _is_exact(stream: Stream) -> bool:
    return bool(stream.arguments.get(EXACT))


def read_tools(stream: Stream) -> Tools | None:
    """The functions that a program has declared for this reply."""
    declared = stream.arguments.get(TOOLS)
    return Tools.from_json(declared) if declared else None


def _build_cache_key(answer: Message) -> str:
    """The provider learns which requests belong together, but not the conversation's address."""
    return hashlib.sha256(f"conversation {answer.conversation_id}".encode()).hexdigest()[:32]


def load_turns(conversation: Conversation, last_id: UUID | None) -> list[Turn]:
    """The turns of a branch up to a message."""
    messages = {
        message.pk: message
        for message in conversation.messages.annotate(has_reasoning=Q(reasoning__gt="")).only(
            # Without the conversation Django would read each message again to find it.
            *("conversation", "parent_id", "role", "content", "provider")
        )
    }
    branch: list[Message] = []
    at = last_id
    while at is not None:
        branch.append(messages[at])
        at = messages[at].parent_id
    # Only programs declare tools.
    tools = load_tools([message.pk for message in branch]) if conversation.door else {}
    return [to_turn(message, tools.get(message.pk, NO_TOOLS)) for message in reversed(branch)]


def to_turn(message: Any, tools: MessageTools = NO_TOOLS) -> Turn:
    """`message` has an annotation `has_reasoning`."""
    if message.role == Message.Role.USER:
        return Turn("user", message.content, outputs=tools.outputs)
    text = remove_stored_reasoning(
        message.content, message.provider, is_separated=message.has_reasoning
    )
    return Turn("assistant", text, calls=tools.calls)


def _find_partial_reply(text: StreamText, provider: str) -> str:
    """The text that a reply has so far, without what was reasoning."""
    text = split_marked_reasoning(text)
    return remove_stored_reasoning(text.content, provider, is_separated=bool(text.reasoning))


def finalize(stream: Stream) -> None:
    """Copy the ended stream into its message and conversation, store what the person's webhooks
    get, and add what it used to the ledger, in the transaction that ends it. The message may have
    been deleted meanwhile."""
    text = split_marked_reasoning(journal.read_text(stream.id))
    answer = Message.objects.filter(stream=stream).first()
    model = usage.find_stream_model(stream, answer)
    if answer is not None:
        _update_conversation(stream, answer, text, model.price if model else None)
        record_ending(stream, answer)
    consumption.record_consumption(stream, model, text)


def _update_conversation(
    stream: Stream, answer: Message, text: StreamText, price: Price | None
) -> None:
    conversation = Conversation.objects.select_for_update().get(pk=answer.conversation_id)
    earlier_chars = len(answer.content) + len(answer.reasoning)  # of a reply that was continued
    written = Turn("assistant", text.content, calls=parse_calls(text.calls))
    limits.add_stored_chars(conversation, written.length + len(text.reasoning) - earlier_chars)
    _copy_into_message(stream, answer, text, price)
    save_tools([(answer, written)])
    others = Stream.objects.filter(lane=stream.lane).unfinished().exists()
    conversation.status = (
        Conversation.ReplyStatus.STREAMING if others else STATUS_BY_STATE[State(stream.state)]
    )
    conversation.updated_at = Now()
    conversation.is_read = bool(conversation.door)
    fields = ["status", "updated_at", "is_read", "stored_chars"]
    if conversation.expires_at is not None:
        conversation.expires_at = Now() + TEMPORARY_KEPT_FOR
        fields.append("expires_at")
    conversation.save(update_fields=fields)
    if stream.state == State.COMPLETED:
        titles.enqueue_title(conversation, answer)
    changes.announce(conversation)


def _copy_into_message(
    stream: Stream, answer: Message, text: StreamText, price: Price | None
) -> None:
    answer.content = text.content
    answer.reasoning = text.reasoning
    answer.reasoning_ms = _compute_reasoning_ms(stream, answer)
    answer.seams = list(text.seams)
    answer.is_complete = stream.state == State.COMPLETED
    answer.finish_reason = stream.finish_reason
    counted = usage.read_usage(stream)
    answer.input_tokens = counted.input
    answer.output_tokens = counted.output
    answer.reasoning_tokens = counted.reasoning
    cost = usage.compute_cost(stream, answer, price)
    answer.cost = cost.total
    answer.save()
    if cost.cache_savings:
        save_facts(stream, cache_savings=str(cost.cache_savings))


def _compute_reasoning_ms(stream: Stream, answer: Message) -> int | None:
    """Earlier streams of the message included; None without reasoning."""
    duration = journal.read_reasoning_duration(stream.id) if answer.reasoning else None
    if duration is None:
        return answer.reasoning_ms
    earlier_ms = (answer.reasoning_ms or 0) if stream.continues_id else 0
    return earlier_ms + round(duration.total_seconds() * 1000)


def load_text(stream: Stream) -> StreamText | None:
    """The text of an ended stream, from its message. If the stream was continued later, its text
    is only the beginning of the message's."""
    answers = Message.objects.select_related("conversation")
    answer = answers.filter(pk=stream.arguments["message"]).first()
    if answer is None:
        return None
    seams = tuple(seam for seam in answer.seams if seam <= stream.length)
    tools = load_tools([answer.pk]) if answer.conversation.door else {}
    calls = format_calls(tools.get(answer.pk, NO_TOOLS).calls)
    content = answer.content[: stream.length]
    return StreamText(content, answer.reasoning, seams, stream.next_index, calls=calls)
