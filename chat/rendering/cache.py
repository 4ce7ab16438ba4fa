"""Caches of rendered replies: a table for ended ones, and a process's memory for all.

Both hold a bounded number of bytes. Their entries are found by a digest of everything that the HTML
depends on, so outdated HTML is never shown. The HTML is compressed: what takes longest to render is
large and repetitive.
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from threading import Lock
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Sum
from django.db.utils import Error
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from chat.models import Message, RenderedText
from chat.rendering.complexity import MAX_COST
from chat.rendering.markdown import RENDERER_VERSION, to_html
from streaming.sources import register_periodic_task

MAX_ROW_BYTES = 2_000_000
"""Bytes of compressed HTML. The longest possible reply fits, even one of characters that HTML
escapes, which take most space. Larger HTML, such as millions of bytes without a pattern, is
rendered again by each process."""
MAX_TABLE_BYTES = 32_000_000
"""Bytes of the whole table. The oldest rows are deleted first."""
MAX_MEMORY_BYTES = 16_000_000
"""Bytes in each process."""
MAX_GROWING_COST = 50_000
"""Limits the part of a growing reply that is formatted here, because every view renders another
text. The page formats the rest; see `complexity.MAX_COST`."""


class MemoryCache:
    """Compressed HTML by digest, least recently used first.

    Threads that need the same HTML wait for one that renders it; other threads don't wait.
    """

    def __init__(self, max_bytes: int = MAX_MEMORY_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[str, str] = OrderedDict()
        self._render_locks: dict[str, Lock] = {}
        self._lock = Lock()  # never held while something is rendered

    def get(self, digest: str, render: Callable[[], str]) -> str:
        with self._lock:
            if (html := self._get_entry(digest)) is not None:
                return html
            render_lock = self._render_locks.setdefault(digest, Lock())
        with render_lock:
            with self._lock:
                if (html := self._get_entry(digest)) is not None:
                    return html
            try:
                html = render()
            finally:
                with self._lock:
                    self._render_locks.pop(digest, None)
            self._add_entry(digest, html)
            return html

    def _get_entry(self, digest: str) -> str | None:
        html = self._entries.get(digest)
        if html is not None:
            self._entries.move_to_end(digest)
        return html

    def _add_entry(self, digest: str, html: str) -> None:
        with self._lock:
            if digest not in self._entries:
                self._entries[digest] = html
                self._bytes += len(html)
            while self._bytes > self._max_bytes:
                self._bytes -= len(self._entries.popitem(last=False)[1])


memory_cache = MemoryCache()


def compress_html(html: str) -> str:
    """As ASCII, because the table's column is text."""
    return b64encode(zlib.compress(html.encode(), 1)).decode()


def decompress_html(compressed: str) -> SafeString:
    html = zlib.decompress(b64decode(compressed)).decode()
    return mark_safe(html)  # noqa: S308 `to_html` made it # nosec B308 B703


def compute_digest(text: str, seams: Iterable[int], max_cost: int) -> str:
    """The language counts because the HTML has words in it. “packed” tells compressed rows from
    those of an older version."""
    version = f"{RENDERER_VERSION} packed {get_language()} {max_cost}"
    inputs = f"{version} {' '.join(map(str, seams))}\n{text}"
    return sha256(inputs.encode("utf-8", "surrogatepass")).hexdigest()


class MessageHtmlLoader:
    """The HTML of some messages. Reads their stored rows in one query, and stores new HTML."""

    def __init__(self, message_ids: Iterable[UUID]) -> None:
        rows = RenderedText.objects.filter(message__in=list(message_ids))
        self._rows = {(row.message_id, row.field): row for row in rows}
        self._new_rows: list[RenderedText] = []

    def render_growing(self, text: str, seams: tuple[int, ...] = ()) -> SafeString:
        if not text:
            return SafeString("")
        digest = compute_digest(text, seams, MAX_GROWING_COST)
        return decompress_html(render_cached(digest, text, seams, MAX_GROWING_COST))

    def render_ended(
        self, message_id: UUID, field: str, text: str, seams: tuple[int, ...] = ()
    ) -> SafeString:
        if not text:
            return SafeString("")
        digest = compute_digest(text, seams, MAX_COST)
        row = self._rows.get((message_id, field))
        if row is not None and row.digest == digest:
            return decompress_html(row.html)
        html = render_cached(digest, text, seams, MAX_COST)
        new_row = RenderedText(
            message_id=message_id, field=field, digest=digest, html=html, size=len(html)
        )
        if new_row.size <= MAX_ROW_BYTES:
            self._new_rows.append(new_row)
        return decompress_html(html)

    def save_new_rows(self) -> None:
        """If the database is locked or fails, nothing is stored, and the next view renders
        again."""
        if not self._new_rows or connection.in_atomic_block:
            return
        try:
            with suppress(Error), NoLockWait(), transaction.atomic():
                for row in self._new_rows:
                    outdated = RenderedText.objects.filter(message=row.message_id, field=row.field)
                    outdated.exclude(digest=row.digest).delete()
                RenderedText.objects.bulk_create(self._new_rows, ignore_conflicts=True)
        finally:
            self._new_rows = []


class NoLockWait:
    """Inside, statements fail instead of waiting for a lock of another transaction."""

    def __enter__(self) -> None:
        if connection.vendor == "sqlite":
            self._execute("PRAGMA busy_timeout = 0")
        else:
            self._execute("SET lock_timeout = '100ms'")

    def __exit__(self, *raised: object) -> None:
        if connection.vendor == "sqlite":
            seconds = connection.settings_dict["OPTIONS"].get("timeout", 5)
            self._execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
        else:
            self._execute("RESET lock_timeout")

    def _execute(self, statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)


def render_cached(digest: str, text: str, seams: tuple[int, ...], max_cost: int) -> str:
    return memory_cache.get(digest, lambda: compress_html(to_html(text, seams, max_cost=max_cost)))


def purge_cache() -> None:
    """Delete the oldest rows beyond the limit, and rows whose message is gone: processes of a
    version without this table delete messages only."""
    has_no_message = ~Exists(Message.objects.filter(pk=OuterRef("message_id")))
    RenderedText.objects.filter(has_no_message).delete()
    total = RenderedText.objects.aggregate(bytes=Sum("size"))["bytes"] or 0
    if total <= MAX_TABLE_BYTES:
        return
    for id, size in RenderedText.objects.order_by("id").values_list("id", "size").iterator():
        total -= size
        if total <= MAX_TABLE_BYTES:
            RenderedText.objects.filter(id__lte=id).delete()
            return


def register_tasks() -> None:
    register_periodic_task(purge_cache)
