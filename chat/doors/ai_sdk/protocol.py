"""The parts of a UI message stream, version 1, from the events of our stream.

Only parts that both the 6.x and the 7.x line of the AI SDK know: an unknown one ends a client's
stream. A part of text has the offset of its first character in its id, so that each replay has the
same ids, however chunks are joined and after they were folded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from chat.models import Message
from chat.replies.usage import read_usage
from streaming.follow import Snapshot, StateChanged
from streaming.journal import Chunk
from streaming.models import Kind, State, Stream
from streaming.providers.reasoning_mark import REASONING_MARK, TEXT_MARK

HEADERS = {"x-vercel-ai-ui-message-stream": "v1"}
DONE = b"data: [DONE]\n\n"
NOTE = "data-holdfast"
"""The type of a part that tells what a reply waits for. It is transient: no message keeps it."""
FINISH_REASONS = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content-filter",
    "refusal": "content-filter",
    "tool_calls": "tool-calls",
}

Part = dict[str, Any]


class UIMessageStream:
    """The parts of one answer, in the order of the protocol. Of the row only names are kept: a
    client may read for long, and a text has megabytes."""

    def __init__(self, answer: Message) -> None:
        self._message_id = str(answer.pk)
        self._names = {
            "conversationId": str(answer.conversation_id),
            "model": answer.model,
            "provider": answer.provider,
        }
        self._kind = ""
        self._id = ""
        self._lengths: dict[str, int] = {Kind.TEXT: 0, Kind.REASONING: 0}
        self._note = ""

    def start(self, stream: Stream) -> Iterator[Part]:
        metadata = self._names | {"streamId": str(stream.uuid)}
        yield {"type": "start", "messageId": self._message_id, "messageMetadata": metadata}
        yield {"type": "start-step"}

    def add(self, event: Chunk | Snapshot | StateChanged) -> Iterator[Part]:
        match event:
            case Chunk():
                yield from self.add_text(event.kind, event.delta, event.offset)
            case Snapshot():
                yield from self._add_rest(Kind.REASONING, event.reasoning)
                yield from self._add_rest(Kind.TEXT, event.text)
            case StateChanged() if event.note != self._note:
                self._note = event.note
                yield {"type": NOTE, "data": {"note": event.note}, "transient": True}

    def add_text(self, kind: str, delta: str, offset: int) -> Iterator[Part]:
        """Seams have no text, and kinds of a newer version no part."""
        if kind not in self._lengths:
            return
        self._lengths[kind] = offset + len(delta)
        for number, piece in enumerate(delta.split(REASONING_MARK)):
            if number:
                yield from self._close(is_reasoning=True)
            if shown := piece.replace(TEXT_MARK, ""):
                if kind != self._kind:
                    yield from self._open(kind, offset + _count_marks(piece))
                yield {"type": f"{kind}-delta", "id": self._id, "delta": shown}
            offset += len(piece) + 1

    def _add_rest(self, kind: str, text: str) -> Iterator[Part]:
        """A snapshot has all the text, of which this client may have a part."""
        length = self._lengths[kind]
        if rest := text[length:]:
            yield from self.add_text(kind, rest, length)

    def _open(self, kind: str, offset: int) -> Iterator[Part]:
        yield from self._close()
        self._kind, self._id = kind, f"{kind}-{offset}"
        yield {"type": f"{kind}-start", "id": self._id}

    def _close(self, *, is_reasoning: bool = False) -> Iterator[Part]:
        """A text that turns out to be reasoning can't be taken back (docs/decisions/0017), so it
        says what it was."""
        if not self._kind:
            return
        what = {"providerMetadata": {"holdfast": {"isReasoning": True}}}
        is_marked = is_reasoning and self._kind == Kind.TEXT
        yield {"type": f"{self._kind}-end", "id": self._id, **(what if is_marked else {})}
        self._kind = self._id = ""

    def end(self, stream: Stream) -> Iterator[Part]:
        """The last parts, from the row of a stream that has ended."""
        yield from self._close()
        metadata = {"state": stream.state, "usage": build_usage(stream)}
        match stream.state:
            case State.COMPLETED:
                reason = FINISH_REASONS.get(stream.finish_reason, "other")
                yield {"type": "finish-step"}
                yield {"type": "finish", "finishReason": reason, "messageMetadata": metadata}
            case State.STOPPED:
                yield {"type": "message-metadata", "messageMetadata": metadata}
                yield {"type": "abort", "reason": "stopped"}
            case _:
                yield {"type": "message-metadata", "messageMetadata": metadata}
                yield {"type": "error", "errorText": stream.error}


def _count_marks(piece: str) -> int:
    """At its start. Whether a mark stands in a chunk of its own must not change an id."""
    return len(piece) - len(piece.lstrip(TEXT_MARK))


def build_usage(stream: Stream) -> dict[str, Any]:
    """The tokens as the AI SDK names them. Unknown counts are left out."""
    counted = read_usage(stream)
    total = None
    if counted.input is not None and counted.output is not None:
        total = counted.input + counted.output
    counts = {
        "inputTokens": counted.input,
        "outputTokens": counted.output,
        "totalTokens": total,
        "inputTokenDetails": _without_none(
            cacheReadTokens=counted.cached, cacheWriteTokens=counted.cache_written
        ),
        "outputTokenDetails": _without_none(reasoningTokens=counted.reasoning),
    }
    return _without_none(**counts)


def _without_none(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


_encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def encode_part(part: Part) -> str:
    return _encode_json(part)
