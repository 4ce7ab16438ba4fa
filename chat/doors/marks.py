"""The marks in a text that say what turned out to be reasoning (docs/decisions/0017). They are for
the readers of the journal, and no client of another protocol knows them."""

from __future__ import annotations

from streaming.providers.reasoning_mark import REASONING_MARK, TEXT_MARK


def has_marks(text: str) -> bool:
    return REASONING_MARK in text or TEXT_MARK in text


def remove_marks(text: str) -> str:
    return text.replace(REASONING_MARK, "").replace(TEXT_MARK, "")
