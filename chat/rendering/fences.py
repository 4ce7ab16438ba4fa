"""Which line ends a code block: the same rule as in static/js/markdown/fences.js.

Models put whole documents into a fence named `markdown`, with the fences of code blocks inside.
CommonMark ends such a block at the first bare fence. Here a bare fence first ends the block inside.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from markdown_it.rules_block import StateBlock

MAX_OPEN_FENCES = 20
OPENING = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*(.*)\Z")
INNER = re.compile(r"[ \t>]*(?:(?:[-+*]|[0-9]{1,9}[.)])[ \t]+)*(`{3,}|~{3,})[ \t]*(.*)\Z", re.ASCII)
"""A fence inside may stand in a list or a quotation."""
MARKDOWN = re.compile(
    r"\{?\.?(?:markdown|md|mdx|mdown|mkdn?|gfm|commonmark|rmd|qmd)(?![\w+#-])", re.IGNORECASE
)


class Fence(NamedTuple):
    marker: str
    is_markdown: bool


OpenFences = tuple[Fence, ...]
"""The fences that are open after a line, the outermost first. Empty outside of code."""


def open_fence(line: str) -> OpenFences:
    match = OPENING.match(line)
    return (_build_fence(match),) if match and _is_fence(match) else ()


def read_code_line(fences: OpenFences, line: str) -> OpenFences:
    """Which fences are open after a line of the code block; empty if the line ends the block."""
    match = INNER.match(line)
    if not match or not _is_fence(match):
        return fences
    found, last = _build_fence(match), fences[-1]
    if match[2]:
        # A shorter one can't be taken for the end of the block, so it need not be remembered.
        is_shorter = found.marker in fences[0].marker and found.marker != fences[0].marker
        is_inner = last.is_markdown and not is_shorter and len(fences) < MAX_OPEN_FENCES
        return (*fences, found) if is_inner else fences
    if not found.marker.startswith(last.marker):
        return fences
    ends_block = len(fences) > 1 or OPENING.match(line)
    return fences[:-1] if ends_block else fences


def _build_fence(match: re.Match[str]) -> Fence:
    return Fence(match[1], bool(MARKDOWN.match(match[2])))


def _is_fence(match: re.Match[str]) -> bool:
    return match[1][0] == "~" or "`" not in match[2]


def parse_markdown_fence(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Other fences are the library's."""
    fences = open_fence(_get_line(state, start))
    if state.is_code_block(start) or not fences or not fences[0].is_markdown:
        return False
    if silent:
        return True
    marker, line = fences[0].marker, start + 1
    while fences and line < end and not _is_outside(state, line):
        fences = read_code_line(fences, _get_line(state, line))
        line += 1
    state.line = line
    token = state.push("fence", "code", 0)
    last = line if fences else line - 1
    token.content = state.getLines(start + 1, last, state.sCount[start], True)
    token.info = _get_line(state, start).lstrip(" ")[len(marker) :]
    token.markup, token.map = marker, [start, line]
    return True


def _get_line(state: StateBlock, line: int) -> str:
    """Without the indentation of the list or quotation that it belongs to."""
    return state.getLines(line, line + 1, state.blkIndent, False)


def _is_outside(state: StateBlock, line: int) -> bool:
    """Whether the line ends the list that the block stands in."""
    return not state.isEmpty(line) and state.sCount[line] < state.blkIndent
