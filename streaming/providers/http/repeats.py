"""Text that an event repeats: it counts only where its deltas did not come.

OpenAI's Responses send the text of each part, of each item and of the whole reply once more. Some
servers that imitate them send it only there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from streaming.events import Delta
from streaming.providers.http.parsed import ParsedEvent, Repeat
from streaming.providers.text import is_blank

PARSE_ERRORS = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""Exceptions that an event of an unknown shape may raise."""
SCOPES = ("part", "item", "reply")
"""From the smallest: the end of one is an end of the smaller ones."""


class RepeatFilter:
    """Puts deltas in place of the repeats in one reply. A server that sends deltas of a kind needs
    no repeats of it. In the rest of a copy (`is_rest`) nothing is taken from repeats: they have the
    text from before, too."""

    def __init__(self, *, is_rest: bool) -> None:
        self._is_rest = is_rest
        self._streamed_kinds: set[str] = set()
        self._taken: Counter[str] = Counter()
        """How many deltas were taken from repeats, by kind,"""
        self._before = {scope: Counter[str]() for scope in SCOPES}
        """and how many of them before the part, the item and the reply."""

    def filter_events(self, events: Iterable[ParsedEvent]) -> Iterator[ParsedEvent | Delta]:
        for event in events:
            if isinstance(event, Repeat):
                yield from self._take_missing(event)
                continue
            if (
                isinstance(event, Delta)
                and event.kind not in self._streamed_kinds
                and not is_blank(event.text)
            ):
                self._streamed_kinds.add(event.kind)
            yield event

    def _take_missing(self, repeat: Repeat) -> Iterator[Delta]:
        before, now = self._before[repeat.scope], Counter(self._taken)
        for delta in () if self._is_rest else _read_deltas(repeat):
            is_new = (
                delta.kind not in self._streamed_kinds and now[delta.kind] == before[delta.kind]
            )
            if delta.text and is_new:
                self._taken[delta.kind] += 1
                yield delta
        for scope in SCOPES[: SCOPES.index(repeat.scope) + 1]:
            self._before[scope] = Counter(self._taken)


def _read_deltas(repeat: Repeat) -> list[Delta]:
    """A text that is none fails no reply here: mostly its deltas came before."""
    try:
        return list(repeat.deltas)
    except PARSE_ERRORS:
        return []
