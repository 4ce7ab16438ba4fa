"""A client that follows docs/protocol.md and records everything it receives, for comparisons."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tools.deployment.http_user import Person

PATIENCE = 30.0  # seconds without a frame after which a test fails


@dataclass
class Reader:
    """One reader of one stream, over as many sockets as needed."""

    person: Person
    stream: UUID
    text: str = ""
    reasoning: str = ""
    seams: list[int] = field(default_factory=list)
    cursor: int = -1
    indexes: list[int] = field(default_factory=list)
    snapshots: int = 0
    sockets: int = 0
    end: dict[str, Any] | None = None

    def read(self, *, chunks: int | None = None) -> Reader:
        """Open a socket, follow from the cursor, and read until the end, or until a number of chunk
        frames has come; then drop the connection without closing it."""
        with self.person.socket(close_timeout=0.1) as socket:
            self._follow(socket)
            while self.end is None and chunks != 0:
                frame = json.loads(socket.recv(timeout=PATIENCE))
                self._take(frame, socket)
                if chunks is not None and frame["type"] == "chunk":
                    chunks -= 1
            socket.close_socket()
        return self

    def read_to_the_end(self) -> Reader:
        """Reconnect as often as the connection breaks."""
        while self.end is None:
            with suppress(ConnectionClosed, OSError):
                self.read()
        return self

    def _follow(self, socket: ClientConnection) -> None:
        self.sockets += 1
        follow = {"type": "follow", "stream": str(self.stream), "after": self.cursor}
        socket.send(json.dumps(follow))

    def _take(self, frame: dict[str, Any], socket: ClientConnection) -> None:
        match frame["type"]:
            case "chunk":
                self._append(frame)
            case "snapshot":
                self.text, self.reasoning = frame["text"], frame["reasoning"]
                self.cursor = frame["index"]
                self.snapshots += 1
            case "ping":
                socket.send(json.dumps({"type": "pong", "n": frame["n"]}))
            case "end":
                assert frame["next"] == self.cursor + 1, "the end came before the last chunk"
                self.end = frame
            case "error":
                raise AssertionError(frame)

    def _append(self, frame: dict[str, Any]) -> None:
        assert frame["first"] == self.cursor + 1, f"after {self.cursor} came {frame}"
        self.indexes += range(frame["first"], frame["index"] + 1)
        self.cursor = frame["index"]
        if frame["kind"] == "text":
            assert frame["offset"] == len(self.text)
            self.text += frame["delta"]
        elif frame["kind"] == "reasoning":
            assert frame["offset"] == len(self.reasoning)
            self.reasoning += frame["delta"]
        else:
            assert frame["offset"] == len(self.text)
            self.seams.append(frame["offset"])
