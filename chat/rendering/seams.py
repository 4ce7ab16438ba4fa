"""Seams in rendered messages. A seam is shown before the next block, so that it breaks none."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from markdown_it.token import Token


def find_block_starts(tokens: list[Token], text: str) -> list[tuple[int, int]]:
    """For each block its offset in the text, and the index of its first token."""
    lines = _find_line_starts(text)
    blocks = [(i, token.map) for i, token in enumerate(tokens) if token.level == 0 and token.map]
    return [(lines[line_range[0]], i) for i, line_range in blocks]


def insert_seams(
    tokens: list[Token], starts: Sequence[tuple[int, int]], seams: Sequence[int]
) -> None:
    next_blocks = {bisect_left(starts, (seam, 0)) for seam in seams}
    for i in sorted(next_blocks, reverse=True):
        index = starts[i][1] if i < len(starts) else len(tokens)
        tokens.insert(index, Token("seam", "div", 0, block=True))


def adjust_offsets(markdown: str, offsets: Iterable[int]) -> list[int]:
    """The same offsets in the text whose line ends are one character each."""
    line_ends = [match.end() for match in re.finditer("\r\n", markdown)]
    return [offset - bisect_right(line_ends, offset) for offset in sorted(offsets)]


def _find_line_starts(text: str) -> list[int]:
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    return starts
