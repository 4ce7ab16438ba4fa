"""Makes text storable in any database, wherever a provider cuts it."""

from __future__ import annotations

import re
import unicodedata

from streaming.events import Delta, DeltaKind
from streaming.storable_text import replace_unstorable

_NUL_OR_SURROGATE = re.compile("[\0\ud800-\udfff]")
_HIGH_SURROGATE_AT_END = re.compile("[\ud800-\udbff]\\Z")


_INVISIBLE_CATEGORIES = {"Cf", "Cc"}
"""Of Unicode: marks such as U+200B and the byte order mark, and control characters."""


def is_blank(text: str) -> bool:
    """Whether a text shows nothing."""
    return all(
        char.isspace() or unicodedata.category(char) in _INVISIBLE_CATEGORIES for char in text
    )


class TextCleaner:
    """Makes the deltas of one reply storable in any database.

    Providers that count UTF-16 units may split an emoji over two deltas, so a delta that ends in
    half a character waits for the next one of its kind. NUL, which PostgreSQL can't store, and a
    half that stays alone become U+FFFD.
    """

    def __init__(self) -> None:
        self._held: dict[DeltaKind, str] = {}

    def clean(self, delta: Delta) -> Delta | None:
        """The delta, with text that was held before it; None while there is nothing to show. Empty
        deltas are dropped, unless they have a checkpoint."""
        if not self._held and not _NUL_OR_SURROGATE.search(delta.text):
            return delta if delta.text or delta.checkpoint else None
        text = self._join_held(delta.kind, delta.text)
        if text is None:
            return None
        # A source that continued after this delta would lose the half that is held.
        return delta._replace(text=text, checkpoint="" if self._held else delta.checkpoint)

    def flush(self) -> list[Delta]:
        """The text that is still held when the reply ends."""
        deltas = [Delta(replace_unstorable(text), kind) for kind, text in self._held.items()]
        self._held.clear()
        return deltas

    def _join_held(self, kind: DeltaKind, text: str) -> str | None:
        """The whole delta is held, and its checkpoint with it, but never more than one delta."""
        before = self._held.pop(kind, "")
        text = before + text
        if _HIGH_SURROGATE_AT_END.search(text):
            self._held[kind] = text[-1] if before else text
            text = text[:-1] if before else ""
        return replace_unstorable(text) or None
