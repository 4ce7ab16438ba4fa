"""The title of a conversation: the first words of it, and after the first reply one that the
cheapest model of the same provider writes.

Writing one is a stream of its own, in a lane of its own, so that it survives what replies
survive and no message ever waits for it. A title that a person gave is never replaced.
"""

from __future__ import annotations

import re
from uuid import uuid4

from django.conf import settings

from chat import calls, offer, sync
from chat.models import TITLE_LENGTH, Conversation, Message
from streaming import journal, lifecycle
from streaming.events import StreamText
from streaming.models import State, Stream
from streaming.providers import catalog
from streaming.providers.reply_source import ReplySource
from streaming.providers.types import Request, Turn, Usage
from streaming.sources import StreamHandler
from streaming.sources import register as register_source

SOURCE = "title"
EXCERPT = 2_000
"""Characters of the question and of the answer that the model is shown."""
LONGEST = 80
ASK = (
    "Write a title for this conversation, in its own language: two to six words, no quotation "
    "marks, no full stop, nothing else."
)
TYPICAL = Usage(input=1_000, output=20)
"""What models are compared by."""


def first_words(text: str) -> str:
    """A conversation's first title, in one line."""
    return " ".join(text.split())[:TITLE_LENGTH]


def lane(conversation: Conversation) -> str:
    return f"{conversation.pk} title"


def ask(conversation: Conversation, answer: Message) -> None:
    """Have a title written after the first reply; in the transaction that ends it, under the
    conversation's lock."""
    first = answer.parent is not None and answer.parent.parent_id is None
    provider = catalog.PROVIDERS.get(answer.provider)
    if not settings.TITLES or conversation.named or not first:
        return
    if provider is None or not provider.needs_key:
        return
    if Stream.objects.filter(lane=lane(conversation)).exists():
        return
    lifecycle.enqueue(
        owner=conversation.user,
        request_id=uuid4(),
        source=SOURCE,
        arguments={"message": str(answer.pk), "model": cheapest(conversation, answer)},
        lane=lane(conversation),
    )


def cheapest(conversation: Conversation, answer: Message) -> str:
    """The id of the cheapest model of the reply's own provider: the text goes nowhere it has not
    been. Where nobody knows the prices, the model of the reply."""
    costs = {}
    for model in offer.models(conversation.user).values():
        cost = model.price.calculate_cost(TYPICAL) if model.price else None
        if cost is not None and model.provider == answer.provider and model.lifecycle == "active":
            costs[model.id] = cost
    return min(costs, key=lambda id: (costs[id], id)) if costs else answer.model


# What the engine calls


def register() -> None:
    register_source(SOURCE, StreamHandler(prepare, settle, recall))


def prepare(stream: Stream, text: StreamText) -> ReplySource:
    """Raises ModelNotFound or InvalidKey, which leaves the first words as the title."""
    model = calls.model(stream)
    answer = Message.objects.select_related("parent").get(pk=stream.arguments["message"])
    question = answer.parent.content if answer.parent else ""
    shown = f"{question[:EXCERPT]}\n\n---\n\n{answer.content[:EXCERPT]}\n\n---\n\n{ASK}"
    request = Request(
        model=model.id,
        turns=(Turn("user", shown),),
        reasoning_effort=model.efforts[0] if model.efforts else None,
    )
    key = calls.key(stream, model.provider)
    return ReplySource(calls.adapter(model.provider), request, key, calls.refusal_memory(model))


def settle(stream: Stream) -> None:
    """Put the title in place, unless a person has given one meanwhile."""
    title = tidy(journal.read_text(stream.id).content)
    if stream.state != State.COMPLETED or not title:
        return
    mine = Conversation.objects.filter(messages=stream.arguments["message"], named=False)
    conversation = mine.select_for_update().first()
    if conversation is not None:
        Conversation.objects.filter(pk=conversation.pk, named=False).update(title=title)
        sync.changed(conversation.user_id)


def tidy(written: str) -> str:
    """The title in what the model wrote: one line, without marks around it."""
    lines = [line for line in written.splitlines() if line.strip()]
    line = re.sub(r"(?i)^\W*title:\s*", "", lines[0]) if lines else ""
    line = " ".join(line.split()).strip(" \"'“”„«»*#`_")
    return line.removesuffix(".")[:LONGEST].strip()


def recall(stream: Stream) -> StreamText | None:
    """Nothing shows it."""
    return None
