"""Replies for the tests of pages, and functions that read the HTML of responses."""

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


def start_reply(
    user: User,
    text: str = QUESTION,
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


def claim_reply(reply: Reply) -> Stream:
    """Claim the stream of a reply as a worker."""
    worker = lifecycle.register_worker("test")
    stream = lifecycle.claim_stream(worker, Stream.objects.get(pk=reply.stream.pk))
    assert stream
    return stream


def write_reply(reply: Reply, text: str, *, reasoning: str = "", seam: bool = False) -> Stream:
    """Claim the reply as a worker and commit this text: a chunk for each word."""
    worker = lifecycle.register_worker("test")
    stream = next(s for s in lifecycle.claim(worker, 100) if s.pk == reply.stream.pk)
    pieces: list[Piece] = [(Kind.REASONING, reasoning)] if reasoning else []
    pieces += re.findall(r"\S+\s*", text)
    pieces += [(Kind.SEAM, "")] if seam else []
    chunks = build_chunks(pieces)
    assert journal.append([Append(stream.pk, stream.uuid, stream.epoch, tuple(chunks))])
    return stream


def finish_reply(
    reply: Reply, text: str = "Because of friction.", ending: Ending | None = None
) -> None:
    """Write a complete reply as a worker and end it."""
    stream = write_reply(reply, text)
    ending = ending or Ending.from_finish(Finish("stop"))
    assert lifecycle.end(stream.pk, stream.epoch, ending)


def get_path(reply: Reply) -> str:
    """Return the path of the conversation of a reply."""
    return f"/c/{reply.conversation.pk}/"


def read_html(response: Any) -> str:
    """Return the HTML of a response, whose status must be 200."""
    assert response.status_code == 200, response
    text: str = response.content.decode()
    return text


def build_message_form(**fields: Any) -> dict[str, Any]:
    return {"text": QUESTION, "model": "demo", "request_id": str(uuid.uuid4())} | fields


def extend_conversation(reply: Reply, length: int) -> list[Message]:
    """Add messages until there are `length` of them. Return all in order."""
    chat, messages = reply.conversation, [reply.question, reply.answer]
    while len(messages) < length:
        role = (Message.Role.USER, Message.Role.ASSISTANT)[len(messages) % 2]
        text = f"Number {len(messages)}."
        messages.append(Message(conversation=chat, role=role, content=text, parent=messages[-1]))
    Message.objects.bulk_create(messages[2:])
    Conversation.objects.filter(pk=chat.pk).update(current_leaf=messages[-1])
    return messages


def read_revision(user: User) -> int:
    return User.objects.get(pk=user.pk).revision


def find_article(shown: str, message: Message) -> str:
    """Return the HTML of one message on a page or in a fragment."""
    found = re.search(rf'<article class="message" id="m-{message.pk}".*?</article>', shown, re.S)
    assert found, shown
    return found[0]


def read_text_box(shown: str) -> str:
    """Return the text in the composer, without the line end after the opening tag."""
    found = re.search(r'<textarea id="text"[^>]*>\n(.*?)</textarea>', shown, re.S)
    assert found, shown
    return unescape(found[1])
