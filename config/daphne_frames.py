"""Reads the frames of a socket at a limited pace on Daphne, which would keep all of them in
memory."""

from __future__ import annotations

import asyncio
from typing import Any

from daphne import ws_protocol
from twisted.internet import reactor

from config.frame_pace import (
    CONTROL_FRAME_COST,
    MAX_WAITING_FRAMES,
    TURN_SECONDS,
    FrameCounter,
)
from streaming.doors.websocket.leaving import use_leaving_event

FIRST_CONTROL_OPCODE = 8


class PacedDaphneProtocol(ws_protocol.WebSocketProtocol):
    """A socket that stops reading when its client is too fast, or the application too slow."""

    _is_held = False

    def connectionMade(self) -> None:
        super().connectionMade()
        self._frame_counter = FrameCounter()
        self._client_left = asyncio.Event()

    def onConnect(self, request: Any) -> Any:
        with use_leaving_event(self._client_left):
            return super().onConnect(request)

    def onClose(self, *reason: Any) -> None:
        self._client_left.set()
        super().onClose(*reason)

    def processData(self) -> bool:
        """Called until it returns false."""
        return not self._is_held and bool(super().processData())

    def onFrameEnd(self) -> Any:
        is_control = self.current_frame.opcode >= FIRST_CONTROL_OPCODE
        result = super().onFrameEnd()
        delay = self._frame_counter.add(CONTROL_FRAME_COST if is_control else 1)
        if self._has_waiting_frames():
            delay = max(delay, TURN_SECONDS)
        if delay > 0 and not self._is_held:
            self._is_held = True
            self.transport.pauseProducing()
            self._resume_later(delay)
        return result

    def _has_waiting_frames(self) -> bool:
        queue = getattr(self, "application_queue", None)
        return queue is not None and queue.qsize() >= MAX_WAITING_FRAMES

    def _resume_later(self, delay: float) -> None:
        clock: Any = reactor
        clock.callLater(delay, self._resume)

    def _resume(self) -> None:
        if self.state == self.STATE_CLOSED:
            return
        if self._has_waiting_frames() and self.state == self.STATE_OPEN:
            self._resume_later(TURN_SECONDS)
            return
        self._is_held = False
        self.transport.resumeProducing()
        self.consumeData()
