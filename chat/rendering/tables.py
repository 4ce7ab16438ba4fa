"""Pipes of formulas in tables: the same rule as in static/js/markdown/tables.js.

A table is cut into cells before anything in them is read, so the pipes of `$|x|$` would end cells.
They are hidden until the cells are cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it.rules_core import StateCore

HIDDEN_PIPE = "\ufdd0"
"""A noncharacter. It is replaced where a text has it."""
FORMULA = re.compile(
    r"\$\$(?:\\.|[^$\\]){1,300}\$\$"
    r"|(?<![A-Za-z0-9$\\])\$(?![ \t$])(?:\\.|[^$`\\]){1,300}(?<![ \t])\$(?![A-Za-z0-9$])"
    r"|\\\((?:(?!\\\)).){1,300}\\\)"
)
CONTAINERS = re.compile(r"(?:[ \t>]|[-+*][ \t]|[0-9]{1,9}[.)][ \t])*", re.ASCII)
DELIMITER = re.compile(r"[ \t]*:?-+:?[ \t]*")
CELL_END = re.compile(r"(?<!\\)\|")
TIGHT_PIPE = re.compile(r"(?<![\\ \t])\||(?<!\\)\|(?![ \t])")
"""One that has no blanks on both sides, as the ends of cells usually have."""
SPACED_ROW = re.compile(r"\|[ \t]")
LETTER = re.compile(r"[^\W\d_]|\\")
"""A formula has a letter or a command. “$5 | 10$” is two prices."""


def hide_pipes(state: StateCore) -> None:
    text = state.src
    if "|" in text and ("$" in text or "\\(" in text):
        state.src = "\n".join(_hide_in_lines(text.split("\n")))


def show_pipes(state: StateCore) -> None:
    for token in state.tokens:
        token.content = token.content.replace(HIDDEN_PIPE, "|")
        token.info = token.info.replace(HIDDEN_PIPE, "|")


def _hide_in_lines(lines: list[str]) -> Iterator[str]:
    """A table goes from the line above the row of dashes to an empty line."""
    columns = 0
    for i, line in enumerate(lines):
        if not line.strip(" \t>"):
            columns = 0
        if columns:
            yield _hide_in_row(line, columns)
        elif i + 1 < len(lines) and (columns := _count_columns(lines[i + 1])):
            yield _hide_in_head(line, columns)
        else:
            yield line


def _hide_in_head(line: str, columns: int) -> str:
    rows = (line, _hide_matches(line, TIGHT_PIPE), _hide_matches(line, CELL_END))
    return next((row for row in rows if _count_cells(row) == columns), line)


def _hide_in_row(line: str, columns: int) -> str:
    tight = _hide_matches(line, TIGHT_PIPE)
    if _count_cells(line) <= columns:
        return tight if SPACED_ROW.search(line) else line
    return tight if _count_cells(tight) <= columns else _hide_matches(line, CELL_END)


def _hide_matches(line: str, pipe: re.Pattern[str]) -> str:
    def hide(formula: re.Match[str]) -> str:
        is_formula = LETTER.search(formula[0])
        return pipe.sub(HIDDEN_PIPE, formula[0]) if is_formula else formula[0]

    return FORMULA.sub(hide, line)


def _count_cells(line: str) -> int:
    return len(_cut_ends(CELL_END.split(CONTAINERS.sub("", line, count=1))))


def _count_columns(line: str) -> int:
    """0 if the line is no row of dashes."""
    if "|" not in line or "-" not in line:
        return 0
    cells = _cut_ends(CONTAINERS.sub("", line, count=1).split("|"))
    return len(cells) if all(map(DELIMITER.fullmatch, cells)) else 0


def _cut_ends(cells: list[str]) -> list[str]:
    """A row may begin and end with a pipe."""
    first = 0 if cells[0].strip(" \t") else 1
    last = len(cells) if cells[-1].strip(" \t") else -1
    return cells[first:last]
