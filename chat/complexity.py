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
PLAIN_CHARS = 1000
"""Of plain text in one block, where a line ends by then; never more than twice as many."""

LINE, BLOCK, SIGN, CELL = 30, 60, 60, 60
FEW_SIGNS, FURTHER_SIGN = 20, 110
"""All of a long list is laid out at once, and short ones only where they are seen."""
STARTS = "#=-_*`~["
MARKERS = "*_~`\\<&$[]"
FORMULAS = ("$", "\\(", "\\[")
MARKER, BRACKET, LINK, FORMULA = 16, 32, 60, 30
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


class Meter:
    """Counts line by line what a text costs to format."""

    def __init__(self, max_cost: int = MAX_COST) -> None:
        self.max_cost = max_cost
        self.cost = 0
        self.depth = 0
        self.columns = self.cells = 0
        self.chars = self.paragraph = self.signs = 0
        self.fence = ""
        self.knows_fences = True
        self.after_blank = True

    def takes(self, line: str) -> bool:
        """Count a line, given without its end. Is it still to be formatted?"""
        self.cost += 2 + len(line) // CHARS_PER_UNIT
        self.chars += 1 + len(line)
        if self.fence:
            self._take_code(line)
        elif not line.strip(" \t"):
            self.after_blank = True
            self.columns = self.cells = self.paragraph = 0
        else:
            self._take_text(line)
            self.after_blank = False
        within = self.depth <= MAX_DEPTH and self.cells <= MAX_CELLS
        short = self.chars <= MAX_BLOCK_CHARS and self.paragraph <= MAX_PARAGRAPH_CHARS
        return within and short and self.cost <= self.max_cost

    def _take_code(self, line: str) -> None:
        end = FENCE_END.match(line)
        if end and end[1].startswith(self.fence):
            self.fence = ""
            self.after_blank = True

    def _take_text(self, line: str) -> None:
        signs = CONTAINERS.match(line)
        count = len(CONTAINER.findall(signs[0])) if signs else 0
        indent = len(line) - len(line.lstrip(" \t"))
        if self.after_blank and not count and not indent:
            self.depth = self.signs = 0
            self.chars = 1 + len(line)
        if count:
            self.depth = max(self.depth, count + indent // 2)
        if "-" in line and DELIMITERS.match(line):
            self.columns = max(self.columns, line.count("|") + 1)
        self.paragraph += 1 + len(line)
        if self.columns > 1:
            self.cells += self.columns
            self.cost += self.columns * CELL
        self.signs += count
        further = min(count, max(0, self.signs - FEW_SIGNS))
        starts = self.after_blank or line[0] in STARTS or count or line.endswith("  ")
        self.cost += (
            LINE * (1 + self.depth)
            + BLOCK * bool(starts)
            + SIGN * count
            + FURTHER_SIGN * further
            + signs_cost(line)
        )
        self._open_fence(line)

    def _open_fence(self, line: str) -> None:
        """Code costs little, but only where both parsers surely take it for code: at the
        beginning of a line, and as long as no formula may have reached over one."""
        if MATHS.match(line):
            self.knows_fences = False
        fence = FENCE.match(line) if self.knows_fences else None
        if fence:
            self.fence = fence[1] or fence[2]


def signs_cost(line: str) -> int:
    markers = sum(map(line.count, MARKERS))
    links = line.count("[") * BRACKET + line.count("://") * LINK
    formulas = sum(map(line.count, FORMULAS)) * FORMULA
    blanks = sum(len(blank) ** 2 // 400 for blank in LONG_BLANK.findall(line))
    return markers * MARKER + links + formulas + blanks


def formatted_length(text: str, max_cost: int = MAX_COST) -> int:
    """How many characters, from its beginning, of a text with `\\n` for line ends are formatted.

    The rest is shown as plain text. It begins with a line, and more text never changes where."""
    meter = Meter(max_cost)
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if not meter.takes(text[start:end]):
            return start
        start = end + 1
    return len(text)


def inline_cost(text: str) -> int:
    """What the text of a paragraph costs above its length: emphasis is sought from each sign
    through the whole paragraph, the end of a link from each bracket over all the signs."""
    markers = sum(map(text.count, MARKERS))
    return text.count("[") * markers // 4 + markers * len(text) // 400


def plain_parts(text: str, start: int) -> Iterator[tuple[int, str]]:
    """Cut plain text, from there on, into parts that a browser can lay out one by one: at line
    ends, where there are any. Each with its place, and without the line end behind it."""
    while start < len(text):
        most = min(start + 2 * PLAIN_CHARS, len(text))
        end = text.find("\n", start + PLAIN_CHARS, most) if most < len(text) else -1
        yield start, text[start : most if end < 0 else end]
        start = most if end < 0 else end + 1
