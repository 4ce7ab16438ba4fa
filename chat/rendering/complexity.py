"""How much of a text is formatted: the same rule as in static/js/markdown/complexity.js.

Some texts take both Markdown parsers very long, so both get only the part that costs little. The
cost is estimated from the text alone, in one pass, so that a text looks the same live and after a
reload.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from chat.rendering.fences import OpenFences, open_fence, read_code_line

MAX_COST = 300_000
"""In units of about a microsecond of the server's time. A quarter of a megabyte of ordinary prose,
lists and code costs as much. The first line that exceeds a limit is shown as plain text, and so is
the rest."""
MAX_DEPTH = 24
"""Levels of quotations and lists within one another."""
MAX_CELLS = 2000
"""Cells of one table."""
MAX_BLOCK_CHARS = 60_000
"""Characters of one list or code block, because browsers lay out all of it at once."""
MAX_PARAGRAPH_CHARS = 20_000
"""Characters up to the next empty line. They may be one word, which takes browsers longest to
break."""
MAX_INLINE_COST = 60_000
"""Limits the cost of the markers of all paragraphs, which grows faster than the text. A paragraph,
heading or cell that costs more than what is left is shown without formatting."""
MIN_PLAIN_CHARS = 1000
"""Characters of one block of plain text. It ends at the next line end, or at twice as many
characters."""

LINE_COST, BLOCK_COST, SIGN_COST, CELL_COST = 30, 60, 60, 60
FREE_SIGNS, EXTRA_SIGN_COST = 20, 110
"""Browsers lay out the whole of a long list at once, but short lists only when they are seen."""
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
MATHS = re.compile(r"[ \t>]*(?:\$\$|\\\[)")


class CostMeter:
    """Estimates line by line what a text costs to format."""

    def __init__(self, max_cost: int = MAX_COST) -> None:
        self.max_cost = max_cost
        self.cost = 0
        self.depth = 0
        self.columns = self.cells = 0
        self.block_chars = self.paragraph_chars = self.list_signs = 0
        self.fences: OpenFences = ()
        self.can_open_fence = True
        self.is_after_blank = True

    def accept_line(self, line: str) -> bool:
        """Count a line, given without its end. False if it exceeds a limit."""
        self.cost += 2 + len(line) // CHARS_PER_UNIT
        self.block_chars += 1 + len(line)
        if self.fences:
            self._count_code_line(line)
        elif not line.strip(" \t"):
            self.is_after_blank = True
            self.columns = self.cells = self.paragraph_chars = 0
        else:
            self._count_text_line(line)
            self.is_after_blank = False
        return (
            self.cost <= self.max_cost
            and self.depth <= MAX_DEPTH
            and self.cells <= MAX_CELLS
            and self.block_chars <= MAX_BLOCK_CHARS
            and self.paragraph_chars <= MAX_PARAGRAPH_CHARS
        )

    def _count_code_line(self, line: str) -> None:
        self.fences = read_code_line(self.fences, line)
        if not self.fences:
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
        extra = min(count, max(0, self.list_signs - FREE_SIGNS))
        starts = self.is_after_blank or line[0] in BLOCK_START_CHARS or count or line.endswith("  ")
        self.cost += (
            LINE_COST * (1 + self.depth)
            + BLOCK_COST * bool(starts)
            + SIGN_COST * count
            + EXTRA_SIGN_COST * extra
            + estimate_signs_cost(line)
        )
        self._open_fence(line)

    def _open_fence(self, line: str) -> None:
        """Code costs little, but only where both parsers certainly read it as code: at the start of
        a line, and before any formula that may span a fence."""
        if MATHS.match(line):
            self.can_open_fence = False
        if self.can_open_fence and line[0] in "`~":
            self.fences = open_fence(line)


def estimate_signs_cost(line: str) -> int:
    markers = sum(map(line.count, MARKER_CHARS))
    links = line.count("[") * BRACKET_COST + line.count("://") * LINK_COST
    formulas = sum(map(line.count, FORMULA_OPENERS)) * FORMULA_COST
    blanks = sum(len(blank) ** 2 // 400 for blank in LONG_BLANK.findall(line))
    return markers * MARKER_COST + links + formulas + blanks


def find_formatted_length(text: str, max_cost: int = MAX_COST) -> int:
    """How many characters of a text are formatted; its line ends must be `\\n`.

    The rest begins with a line, and is shown as plain text. Text that is added later never moves
    this boundary.
    """
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
    """The cost of a paragraph beyond its length: the parser searches from each marker through the
    whole paragraph, and from each bracket through all markers."""
    markers = sum(map(text.count, MARKER_CHARS))
    return text.count("[") * markers // 4 + markers * len(text) // 400


def split_plain_text(text: str, start: int) -> Iterator[tuple[int, str]]:
    """Cut the text from `start` on, at line ends if possible, into parts that a browser can lay out
    one by one. Yields the offset of each part, and the part without its line end."""
    while start < len(text):
        limit = min(start + 2 * MIN_PLAIN_CHARS, len(text))
        end = text.find("\n", start + MIN_PLAIN_CHARS, limit) if limit < len(text) else -1
        yield start, text[start : limit if end < 0 else end]
        start = limit if end < 0 else end + 1
