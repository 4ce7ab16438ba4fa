"""Replies for the tests of pages, and readers of the HTML that a browser gets."""

from __future__ import annotations

import re
import uuid
from html import unescape
from typing import Any

from accounts.models import User
from chat import replies
from chat.models import Conversation, Message
from chat.replies import Reply, ReplySettings
from streaming import journal, lifecycle
from streaming.events import Finish
from streaming.journal import Append
from streaming.lifecycle import Ending
from streaming.models import Kind, Stream
from tests.factories import Piece, build_chunks

HTMX = {"HX-Request": "true"}
QUESTION = "Why do tides lag the moon?"


def ask(
    user: User,
    text: str = "Why do tides lag the moon?",
    conversation: Conversation | None = None,
    model: str = "demo",
    *,
    request_id: uuid.UUID | None = None,
    **settings: Any,
) -> Reply:
    return replies.start_reply(
        user,
        text=text,
        request_id=request_id or uuid.uuid4(),
        reply_settings=ReplySettings(model, **settings),
        conversation=conversation,
    )


def write(reply: Reply, text: str, *, reasoning: str = "", seam: bool = False) -> Stream:
    """Claim the reply as a worker and commit some of it: a chunk for each word."""
    worker = lifecycle.register_worker("test")
    stream = next(s for s in lifecycle.claim(worker, 100) if s.pk == reply.stream.pk)
    pieces: list[Piece] = [(Kind.REASONING, reasoning)] if reasoning else []
    pieces += re.findall(r"\S+\s*", text)
    pieces += [(Kind.SEAM, "")] if seam else []
    chunks = build_chunks(pieces)
    assert journal.append([Append(stream.pk, stream.uuid, stream.epoch, tuple(chunks))])
    return stream


def finish(reply: Reply, text: str = "Because of friction.", ending: Ending | None = None) -> None:
    """Write the whole reply as a worker and end it."""
    stream = write(reply, text)
    ending = ending or Ending.from_finish(Finish("stop"))
    assert lifecycle.end(stream.pk, stream.epoch, ending)


def page(reply: Reply) -> str:
    return f"/c/{reply.conversation.pk}/"


def html(response: Any) -> str:
    assert response.status_code == 200, response
    text: str = response.content.decode()
    return text


def message_form(**fields: Any) -> dict[str, Any]:
    return {"text": QUESTION, "model": "demo", "request_id": str(uuid.uuid4())} | fields


def extend_conversation(reply: Reply, length: int) -> list[Message]:
    """Add messages until there are `length`; returns all of them in order."""
    chat, messages = reply.conversation, [reply.question, reply.answer]
    while len(messages) < length:
        role = (Message.Role.USER, Message.Role.ASSISTANT)[len(messages) % 2]
        text = f"Number {len(messages)}."
        messages.append(Message(conversation=chat, role=role, content=text, parent=messages[-1]))
    Message.objects.bulk_create(messages[2:])
    Conversation.objects.filter(pk=chat.pk).update(current_leaf=messages[-1])
    return messages


def find_article(shown: str, message: Message) -> str:
    """The HTML of one message on a page or in a fragment."""
    found = re.search(rf'<article class="message" id="m-{message.pk}".*?</article>', shown, re.S)
    assert found, shown
    return found[0]


def read_text_box(shown: str) -> str:
    """The text in the composer. A line end right after the tag is not part of it."""
    found = re.search(r'<textarea id="text"[^>]*>\n(.*?)</textarea>', shown, re.S)
    assert found, shown
    return unescape(found[1])
