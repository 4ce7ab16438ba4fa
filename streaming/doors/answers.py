"""Responses that follow a stream: a view starts a reply, and its door encodes the events."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from django.http import HttpResponse

from streaming.database import run_in_db
from streaming.doors.sender import FollowResponse, Sender
from streaming.follow import START_CURSOR, Ended, Snapshot, StateChanged, follow_stream
from streaming.journal import Chunk
from streaming.models import Stream

HEARTBEAT_SECONDS = 10.0
"""How often a response sends a comment, so that proxies see no idle connection."""


class AnswerEncoder(ABC):
    """Turns the events of one stream into the bytes of a protocol; one object for each response."""

    heartbeat = b":\n\n"

    @abstractmethod
    def encode_start(self) -> bytes:
        """The first bytes of the body."""

    @abstractmethod
    def encode_event(self, event: Chunk | Snapshot | StateChanged) -> bytes:
        """Bytes of an event; none if the protocol has nothing to say about it."""

    @abstractmethod
    def encode_end(self, stream: Stream) -> bytes:
        """The last bytes, from the row of the stream that has ended. May call the database."""


class EncodedResponse(FollowResponse):
    """Sends each event after a cursor as the encoder writes it. `exact` is that of
    `follow_stream`."""

    stream: Stream

    def __init__(
        self,
        stream: Stream,
        user: Any,
        encoder: AnswerEncoder,
        *,
        refusal: HttpResponse,
        after: int = START_CURSOR,
        ends_cleanly: bool = False,
        exact: bool = False,
    ) -> None:
        super().__init__(stream, user, refusal=refusal, ends_cleanly=ends_cleanly)
        self.encoder, self.after, self.exact = encoder, after, exact
        self.headers["Cache-Control"] = "no-store, no-transform"
        self.headers["X-Accel-Buffering"] = "no"  # lets nginx pass each event on at once

    async def send_through(self, sender: Sender) -> None:
        await sender.start_response(self)
        sender.start_task(self._send_heartbeats(sender), "answer heartbeat")
        await sender.send_part(self.encoder.encode_start())
        self._forget_long_texts()
        events = follow_stream(self.stream, self.after, exact=self.exact)
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Ended):
                    last = await run_in_db(self._encode_end)
                    await sender.send_part(last, is_last=True)
                elif body := self.encoder.encode_event(event):
                    await sender.send_part(body)

    def _forget_long_texts(self) -> None:
        """A client may read for long. A live stream is shared, and others need its arguments."""
        self.stream.forget_related_rows()
        if self.stream.ended_at is not None:
            self.stream.forget_arguments()

    def _encode_end(self) -> bytes:
        self.stream.refresh_from_db()
        return self.encoder.encode_end(self.stream)

    async def _send_heartbeats(self, sender: Sender) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await sender.send_part(self.encoder.heartbeat)


class AwaitedResponse(FollowResponse):
    """Sends nothing until the stream has ended. Then `build` makes the response from its row; it
    may call the database."""

    stream: Stream

    def __init__(
        self,
        stream: Stream,
        user: Any,
        build: Callable[[Stream], HttpResponse],
        *,
        refusal: HttpResponse,
    ) -> None:
        super().__init__(stream, user, refusal=refusal)
        self._build = build

    async def send_through(self, sender: Sender) -> None:
        async with aclosing(follow_stream(self.stream)) as events:
            async for event in events:
                if isinstance(event, Ended):
                    response = await run_in_db(self._build_response)
                    await sender.start_response(response)
                    await sender.send_part(response.content, is_last=True)

    def _build_response(self) -> HttpResponse:
        self.stream.refresh_from_db()
        return self._build(self.stream)
