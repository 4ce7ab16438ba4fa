"""Follows a stream: yields its content as it is written, to readers of all processes.

A process notifies the readers of the others through the group of the owner, which every open answer
listens to anyway. Notifications may be lost, so a reader also looks once a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection

from django.db.models import Q
from django.utils import timezone

from chat.doors.durable_streams.models import DurableStream
from chat.doors.durable_streams.reading import Page, read_page
from chat.doors.durable_streams.space import extend_life, is_gone
from streaming.access import StreamNotFound
from streaming.batching import BatchLoader
from streaming.hub import Notification, get_hub, notify, user_group

NOTIFICATION = "durable_stream"
POLL_SECONDS = 1.0
MAX_LIVE_PAGE_BYTES = 256 * 1024

Place = tuple[int, int]
"""A stream's id, and a position of it."""


def notify_readers(stream: DurableStream) -> None:
    notify(user_group(stream.owner_id), {NOTIFICATION: stream.pk})


async def follow_durable_stream(stream: DurableStream, position: int) -> AsyncGenerator[Page, None]:
    """Yield what there is after a position, perhaps nothing, and then each addition; the last page
    has an ending. Raises StreamNotFound if the stream is deleted or expires."""
    changed = asyncio.Event()

    def on_notification(body: Notification) -> None:
        if body.get(NOTIFICATION) == stream.pk:
            changed.set()

    with get_hub().listen(user_group(stream.owner_id), on_notification):
        while True:
            changed.clear()
            page = await _page_loader.load((stream.pk, position))
            if page is None:
                raise StreamNotFound
            yield page
            if page.ending:
                return
            position = page.next
            if page.is_up_to_date:
                await _wait_for_change((stream.pk, position), changed)


async def _wait_for_change(place: Place, changed: asyncio.Event) -> None:
    while not changed.is_set():
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await changed.wait()
        except TimeoutError:
            if await _change_loader.load(place):
                return


def _load_pages(places: Collection[Place]) -> dict[Place, Page]:
    ids = {stream_id for stream_id, _ in places}
    rows = DurableStream.objects.in_bulk(ids)
    pages: dict[Place, Page] = {}
    for place in places:
        stream = rows.get(place[0])
        if stream is not None and not is_gone(stream):
            extend_life(stream)
            pages[place] = read_page(stream, place[1], MAX_LIVE_PAGE_BYTES)
    return pages


def _find_changes(places: Collection[Place]) -> dict[Place, bool]:
    """The places after which there is something, or whose stream has been closed or deleted. Also
    keeps the streams alive that have readers."""
    ids = {stream_id for stream_id, _ in places}
    known = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    rows = DurableStream.objects.filter(known, pk__in=ids, deleted_at=None)
    tails: dict[int, int] = {}
    for stream in rows.filter(closed_at=None).only("tail", "ttl_seconds", "expires_at"):
        tails[stream.pk] = stream.tail
        extend_life(stream)
    return {place: tails.get(place[0]) != place[1] for place in places}


_page_loader = BatchLoader(_load_pages, max_batch_size=10)
_change_loader = BatchLoader(_find_changes, max_batch_size=500)
