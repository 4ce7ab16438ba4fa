"""Titles of conversations, written by the cheapest model of the provider after the first reply.

A title is a stream of its own, in its own lane. It therefore survives what replies survive, and no
message waits for it. A title that a person gave is never replaced.
"""

from __future__ import annotations

import re
from uuid import uuid4

from django.conf import settings

from chat import changes, model_catalog
from chat.models import Conversation, Message
from chat.replies import consumption, credentials, usage
from chat.replies.stored_text import remove_stored_reasoning
from streaming import journal, lifecycle
from streaming.events import StreamText
from streaming.models import State, Stream
from streaming.providers import catalog
from streaming.providers.http.tagged_reasoning import remove_tagged_reasoning
from streaming.providers.reasoning_mark import split_marked_reasoning
from streaming.providers.reply_source import ReplySource
from streaming.providers.types import Request, Turn, Usage
from streaming.sources import StreamHandler
from streaming.sources import register as register_source

SOURCE = "title"
MAX_EXCERPT_CHARS = 2_000
"""Characters of the question, and of the answer, that the model is sent."""
MAX_GENERATED_TITLE_CHARS = 80
MAX_TITLE_TOKENS = 2_000
"""How much a model may write, its reasoning included, before there is no title."""
TITLE_PROMPT = (
    "Write a title for this conversation, in its own language: two to six words, no quotation "
    "marks, no full stop, nothing else."
)
TYPICAL_USAGE = Usage(input=1_000, output=20)
"""The tokens of a title, by which the costs of models are compared."""


def get_title_lane(conversation: Conversation) -> str:
    return f"{conversation.pk} title"


def enqueue_title(conversation: Conversation, answer: Message) -> None:
    """After the first reply, in the transaction that ends it, under the conversation's lock."""
    first = answer.parent is not None and answer.parent.parent_id is None
    provider = catalog.PROVIDERS.get(answer.provider)
    if not settings.GENERATE_TITLES or conversation.title_is_custom or not first:
        return
    if conversation.door:  # the program pays for what it asks for, and nobody may see the title
        return
    if provider is None or not provider.needs_key:
        return
    if Stream.objects.filter(lane=get_title_lane(conversation)).exists():
        return
    lifecycle.enqueue(
        owner=conversation.user,
        request_id=uuid4(),
        source=SOURCE,
        arguments={
            "message": str(answer.pk),
            "model": find_cheapest_model(conversation, answer),
            "provider": answer.provider,
        },
        lane=get_title_lane(conversation),
    )


def find_cheapest_model(conversation: Conversation, answer: Message) -> str:
    """The id of a model of the reply's own provider, so that no other one is sent the text. If no
    price is known, it is the model of the reply."""
    costs = {}
    for model in model_catalog.load_models(conversation.user).values():
        cost = model.price.calculate_cost(TYPICAL_USAGE) if model.price else None
        if (
            cost is not None
            and model.provider == answer.provider
            and model.availability == "active"
        ):
            costs[model.id] = cost
    return min(costs, key=lambda id: (costs[id], id)) if costs else answer.model


# Called by the engine


def register_handler() -> None:
    handler = StreamHandler(prepare=prepare, finalize=finalize, load_text=load_text)
    register_source(SOURCE, handler)


def prepare(stream: Stream, text: StreamText) -> ReplySource:
    """Raises ModelNotFound or InvalidKey; the first words then stay the title."""
    model = credentials.get_stream_model(stream)
    answer = Message.objects.select_related("parent").get(pk=stream.arguments["message"])
    question = answer.parent.content if answer.parent else ""
    said = remove_stored_reasoning(
        answer.content, answer.provider, is_separated=bool(answer.reasoning)
    )
    excerpts = (question[:MAX_EXCERPT_CHARS], said[:MAX_EXCERPT_CHARS], TITLE_PROMPT)
    prompt = "\n\n---\n\n".join(excerpts)
    request = Request(
        model=model.id,
        turns=(Turn("user", prompt),),
        max_tokens=_get_max_tokens(model),
        reasoning_effort=model.efforts[0] if model.efforts else None,
    )
    return credentials.build_source(stream, model, request, text)


def _get_max_tokens(model: catalog.Model) -> int | None:
    if not model.takes_max_tokens:
        return None
    return min(MAX_TITLE_TOKENS, model.max_output or MAX_TITLE_TOKENS)


def finalize(stream: Stream) -> None:
    text = split_marked_reasoning(journal.read_text(stream.id))
    title = clean_title(remove_tagged_reasoning(text.content))
    if stream.state == State.COMPLETED and title:
        _save_title(stream, title)
    model = usage.find_stream_model(stream)
    consumption.record_consumption(stream, model, text, is_title=True)


def _save_title(stream: Stream, title: str) -> None:
    mine = Conversation.objects.filter(messages=stream.arguments["message"], title_is_custom=False)
    conversation = mine.select_for_update().first()
    if conversation is not None:
        Conversation.objects.filter(pk=conversation.pk, title_is_custom=False).update(title=title)
        changes.bump_revision(conversation.user_id)


def clean_title(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    line = re.sub(r"(?i)^\W*title:\s*", "", lines[0]) if lines else ""
    line = " ".join(line.split()).strip(" \"'“”„«»*#`_")
    return line.removesuffix(".")[:MAX_GENERATED_TITLE_CHARS].strip()


def load_text(stream: Stream) -> StreamText | None:
    """No page shows the text."""
    return None
