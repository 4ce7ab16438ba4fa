"""Creates conversations for the benchmark, and measures the storage of answers."""

from __future__ import annotations

from uuid import uuid4

from django.db import connection
from django.db.models.functions import Now

from accounts.api_keys import keys
from accounts.models import User
from benchmarks.engine.prose import read_prose, split_tokens
from benchmarks.engine.source import KEY
from chat import replies as chat_replies
from chat.doors.gateway.models import GatewayResponse
from chat.doors.gateway.reading import DOOR_NAME
from chat.models import Conversation, Message
from chat.replies import ReplySettings
from streaming import journal
from streaming.journal import Chunk
from streaming.models import FoldedJournal, Kind, State, Stream

MODEL = "gpt-5.5"
MESSAGE_TEXT = "The holdfast grips the rock, and the blade gives way to the tide. " * 6
ANSWER_CHARS = 9_000
"""Characters: about 2,000 tokens."""


def create_conversations(count: int, turns: int) -> list[str]:
    """Create conversations with a number of turns each, each of a user with a key."""
    ids = []
    for _ in range(count):
        user = User.objects.create(email=f"{uuid4().hex}@holdfast.test", password="!")
        keys.save(user, "openai", KEY.reveal())
        ids.append(str(_create_conversation(user, turns).pk))
    return ids


def start_replies(ids: list[str]) -> list[str]:
    """Ask a question in each of these conversations."""
    return [
        str(
            chat_replies.start_reply(
                conversation.user,
                text="And what does it cost?",
                request_id=uuid4(),
                reply_settings=ReplySettings(model=MODEL),
                conversation=conversation,
            ).stream.uuid
        )
        for conversation in Conversation.objects.filter(pk__in=ids).select_related("user")
    ]


def _create_conversation(user: User, turns: int) -> Conversation:
    conversation = Conversation.objects.create(user=user, title="Kelp")
    parent = None
    for number in range(turns):
        role = Message.Role.ASSISTANT if number % 2 else Message.Role.USER
        parent = Message.objects.create(
            conversation=conversation,
            parent=parent,
            role=role,
            content=MESSAGE_TEXT,
            is_complete=True,
        )
    conversation.current_leaf = parent
    conversation.save(update_fields=["current_leaf"])
    return conversation


def create_responses(streams: list[Stream]) -> None:
    """Create the rows that the gateway reads beside those of the streams."""
    conversations = Conversation.objects.bulk_create(
        Conversation(user_id=stream.owner_id, title="Kelp", door=DOOR_NAME) for stream in streams
    )
    answers = Message.objects.bulk_create(
        Message(conversation=conversation, role=Message.Role.ASSISTANT)
        for conversation in conversations
    )
    GatewayResponse.objects.bulk_create(
        GatewayResponse(
            stream=stream, user_id=stream.owner_id, conversation=answer.conversation, answer=answer
        )
        for stream, answer in zip(streams, answers, strict=True)
    )


def create_folded_replies(count: int, tokens_per_chunk: int) -> list[int]:
    """Create answers whose chunks are folded. Return the bytes of all their rows with indexes, and
    of their text, which is this project's own prose in pieces like the tokens of a model."""
    prose = read_prose()
    user = User.objects.create(email=f"{uuid4().hex}@holdfast.test", password="!")
    conversation = Conversation.objects.create(user=user, title="Kelp")
    before, text = _measure_tables(), 0
    for number in range(count):
        at = number * 997 % (len(prose) - ANSWER_CHARS)
        content = prose[at : at + ANSWER_CHARS]
        text += len(content.encode())
        chunks = _cut(content, tokens_per_chunk)
        stream = Stream.objects.create(
            owner=user,
            request_id=uuid4(),
            source=chat_replies.SOURCE,
            state=State.COMPLETED,
            next_index=len(chunks),
            length=len(content),
            ended_at=Now(),
            folded_at=Now(),
        )
        Message.objects.create(
            conversation=conversation,
            role=Message.Role.ASSISTANT,
            content=content,
            is_complete=True,
            stream=stream,
        )
        FoldedJournal.objects.create(stream=stream, cuts=journal.pack_chunks(chunks))
    return [_measure_tables() - before, text]


def _cut(content: str, tokens_per_chunk: int) -> list[Chunk]:
    tokens = split_tokens(content)
    chunks: list[Chunk] = []
    offset = 0
    for at in range(0, len(tokens), tokens_per_chunk):
        delta = "".join(tokens[at : at + tokens_per_chunk])
        chunks += journal.split_delta(Kind.TEXT, delta, len(chunks), offset)
        offset += len(delta)
    assert offset == len(content)
    return chunks


def _measure_tables() -> int:
    tables = ("chat_message", "streaming_stream", "streaming_foldedjournal")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_total_relation_size(t)) FROM unnest(%s::text[]) AS t", [[*tables]]
        )
        return int(cursor.fetchone()[0])
