"""Continues a text that was cut, without the part that the model repeats."""

from __future__ import annotations

from collections.abc import AsyncIterator

from streaming.events import Delta, Finish
from streaming.providers.adapter import ReplyEvent

MIN_OVERLAP_CHARS = 12
"""A shorter repetition may be a coincidence."""
MIN_RESTART_CHARS = 4
"""A text this short may be repeated as a whole, because the model begins anew: “Yes, ” again."""
MAX_OVERLAP_CHARS = 2_000


async def strip_overlap(events: AsyncIterator[ReplyEvent], text: str) -> AsyncIterator[ReplyEvent]:
    """The same events without a beginning that repeats the end of `text` exactly. Text is held back
    only while it may still turn out to be a repetition."""
    held: Delta | None = None
    deciding = True
    async for event in events:
        if deciding and isinstance(event, Delta) and event.kind == "text":
            held = event._replace(text=held.text + event.text) if held else event
            if can_still_overlap(held.text, text):
                continue
            deciding = False
            event = held._replace(text=held.text[measure_overlap(held.text, text) :])
        elif deciding and held and _ends_text(event):
            deciding = False
            yield held._replace(text=held.text[measure_overlap(held.text, text) :])
        yield event
    if deciding and held:
        yield held._replace(text=held.text[measure_overlap(held.text, text) :])


def _ends_text(event: ReplyEvent) -> bool:
    """Whether no more text follows: calls of tools are the last of a reply."""
    return isinstance(event, Finish) or event.kind == "tool_call"


def can_still_overlap(beginning: str, text: str) -> bool:
    """Whether more text could make a longer exact repetition of the end of `text`."""
    end = text[-MAX_OVERLAP_CHARS:]
    return len(beginning) < len(end) and beginning in end


def measure_overlap(beginning: str, text: str) -> int:
    """How many characters of `beginning` repeat the end of `text`.

    0 for short coincidences, and for ambiguous ends: in a row of dashes or of equal table rows,
    more of the same may be a repetition or new text, and showing it twice is better than losing it.
    """
    longest = min(len(beginning), len(text), MAX_OVERLAP_CHARS)
    shortest = min(MIN_OVERLAP_CHARS, max(len(text), MIN_RESTART_CHARS))
    for size in range(longest, shortest - 1, -1):
        if text.endswith(beginning[:size]):
            return 0 if is_ambiguous(beginning[:size], text) else size
    return 0


def is_ambiguous(end: str, text: str) -> bool:
    """Whether the `end` of a text consists of repetitions, or occurs twice at its end."""
    within = any(end[p:] == end[:-p] for p in range(1, len(end) // 2 + 1))
    return within or any(text.endswith(end, 0, len(text) - p) for p in range(1, len(end) + 1))
