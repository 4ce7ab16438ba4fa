"""The messages of a chat as the AI SDK keeps them."""

from __future__ import annotations

from typing import Any

from chat.api.outputs import build_message_page
from chat.api.schemas import MessageOut
from chat.models import Conversation

MAX_MESSAGES = 200


def build_messages(conversation: Conversation | None) -> list[dict[str, Any]]:
    """The newest messages of the branch that is shown, as many as fit one answer. An answer that
    still grows is left out: the client resumes it, and gets it from its start."""
    if conversation is None:
        return []
    page = build_message_page(conversation, None, MAX_MESSAGES)
    return [_build_message(message) for message in page.messages if not _is_growing(message)]


def _is_growing(message: MessageOut) -> bool:
    return message.stream is not None and message.stream.state in ("queued", "running")


def _build_message(message: MessageOut) -> dict[str, Any]:
    texts = {"reasoning": message.reasoning, "text": message.content}
    parts = [{"type": kind, "text": text} for kind, text in texts.items() if text]
    return {"id": str(message.id), "role": message.role, "parts": parts}
