"""Answers that wait, with a stream of the test and no server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

import pytest
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from chat.doors.durable_streams import answers
from chat.doors.durable_streams.answers import EventsResponse, LongPollResponse, ReadableStream
from chat.doors.durable_streams.reading import Page

FIRST = Page(0, 4, b"text", is_up_to_date=True)


class RecordingSender:
    """Keeps what a response sends; a part takes a moment."""

    def __init__(self) -> None:
        self.response: HttpResponseBase | None = None
        self.parts: list[tuple[bytes, bool]] = []

    async def start_response(self, response: HttpResponseBase) -> None:
        self.response = response

    def start_task(self, work: Coroutine[Any, Any, None], name: str) -> None:
        work.close()

    async def send_part(self, body: bytes, *, is_last: bool = False) -> None:
        await asyncio.sleep(0.05)  # longer than the answer may take
        self.parts.append((body, is_last))


def build_readable(*pages: Page) -> ReadableStream:
    async def follow(position: int) -> AsyncGenerator[Page, None]:
        for page in pages:
            yield page
        await asyncio.Event().wait()

    return ReadableStream("tag", "text/plain", 4, "", follow)


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "SSE_SECONDS", 0.01)
    monkeypatch.setattr(answers, "LONG_POLL_SECONDS", 0.01)


async def test_events_end_after_their_time_with_a_whole_event() -> None:
    sender = RecordingSender()
    response = EventsResponse(build_readable(FIRST), None, 0, "", refusal=HttpResponse())
    await response.send_through(sender)  # type: ignore[arg-type]
    [(event, is_last), end] = sender.parts
    assert event.startswith(b"event: data\ndata:text\n\nevent: control\n")
    assert event.endswith(b"\n\n")
    assert (is_last, end) == (False, (b"", True))


async def test_a_long_poll_without_news_ends_with_the_offset_it_was_asked_for() -> None:
    sender = RecordingSender()
    nothing = Page(4, 4, b"", is_up_to_date=True)
    response = LongPollResponse(build_readable(nothing), None, 4, "7", refusal=HttpResponse())
    await response.send_through(sender)  # type: ignore[arg-type]
    assert sender.response is not None
    assert sender.response.status_code == 204
    headers = sender.response.headers
    assert headers["Stream-Next-Offset"] == "0000000000000000_0000000000000004"
    assert (headers["Stream-Up-To-Date"], "Content-Type" in headers) == ("true", False)
    assert sender.parts == [(b"", True)]
