"""Marks in a text that say what turned out to be reasoning, and what did not.

The journal can't take text back. A server that sends its reasoning as text, and says so only at the
end of it, gets REASONING_MARK there: the text from the last seam to the mark is reasoning. Text
that was first taken for reasoning follows once more as text, with TEXT_MARK at its end. Readers of
a stream's text apply `split_marked_reasoning`, and static/js/live/reasoning.js does the same
(docs/decisions/0017).
"""

from __future__ import annotations

from dataclasses import replace

from streaming.events import StreamText

REASONING_MARK, TEXT_MARK = "\ufdd0", "\ufdd1"
"""Characters that Unicode reserves for the use inside of a program."""
REASONING_SEPARATOR = "\n\n"


def split_marked_reasoning(text: StreamText) -> StreamText:
    """The text without what is reasoning, which follows the other reasoning. Seams move along."""
    if REASONING_MARK not in text.content and TEXT_MARK not in text.content:
        return text
    kept, reasoning, moved, seams, start = "", text.reasoning, [], [], 0
    for seam in (*text.seams, None):
        before, mark, after = text.content[start:seam].rpartition(REASONING_MARK)
        moved.append(before.replace(REASONING_MARK, REASONING_SEPARATOR).strip() if mark else "")
        if TEXT_MARK in after:
            after = after.replace(TEXT_MARK, "")
            reasoning = reasoning.removesuffix(after.strip()).rstrip()
        kept += after
        if seam is not None:
            seams.append(len(kept))
            start = seam
    reasoning = REASONING_SEPARATOR.join(part for part in (reasoning, *moved) if part)
    return replace(text, content=kept, reasoning=reasoning, seams=tuple(seams))
