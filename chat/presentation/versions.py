"""Versions of a message, and the addresses that show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.urls import reverse

from chat.models import Message


@dataclass(frozen=True, slots=True)
class VersionLinks:
    """The place of a message among its versions, from 1. A URL is empty where there is none."""

    number: int
    count: int
    previous_url: str
    next_url: str


def build_version_links(message: Message, version_ids: Sequence[UUID]) -> VersionLinks | None:
    """None for a message without another version."""
    if len(version_ids) < 2:
        return None
    index = version_ids.index(message.pk)

    def get_url(index: int) -> str:
        if not 0 <= index < len(version_ids):
            return ""
        return build_message_url(message.conversation_id, version_ids[index])

    return VersionLinks(index + 1, len(version_ids), get_url(index - 1), get_url(index + 1))


def build_message_url(conversation_id: UUID, message_id: UUID) -> str:
    """The conversation on the newest branch through this message, scrolled to it."""
    return f"{reverse('conversation', args=[conversation_id])}?leaf={message_id}#m-{message_id}"
