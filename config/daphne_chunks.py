"""Reads small chunks of bodies at a limited pace on Daphne. Twisted would decode all that arrived,
and hand over each chunk, before anybody else has a turn."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.web import http

from config.chunk_limits import PIECE_BYTES, TOO_MANY_CHUNKS_MESSAGE, ChunkCounter
from config.daphne_unread import WatchedHTTPChannel


class PacedChunkDecoder(http._ChunkedTransferDecoder):
    """Decodes a piece at a time, and hands over its chunks together."""

    length = 0

    def __init__(self, channel: PacedHTTPChannel, replaced: Any) -> None:
        super().__init__(self._add_chunk, self._finish)
        self._channel = channel
        self._hand_over = replaced.dataCallback
        self._hand_over_rest = replaced.finishCallback
        self._counter = ChunkCounter()
        self._chunks: list[bytes] = []
        self._held_data = memoryview(b"")
        self._timer: Any = None

    def dataReceived(self, data: bytes) -> None:
        self._held_data = memoryview(bytes(self._held_data) + data if self._held_data else data)
        while self._held_data and self._timer is None:
            size = max(PIECE_BYTES, self.length if self.state == "BODY" else 0)
            piece, self._held_data = self._held_data[:size], self._held_data[size:]
            super().dataReceived(piece)  # type: ignore[arg-type]
            self._flush()
            delay = self._counter.pay()
            if delay > 0 and self.state != "FINISHED":
                clock: Any = reactor
                self._timer = clock.callLater(delay, self._go_on)
        if self._timer is not None:
            network: Any = self._channel._networkProducer
            network.pauseProducing()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def is_waiting(self) -> bool:
        return self._timer is not None

    def _add_chunk(self, data: bytes) -> None:
        self._chunks.append(data)
        if not self._counter.add(len(data)):
            self._held_data = memoryview(b"")
            raise http._MalformedChunkedDataError(TOO_MANY_CHUNKS_MESSAGE)  # answered with 400

    def _flush(self) -> None:
        if self._chunks:
            data = b"".join(self._chunks)
            self._chunks.clear()
            self._hand_over(data)

    def _finish(self, rest: bytes) -> None:
        self._flush()
        rest += self._held_data
        self._held_data = memoryview(b"")
        self._hand_over_rest(rest)

    def _go_on(self) -> None:
        self._timer = None
        self._channel.go_on_with_body()


class PacedHTTPChannel(WatchedHTTPChannel):
    """A connection whose client may send a body in chunks."""

    def allHeadersReceived(self) -> None:
        if isinstance(self._transferDecoder, http._ChunkedTransferDecoder):
            self._transferDecoder = PacedChunkDecoder(self, self._transferDecoder)
        super().allHeadersReceived()

    def go_on_with_body(self) -> None:
        decoder: Any = self._transferDecoder
        transport: Any = self.transport
        network: Any = self._networkProducer
        request = self.requests[-1]
        if transport.disconnecting:
            return
        self.rawDataReceived(b"")  # a piece of what is held, and also its answer if it is wrong
        if not (decoder.is_waiting() or self._waitingForTransport or request.waits_for_owner()):
            network.resumeProducing()

    def connectionLost(self, *reason: Any) -> None:
        if isinstance(self._transferDecoder, PacedChunkDecoder):
            self._transferDecoder.stop()
        super().connectionLost(*reason)
