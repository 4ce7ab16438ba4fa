"""What the model is sent: the branch that a reply answers, as turns."""

from __future__ import annotations

from collections.abc import Iterable

from chat.models import Message
from streaming.providers.base import CARRY_ON, Turn


def turns(messages: Iterable[Message]) -> tuple[Turn, ...]:
    """The turns of a branch, oldest first. Stopped and failed replies go as far as they got;
    empty ones are left out."""
    return tuple(
        Turn("user" if message.role == Message.Role.USER else "assistant", message.content)
        for message in messages
        if message.content.strip()
    )


def going_on(before: tuple[Turn, ...], text: str) -> tuple[Turn, ...]:
    """The turns that ask to go on after the text so far of the reply itself."""
    return (*before, Turn("assistant", text), Turn("user", CARRY_ON))
