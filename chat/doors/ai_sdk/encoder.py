"""The parts of an answer as server-sent events. Stock clients ignore the ids of events; others
continue after the last one that they have."""

from __future__ import annotations

from collections.abc import Iterable

from chat.doors.ai_sdk.protocol import DONE, Part, UIMessageStream, encode_part
from streaming.doors.answers import AnswerEncoder
from streaming.follow import Snapshot, StateChanged
from streaming.journal import Chunk
from streaming.models import Stream


class UIMessageEncoder(AnswerEncoder):
    """With `continues`, the client has the beginning of the message, which `parts` knows."""

    def __init__(self, stream: Stream, parts: UIMessageStream, *, continues: bool = False) -> None:
        self._stream, self._parts, self._continues = stream, parts, continues

    def encode_start(self) -> bytes:
        if self._continues:
            return self.heartbeat  # a body that is open
        return self._encode(self._parts.start(self._stream))

    def encode_event(self, event: Chunk | Snapshot | StateChanged) -> bytes:
        index = None if isinstance(event, StateChanged) else event.index
        return self._encode(self._parts.add(event), index)

    def encode_end(self, stream: Stream) -> bytes:
        return self._encode(self._parts.end(stream), stream.next_index) + DONE

    def _encode(self, parts: Iterable[Part], index: int | None = None) -> bytes:
        """The last event has the id, because a client without it must get all of these again."""
        lines = [f"data: {encode_part(part)}\n" for part in parts]
        if lines and index is not None:
            lines[-1] = f"id: {self._stream.uuid}:{index}\n{lines[-1]}"
        return "".join(f"{line}\n" for line in lines).encode()
