"""Threads and runs, from the rows of conversations and streams."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from accounts.models import User
from chat import access
from chat.api.outputs import build_message_page
from chat.api.problems import build_not_found
from chat.doors.langgraph.events import RunFacts, build_message
from chat.doors.langgraph.protocol import DOOR_NAME, STATUS_BY_STATE
from chat.doors.threads import find_thread
from chat.models import ClientThread, Conversation, Message
from chat.replies import SOURCE
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


def find_run(user: User, thread_id: UUID, run_id: UUID) -> Stream:
    """The stream of a reply in this thread. Raises Problem or Http404."""
    conversation_id = get_thread(user, thread_id).conversation_id
    stream = access.get_stream_or_404(user, run_id)
    if stream.source != SOURCE or stream.lane != str(conversation_id):
        raise build_not_found()
    return stream


def load_facts(thread_id: UUID, stream: Stream, *, with_history: bool) -> RunFacts:
    """Raises DoesNotExist if the answer was deleted meanwhile."""
    answer = Message.objects.select_related("conversation").get(pk=stream.arguments["message"])
    page = (
        build_message_page(answer.conversation, answer.pk, MAX_MESSAGES) if with_history else None
    )
    history = page.messages if page else []
    return RunFacts(thread_id, stream.uuid, answer.pk, answer.model, answer.provider, history)


def build_thread(thread: ClientThread) -> dict[str, Any]:
    chat = thread.conversation
    page = build_message_page(chat, None, MAX_MESSAGES) if chat else None
    messages = page.messages if page else []
    return {
        "thread_id": thread.name,
        "created_at": _format(chat.created_at if chat else None),
        "updated_at": _format(chat.updated_at if chat else None),
        "metadata": {},
        "status": THREAD_STATUS.get(Conversation.ReplyStatus(chat.status), "idle")
        if chat
        else "idle",
        "values": {"messages": [build_message(message) for message in messages]},
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
