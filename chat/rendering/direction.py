"""The direction of lists, quotations and tables: the same as in static/js/markdown/direction.js.

Markers and bars stand on its side, and so does the first column. The stylesheet finds the direction
of each paragraph.
"""

from __future__ import annotations

import re

RIGHT_TO_LEFT = re.compile(
    r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
LEFT_TO_RIGHT = re.compile(r"[A-Za-z\u00c0-\u058f\u0900-\u1fff\u2c00-\ud7ff\U00020000-\U0003ffff]")
NO_WORDS = re.compile(
    r"(?m)^[ \t>]*(?P<fence>`{3,}|~{3,})[\s\S]*?(?:\n[ \t>]*(?P=fence)|\Z)"
    r"|`+[^`]*`+|\$[^$\n]*\$|\]\([^()\n]*\)|https?://[^\s)]*"
)
"""Code, formulas and addresses are written from left to right in every language. The destination of
a link ends before another parenthesis, so that many openers take no quadratic time."""


def find_direction(source: str, outer: str) -> str:
    """`ltr` or `rtl`. A block is written from right to left if its first letter or most of its
    letters are: many begin with a foreign name. One without letters is like the block around it."""
    if outer == "ltr" and not RIGHT_TO_LEFT.search(source):
        return outer
    words = NO_WORDS.sub("", source)
    right, left = RIGHT_TO_LEFT.findall(words), LEFT_TO_RIGHT.findall(words)
    if not right:
        return "ltr" if left else outer
    is_first = not left or words.index(right[0]) < words.index(left[0])
    return "rtl" if is_first or len(right) > len(left) else "ltr"
