"""Threads and runs, from the rows of conversations and streams."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from accounts.models import User
from chat import access
from chat.api.outputs import build_message_page
from chat.api.problems import build_not_found
from chat.api.schemas import MessageOut
from chat.doors.langgraph.events import RunFacts, build_message
from chat.doors.langgraph.protocol import DOOR_NAME, STATUS_BY_STATE, SentMessage
from chat.doors.threads import build_unknown_history, find_thread
from chat.models import ClientThread, Conversation, Message
from chat.replies import SOURCE, PagePosition
from chat.replies.settings import clean_text
from streaming.models import State, Stream

MAX_MESSAGES = 1_000
"""Messages of a thread's state, the newest ones; a million characters at most."""
THREAD_STATUS = {
    Conversation.ReplyStatus.STREAMING: "busy",
    Conversation.ReplyStatus.ERROR: "error",
}


def get_thread(user: User, id: UUID) -> ClientThread:
    """Raises Problem."""
    thread = find_thread(user, DOOR_NAME, str(id))
    if thread is None:
        raise build_not_found()
    return thread


def find_position(user: User, id: UUID, earlier: Sequence[SentMessage]) -> PagePosition | None:
    """The end of the thread, if a client sends the messages of its state again. They must be all of
    them and unchanged, because the model gets the thread's own. Raises Problem."""
    if not earlier:
        return None
    thread = find_thread(user, DOOR_NAME, str(id))
    state = _load_state(thread) if thread else []
    if len(state) != len(earlier) or not all(map(_is_same, state, earlier)):
        raise build_unknown_history()
    return PagePosition(state[-1].id, state[-1].id)


def _is_same(message: MessageOut, sent: SentMessage) -> bool:
    """Of an answer that still grows, the client may have the beginning."""
    role = "human" if message.role == "user" else "ai"
    text = clean_text(message.content)
    is_growing = message.stream is not None and not State(message.stream.state).has_ended
    has_text = text.startswith(sent.text) if is_growing else text == sent.text
    return (role, message.id) == (sent.role, sent.id) and has_text


def _load_state(thread: ClientThread) -> list[MessageOut]:
    chat = thread.conversation
    return build_message_page(chat, None, MAX_MESSAGES).messages if chat else []


def find_run(user: User, thread_id: UUID, run_id: UUID) -> Stream:
    """The stream of a reply in this thread. Raises Problem or Http404."""
    conversation_id = get_thread(user, thread_id).conversation_id
    stream = access.get_stream_or_404(user, run_id)
    if stream.source != SOURCE or stream.lane != str(conversation_id):
        raise build_not_found()
    return stream


def load_facts(thread_id: UUID, stream: Stream) -> RunFacts:
    """Raises DoesNotExist if the answer was deleted meanwhile."""
    answer = Message.objects.get(pk=stream.arguments["message"])
    return RunFacts(thread_id, stream.uuid, answer.pk, answer.model, answer.provider)


def load_history(answer_id: UUID) -> Sequence[MessageOut]:
    """The messages before an answer. Raises DoesNotExist if it was deleted meanwhile."""
    answer = Message.objects.select_related("conversation").get(pk=answer_id)
    return build_message_page(answer.conversation, answer.pk, MAX_MESSAGES).messages


def build_thread(thread: ClientThread) -> dict[str, Any]:
    chat = thread.conversation
    return {
        "thread_id": thread.name,
        "created_at": _format(chat.created_at if chat else None),
        "updated_at": _format(chat.updated_at if chat else None),
        "metadata": {},
        "status": THREAD_STATUS.get(Conversation.ReplyStatus(chat.status), "idle")
        if chat
        else "idle",
        "values": {"messages": [build_message(message) for message in _load_state(thread)]},
        "interrupts": {},
    }


def build_run(thread_id: UUID, stream: Stream) -> dict[str, Any]:
    provider, model = stream.arguments.get("provider"), stream.arguments.get("model")
    return {
        "run_id": str(stream.uuid),
        "thread_id": str(thread_id),
        "assistant_id": f"{provider}/{model}" if provider else model,
        "created_at": _format(stream.created_at),
        "updated_at": _format(stream.ended_at or stream.last_chunk_at or stream.created_at),
        "status": STATUS_BY_STATE[State(stream.state)],
        "metadata": {},
        "multitask_strategy": "enqueue",
    }


def _format(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
