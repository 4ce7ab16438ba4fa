"""How much of a text is formatted: one rule for the server and the page (static/js/complexity.js).

Both Markdown parsers take some texts badly, so both are given only what costs little. The cost is
counted from the text alone, in one pass, so that a text looks the same live and after a reload.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_COST = 300_000
"""Of the text that is formatted, in units of about a microsecond of the server. A quarter of a MB
of ordinary prose, lists and code costs as much. From the first line beyond it on, a text is shown
as it was written."""
MAX_DEPTH = 24
"""Quotations and lists within one another. What begins with a deeper line is shown as it is."""
MAX_CELLS = 2000
"""Of one table. The row beyond it is shown as it is, and the rest."""
MAX_BLOCK_CHARS = 60_000
"""Of one piece of code or list: a browser lays out all of it at once. What begins with the line
beyond it is shown as it is."""
MAX_PARAGRAPH_CHARS = 20_000
"""Of the lines up to an empty one: they may be one word, whose lines cost a browser the most."""
MAX_INLINE_COST = 60_000
"""Of all that grows faster than the text: what one paragraph's signs cost together. A paragraph,
heading or cell for which too little of it is left is shown without formatting."""
MIN_PLAIN_CHARS = 1000
"""Of plain text in one block, where a line ends by then; never more than twice as many."""

LINE_COST, BLOCK_COST, SIGN_COST, CELL_COST = 30, 60, 60, 60
FREE_SIGNS, EXTRA_SIGN_COST = 20, 110
"""All of a long list is laid out at once, and short ones only where they are seen."""
BLOCK_START_CHARS = "#=-_*`~["
MARKER_CHARS = "*_~`\\<&$[]"
FORMULA_OPENERS = ("$", "\\(", "\\[")
MARKER_COST, BRACKET_COST, LINK_COST, FORMULA_COST = 16, 32, 60, 30
CHARS_PER_UNIT = 20
LONG_BLANK = re.compile(r"[ \t]{200,}")

CONTAINERS = re.compile(
    r"[ \t]*(?:(?:>|[-+*](?=[ \t]|$)|[0-9]{1,9}[.)](?=[ \t]|$))[ \t]*)+", re.ASCII
)
CONTAINER = re.compile(r"[-+*>]|[0-9]+[.)]", re.ASCII)
DELIMITERS = re.compile(r"[|:\- \t>*+0-9.)]*\Z", re.ASCII)
FENCE = re.compile(r"(`{3,})[^`]*\Z|(~{3,})")
FENCE_END = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*\Z")
MATHS = re.compile(r"[ \t>]*(?:\$\$|\\\[)")


class CostMeter:
    """Counts line by line what a text costs to format."""

    def __init__(self, max_cost: int = MAX_COST) -> None:
        self.max_cost = max_cost
        self.cost = 0
        self.depth = 0
        self.columns = self.cells = 0
        self.block_chars = self.paragraph_chars = self.list_signs = 0
        self.fence = ""
        self.can_open_fence = True
        self.is_after_blank = True

    def accept_line(self, line: str) -> bool:
        """Count a line, given without its end. Is it still to be formatted?"""
        self.cost += 2 + len(line) // CHARS_PER_UNIT
        self.block_chars += 1 + len(line)
        if self.fence:
            self._count_code_line(line)
        elif not line.strip(" \t"):
            self.is_after_blank = True
            self.columns = self.cells = self.paragraph_chars = 0
        else:
            self._count_text_line(line)
            self.is_after_blank = False
        within = self.depth <= MAX_DEPTH and self.cells <= MAX_CELLS
        short = self.block_chars <= MAX_BLOCK_CHARS and self.paragraph_chars <= MAX_PARAGRAPH_CHARS
        return within and short and self.cost <= self.max_cost

    def _count_code_line(self, line: str) -> None:
        end = FENCE_END.match(line)
        if end and end[1].startswith(self.fence):
            self.fence = ""
            self.is_after_blank = True

    def _count_text_line(self, line: str) -> None:
        signs = CONTAINERS.match(line)
        count = len(CONTAINER.findall(signs[0])) if signs else 0
        indent = len(line) - len(line.lstrip(" \t"))
        if self.is_after_blank and not count and not indent:
            self.depth = self.list_signs = 0
            self.block_chars = 1 + len(line)
        if count:
            self.depth = max(self.depth, count + indent // 2)
        if "-" in line and DELIMITERS.match(line):
            self.columns = max(self.columns, line.count("|") + 1)
        self.paragraph_chars += 1 + len(line)
        if self.columns > 1:
            self.cells += self.columns
            self.cost += self.columns * CELL_COST
        self.list_signs += count
        further = min(count, max(0, self.list_signs - FREE_SIGNS))
        starts = self.is_after_blank or line[0] in BLOCK_START_CHARS or count or line.endswith("  ")
        self.cost += (
            LINE_COST * (1 + self.depth)
            + BLOCK_COST * bool(starts)
            + SIGN_COST * count
            + EXTRA_SIGN_COST * further
            + estimate_signs_cost(line)
        )
        self._open_fence(line)

    def _open_fence(self, line: str) -> None:
        """Code costs little, but only where both parsers surely take it for code: at the
        beginning of a line, and as long as no formula may have reached over one."""
        if MATHS.match(line):
            self.can_open_fence = False
        fence = FENCE.match(line) if self.can_open_fence else None
        if fence:
            self.fence = fence[1] or fence[2]


def estimate_signs_cost(line: str) -> int:
    markers = sum(map(line.count, MARKER_CHARS))
    links = line.count("[") * BRACKET_COST + line.count("://") * LINK_COST
    formulas = sum(map(line.count, FORMULA_OPENERS)) * FORMULA_COST
    blanks = sum(len(blank) ** 2 // 400 for blank in LONG_BLANK.findall(line))
    return markers * MARKER_COST + links + formulas + blanks


def find_formatted_length(text: str, max_cost: int = MAX_COST) -> int:
    """How many characters, from its beginning, of a text with `\\n` for line ends are formatted.

    The rest is shown as plain text. It begins with a line, and more text never changes where."""
    meter = CostMeter(max_cost)
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if not meter.accept_line(text[start:end]):
            return start
        start = end + 1
    return len(text)


def estimate_inline_cost(text: str) -> int:
    """What the text of a paragraph costs above its length: emphasis is sought from each sign
    through the whole paragraph, the end of a link from each bracket over all the signs."""
    markers = sum(map(text.count, MARKER_CHARS))
    return text.count("[") * markers // 4 + markers * len(text) // 400


def split_plain_text(text: str, start: int) -> Iterator[tuple[int, str]]:
    """Cut plain text, from there on, into parts that a browser can lay out one by one: at line
    ends, where there are any. Each with its place, and without the line end behind it."""
    while start < len(text):
        most = min(start + 2 * MIN_PLAIN_CHARS, len(text))
        end = text.find("\n", start + MIN_PLAIN_CHARS, most) if most < len(text) else -1
        yield start, text[start : most if end < 0 else end]
        start = most if end < 0 else end + 1
