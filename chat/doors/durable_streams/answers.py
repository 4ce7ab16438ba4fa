"""The answers: a page at once, the next page when there is one, or all pages as events. The last
two hold no thread."""

from __future__ import annotations

import asyncio
import codecs
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.http import parse_etags

from chat.api.problems import build_not_found
from chat.doors.durable_streams import protocol
from chat.doors.durable_streams.reading import Page
from streaming.access import StreamNotFound
from streaming.doors.sender import FollowResponse, Sender

LONG_POLL_SECONDS = 20.0
SSE_SECONDS = 60.0
"""The protocol ends a response after about a minute, so that readers can share one."""
HEARTBEAT_SECONDS = 10.0
HEARTBEAT = b":\n\n"


@dataclass(frozen=True, slots=True)
class ReadableStream:
    """A stream as a reader sees it. `tag` names it in the tags of caches."""

    tag: str
    content_type: str
    tail: int
    ending: str
    follow: Callable[[int], AsyncGenerator[Page, None]]


def build_page_response(request: HttpRequest, source: ReadableStream, page: Page) -> HttpResponse:
    """The page, or 304 if the client has it."""
    closed = ":c" if page.ending else ""
    etag = f'"{source.tag}:{page.start}:{page.next}{closed}"'
    known = parse_etags(request.headers.get("If-None-Match", ""))
    if etag in (tag.removeprefix("W/") for tag in known):
        return HttpResponseNotModified(headers={"ETag": etag})
    response = build_page(source, page)
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def build_page(source: ReadableStream, page: Page) -> HttpResponse:
    headers = {
        "Content-Length": str(len(page.body)),
        "Cache-Control": "no-store",
        protocol.NEXT_OFFSET: protocol.encode_offset(page.next),
        **({protocol.UP_TO_DATE: "true"} if page.is_up_to_date else {}),
        **build_ending_headers(page.ending),
    }
    return HttpResponse(page.body, content_type=source.content_type, headers=headers)


def build_ending_headers(ending: str) -> dict[str, str]:
    """A reply that has ended also tells how."""
    if not ending:
        return {}
    state = {} if ending == protocol.CLOSED else {protocol.STATE: ending}
    return {protocol.CLOSED: "true", **state}


class LiveResponse(FollowResponse):
    """Waits for what is written after a position. `cursor` is the one that the client has."""

    def __init__(
        self,
        readable: ReadableStream,
        user: Any,
        position: int,
        cursor: str,
        *,
        refusal: HttpResponse,
    ) -> None:
        super().__init__(None, user, refusal=refusal)
        self._readable, self._position = readable, position
        self._given_cursor = cursor

    @property
    def _cursor(self) -> str:
        return protocol.build_cursor(self._given_cursor, time.time())

    def _follow(self) -> AsyncGenerator[Page, None]:
        return self._readable.follow(self._position)


class LongPollResponse(LiveResponse):
    """The next page as soon as there is one, or 204 after some seconds."""

    async def send_through(self, sender: Sender) -> None:
        page = Page(self._position, self._position, b"", is_up_to_date=True)
        try:
            async with asyncio.timeout(LONG_POLL_SECONDS), aclosing(self._follow()) as pages:
                async for page in pages:
                    if page.ending or not page.is_empty:
                        break
            response = self._build_response(page)
        except TimeoutError:
            response = self._build_response(page)
        except StreamNotFound:
            response = build_not_found().to_response()
        await sender.start_response(response)
        await sender.send_part(response.content, is_last=True)

    def _build_response(self, page: Page) -> HttpResponse:
        response = build_page(self._readable, page)
        if page.is_empty:
            response.status_code, response.content = 204, b""
            del response.headers["Content-Type"], response.headers["Content-Length"]
        response.headers[protocol.CURSOR] = self._cursor
        return response


class EventsResponse(LiveResponse):
    """Each page as an event, and after it an event with the offset to continue from."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ends_cleanly = True
        self.headers["Cache-Control"] = "no-cache, no-store, no-transform"
        self.headers["X-Accel-Buffering"] = "no"  # lets nginx pass each event on at once
        self._is_binary = not protocol.is_text(self._readable.content_type)
        if self._is_binary:
            self.headers[protocol.SSE_ENCODING] = "base64"
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    async def send_through(self, sender: Sender) -> None:
        await sender.start_response(self)
        sender.start_task(self._send_heartbeats(sender), "durable stream heartbeat")
        deadline = asyncio.get_running_loop().time() + SSE_SECONDS
        is_last = False
        async with aclosing(self._follow()) as pages:
            while not is_last:
                try:
                    # The time ends the wait for a page. It never cuts an event.
                    async with asyncio.timeout_at(deadline):
                        page = await anext(pages)
                except TimeoutError:
                    body, is_last = b"", True
                else:
                    body, is_last = self._encode(page), bool(page.ending)
                await sender.send_part(body, is_last=is_last)

    def _encode(self, page: Page) -> bytes:
        control = protocol.encode_control_event
        if self._is_binary:
            text, unfinished = protocol.encode_base64(page.body), 0
        else:
            # The bytes of an unfinished character come with the next page.
            text = self._decoder.decode(page.body, final=bool(page.ending))
            unfinished = len(self._decoder.getstate()[0])
        return (protocol.encode_data_event(text) if text else b"") + control(
            page.next - unfinished,
            cursor=self._cursor,
            up_to_date=page.is_up_to_date and not unfinished,
            ending=page.ending,
        )

    async def _send_heartbeats(self, sender: Sender) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await sender.send_part(HEARTBEAT)
