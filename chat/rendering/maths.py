"""Formulas: `$…$` and `\\(…\\)` in a line, `$$…$$` and `\\[…\\]` on lines of their own."""

from __future__ import annotations

import re

from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

# A dollar sign that may belong to a price opens no formula: “$5 and $6” are two prices.
PRICE = r"\d[^\\{}$\n]* \(?[A-Za-z]{2}"
MATH = re.compile(
    r"\$\$(?!\$)(?:\\[\s\S]|[^$\\]){1,2000}\$\$(?!\$)"
    rf"|(?<![A-Za-z0-9$])\$(?![ \t\n$]|{PRICE})(?:\\[^\n]|[^$`\n\\])+(?<![ \t])\$(?![A-Za-z0-9$])"
    r"|\\\((?:(?!\\\))[\s\S]){1,2000}\\\)"
    r"|\\\[(?:(?!\\\])[\s\S]){1,2000}\\\](?!\()",
)
MATH_CLOSERS = {"$$": "$$", "\\[": "\\]"}


def parse_math_inline(state: StateInline, silent: bool) -> bool:
    match = MATH.match(state.src, state.pos, state.posMax)
    if not match:
        return False
    if not silent:
        state.push("math_inline", "span", 0).content = match[0]
    state.pos = match.end()
    return True


def parse_math_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A formula ends with its closing sign at the end of a line. Without one before the next empty
    line, the lines are a paragraph."""
    closer = MATH_CLOSERS.get(_strip_line(state, start)[:2])
    if closer is None or state.is_code_block(start):
        return False
    line = start
    lines: list[str] = []
    is_closed = False
    while line < end and not is_closed and not state.isEmpty(line):
        if line > start and state.sCount[line] < state.blkIndent:
            break
        lines.append(_strip_line(state, line))
        position = lines[-1].find(closer, 0 if line > start else 2)
        is_closed = position >= 0
        line += 1
        if is_closed and position + 2 < len(lines[-1]):
            return False
    text = "\n".join(lines)
    if is_closed and not text[2:-2].strip():
        return False
    if not silent:
        state.line = line
        _push_tokens(state, text, [start, line], is_closed=is_closed)
    return True


def _strip_line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].strip(" \t")


def _push_tokens(state: StateBlock, text: str, lines: list[int], *, is_closed: bool) -> None:
    if is_closed:
        token = state.push("math_block", "div", 0)
        token.content, token.map = text, lines
        return
    state.push("paragraph_open", "p", 1).map = lines
    inline = state.push("inline", "", 0)
    inline.content, inline.map, inline.children = text, lines, []
    state.push("paragraph_close", "p", -1)
