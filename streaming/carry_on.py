"""Going on after a text that was cut: what the model repeats of it is trimmed."""

from __future__ import annotations

from collections.abc import AsyncIterator

from streaming.providers.base import Delta, Event, Finish

SHORTEST_OVERLAP = 12
"""Characters. A shorter repetition may just as well be how the text goes on."""
SHORTEST_RESTART = 4
"""Characters of a text that is repeated as a whole: the model begins anew, with “Yes, ” again."""
LONGEST_OVERLAP = 2_000


async def trimmed(events: AsyncIterator[Event], text: str) -> AsyncIterator[Event]:
    """The same events without a beginning that repeats the end of `text` exactly.

    Text is held back only while it may still turn out to be a repetition.
    """
    held: Delta | None = None
    deciding = True
    async for event in events:
        if deciding and isinstance(event, Delta) and event.kind == "text":
            held = event._replace(text=held.text + event.text) if held else event
            if may_repeat(held.text, text):
                continue
            deciding = False
            event = held._replace(text=held.text[overlap(held.text, text) :])
        elif deciding and held and isinstance(event, Finish):
            deciding = False
            yield held._replace(text=held.text[overlap(held.text, text) :])
        yield event
    if deciding and held:
        yield held._replace(text=held.text[overlap(held.text, text) :])


def may_repeat(beginning: str, text: str) -> bool:
    """Whether more of it could make a longer exact repetition of the end of `text`."""
    end = text[-LONGEST_OVERLAP:]
    return len(beginning) < len(end) and beginning in end


def overlap(beginning: str, text: str) -> int:
    """How many characters of `beginning` repeat the end of `text`.

    0 for short coincidences, and where nobody can tell: in a run of waves or of equal rows more
    of the same may be a repetition or just how the text goes on, and to show it twice is better
    than to lose it.
    """
    longest = min(len(beginning), len(text), LONGEST_OVERLAP)
    shortest = min(SHORTEST_OVERLAP, max(len(text), SHORTEST_RESTART))
    for size in range(longest, shortest - 1, -1):
        if text.endswith(beginning[:size]):
            return 0 if repetitive(beginning[:size], text) else size
    return 0


def repetitive(end: str, text: str) -> bool:
    """Whether the `end` of a text consists of repetitions, or follows upon itself in it."""
    within = any(end[p:] == end[:-p] for p in range(1, len(end) // 2 + 1))
    return within or any(text.endswith(end, 0, len(text) - p) for p in range(1, len(end) + 1))
