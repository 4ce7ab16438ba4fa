"""The HTML of replies, made once and kept.

Of an ended reply in a table, for every process; of any other in this process's memory, for those
who ask for the very same text again. Both hold a bounded number of bytes, and what they hold is
found by a digest of all it was made of, so that nothing outdated is ever shown. They hold it
packed, as the HTML that takes longest to make is large and says the same again and again.
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

from chat.models import Message, RenderedText
from chat.rendering.complexity import MAX_COST
from chat.rendering.markdown import RENDERER_VERSION, to_html
from streaming.sources import register_periodic_task

MAX_ROW_BYTES = 2_000_000
"""Packed. The longest possible reply fits if it consists of signs that HTML escapes, which take
longest to render. Larger HTML, such as millions of bytes without a pattern, is rendered again in
each process that shows it."""
MAX_TABLE_BYTES = 32_000_000
"""Of the whole table; the rows made first go first."""
MAX_MEMORY_BYTES = 16_000_000
"""Of each process."""
MAX_GROWING_COST = 50_000
"""The limit for a reply that still grows, because each view of it has another text. The page
formats the rest; see `complexity.MAX_COST`."""


class MemoryCache:
    """Packed HTML by its digest, the one used last at the end.

    A request for HTML that another thread renders waits for that thread; others do not wait.
    """

    def __init__(self, max_bytes: int = MAX_MEMORY_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[str, str] = OrderedDict()
        self._render_locks: dict[str, Lock] = {}
        self._lock = Lock()  # for a moment only, never while something is made

    def get(self, digest: str, render: Callable[[], str]) -> str:
        with self._lock:
            if (html := self._get_entry(digest)) is not None:
                return html
            making = self._render_locks.setdefault(digest, Lock())
        with making:
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
    """In ASCII, as the table's column is one of text."""
    return b64encode(zlib.compress(html.encode(), 1)).decode()


def decompress_html(packed: str) -> SafeString:
    return mark_safe(zlib.decompress(b64decode(packed)).decode())  # noqa: S308 `to_html` made it


def compute_digest(text: str, seams: Iterable[int], max_cost: int) -> str:
    """Says too that it is packed, so that a row of a version that packed nothing is not found."""
    made_of = f"{RENDERER_VERSION} packed {max_cost} {' '.join(map(str, seams))}\n{text}"
    return sha256(made_of.encode("utf-8", "surrogatepass")).hexdigest()


class MessageHtmlLoader:
    """The HTML of some messages: what is kept of it is read at once, what was made is kept."""

    def __init__(self, messages: Iterable[UUID]) -> None:
        rows = RenderedText.objects.filter(message__in=list(messages))
        self._rows = {(row.message_id, row.field): row for row in rows}
        self._new_rows: list[RenderedText] = []

    def render_growing(self, text: str, seams: tuple[int, ...] = ()) -> SafeString:
        if not text:
            return SafeString("")
        digest = compute_digest(text, seams, MAX_GROWING_COST)
        return decompress_html(render_cached(digest, text, seams, MAX_GROWING_COST))

    def render_ended(
        self, message: UUID, field: str, text: str, seams: tuple[int, ...] = ()
    ) -> SafeString:
        if not text:
            return SafeString("")
        digest = compute_digest(text, seams, MAX_COST)
        row = self._rows.get((message, field))
        if row is not None and row.digest == digest:
            return decompress_html(row.html)
        html = render_cached(digest, text, seams, MAX_COST)
        made = RenderedText(
            message_id=message, field=field, digest=digest, html=html, size=len(html)
        )
        if made.size <= MAX_ROW_BYTES:
            self._new_rows.append(made)
        return decompress_html(html)

    def save_new_rows(self) -> None:
        """Keep what was made for the next one who looks. A view does not fail, nor wait for
        others who write, if that can't be: then it is made again."""
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
    """Statements in here fail where they would wait for another's lock."""

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


# Chores


def purge_cache() -> None:
    """Delete what belongs to no message any more, as processes before this table delete messages
    without it, and the oldest rows beyond what is kept."""
    gone = ~Exists(Message.objects.filter(pk=OuterRef("message_id")))
    RenderedText.objects.filter(gone).delete()
    kept = RenderedText.objects.aggregate(bytes=Sum("size"))["bytes"] or 0
    if kept <= MAX_TABLE_BYTES:
        return
    for id, bytes in RenderedText.objects.order_by("id").values_list("id", "size").iterator():
        kept -= bytes
        if kept <= MAX_TABLE_BYTES:
            RenderedText.objects.filter(id__lte=id).delete()
            return


def register_tasks() -> None:
    register_periodic_task(purge_cache)
