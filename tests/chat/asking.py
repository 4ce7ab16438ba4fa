"""Replies as tests of the pages make them, and what a browser gets of them."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.test import Client

from accounts.models import User
from chat import replies
from chat.models import Conversation
from chat.replies import Reply, Settings
from streaming import journal, lifecycle
from streaming.events import Finish
from streaming.journal import Append, Chunk
from streaming.lifecycle import Ending
from streaming.models import Kind, Stream

HTMX = {"HX-Request": "true"}


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def ask(
    user: User, text: str, conversation: Conversation | None = None, model: str = "demo"
) -> Reply:
    chosen = Settings(model=model)
    return replies.start(
        user, text=text, request_id=uuid.uuid4(), chosen=chosen, conversation=conversation
    )


def write(reply: Reply, text: str, *, reasoning: str = "", seam: bool = False) -> Stream:
    """Let a worker claim the reply and commit some of it: a chunk for each word."""
    worker = lifecycle.register_worker("test")
    stream = next(s for s in lifecycle.claim(worker, 100) if s.pk == reply.stream.pk)
    parts = [(Kind.REASONING, reasoning)] if reasoning else []
    parts += [(Kind.TEXT, word) for word in re.findall(r"\S+\s*", text)]
    parts += [(Kind.SEAM, "")] if seam else []
    chunks, length = [], dict.fromkeys(Kind, 0)
    for index, (kind, delta) in enumerate(parts):
        offset = length[Kind.TEXT if kind == Kind.SEAM else kind]
        chunks.append(Chunk(index, index, kind, delta, offset))
        length[kind] += len(delta)
    assert journal.append([Append(stream.pk, stream.uuid, stream.epoch, tuple(chunks))])
    return stream


def finish(reply: Reply, text: str = "Because of friction.", ending: Ending | None = None) -> None:
    """Let a worker write the whole reply and end it."""
    stream = write(reply, text)
    ending = ending or Ending.from_finish(Finish("stop"))
    assert lifecycle.end(stream.pk, stream.epoch, ending)


def page(reply: Reply) -> str:
    return f"/c/{reply.conversation.pk}/"


def html(response: Any) -> str:
    assert response.status_code == 200, response
    text: str = response.content.decode()
    return text
