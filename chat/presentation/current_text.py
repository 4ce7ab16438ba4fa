"""The text of a message that is committed now, with its index in the stream."""

from __future__ import annotations

from dataclasses import dataclass

from chat.models import Message
from streaming import journal
from streaming.models import State, Stream
from streaming.providers.reasoning_mark import split_marked_reasoning


@dataclass(frozen=True, slots=True)
class CurrentText:
    """`index` is that of the last chunk in the text; -1 if there is none."""

    content: str
    reasoning: str
    seams: tuple[int, ...]
    index: int
    stream: Stream | None


def read_current_text(message: Message) -> CurrentText:
    """The text of an ended reply stands in its message, that of a growing one in the journal."""
    stream = message.stream
    if stream is None or State(stream.state).has_ended:
        index = stream.next_index - 1 if stream else -1
        return CurrentText(message.content, message.reasoning, tuple(message.seams), index, stream)
    if not stream.next_index:  # such as each of many replies that wait in a chat: no query for them
        return CurrentText("", "", (), -1, stream)
    text = split_marked_reasoning(journal.read_text(stream.id))
    return CurrentText(text.content, text.reasoning, text.seams, text.next_index - 1, stream)
