"""Texts of 400 KB that cost a Markdown parser or a browser the most, each of one kind."""

from __future__ import annotations

from random import Random

CHARS = 400_000
MATH = r"\begin{matrix} a & b \\ c & d \end{matrix}"


def repeat_unit(unit: str, start: str = "") -> str:
    return (start + unit * (CHARS // len(unit) + 1))[:CHARS]


def build_table(columns: int, row: str) -> str:
    return repeat_unit(row, "|" * (columns + 1) + "\n|" + "-|" * columns + "\n")


NASTY = {
    "parentheses after a URL": repeat_unit(")", "http://a/"),
    "openers of formulas": repeat_unit("\\("),
    "openers of shown formulas": repeat_unit("\\[\n"),
    "openers of shown formulas in a table": repeat_unit("\\[a\n", "|a|b|\n|-|-|\n")[: CHARS - 3]
    + "\\]b",
    "shown formulas in a table that end no row": repeat_unit("$$a$$b\n", "|a|b|\n|-|-|\n"),
    "items": repeat_unit("- a\n"),
    "numbered items": repeat_unit("1. a\n"),
    "numbers in numbers": repeat_unit("1. 1. 1. 1. a\n"),
    "a staircase of items": repeat_unit("".join("  " * n + "- a\n" for n in range(20))),
    "short lists": repeat_unit("a\n\n" + "1. 1. 1. 1. a\n" * 5 + "\n"),
    "loose items": repeat_unit("- a\n\n"),
    "tasks": repeat_unit("- [ ] a\n"),
    "brackets": repeat_unit("["),
    "nested brackets": "[" * (CHARS // 2) + "]" * (CHARS // 2),
    "destinations of links from right to left": repeat_unit(
        "> " * 23 + "\N{HEBREW LETTER ALEF} " + "](" * 9_000 + "\n\n"
    ),
    "lines that open brackets": repeat_unit("[\n", "]:")[: CHARS - 2] + "]:",
    "images": repeat_unit("!["),
    "links": repeat_unit("[a](http://a/) "),
    "bare links": repeat_unit("http://a/ "),
    "emphasis": repeat_unit("**a "),
    "closed emphasis": repeat_unit("*a* "),
    "emphasis in paragraphs": repeat_unit("*a* " * 100 + "\n\n"),
    "backticks": repeat_unit("`a"),
    "growing backticks": "".join("`" * n + "a" for n in range(890))[:CHARS],
    "code in lines": repeat_unit("`a` "),
    "two thousand quotations": repeat_unit("a\n", ">" * 2_000 + " "),
    "quotations": repeat_unit(">"),
    "lines of quotations": repeat_unit("> a\n\n"),
    "quotations and items": repeat_unit("a\n", "> - " * 1_000),
    "200 columns": build_table(200, "|\n"),
    "1000 columns, 2000 rows": build_table(1_000, "|\n" * 2_000 + "\n"),
    "500 columns, 8000 rows": build_table(500, "|\n" * 8_000 + "\n"),
    "four columns": build_table(4, "| a | b | c | d |\n"),
    "many tables": repeat_unit("|a|b|\n|-|-|\n|1|2|\n\n"),
    "rows of one": repeat_unit("a\n", "a|b\n-|-\n"),
    "bars": repeat_unit("|"),
    "one definition": repeat_unit("[a]: b\n"),
    "definitions": "".join(f"[a{n}]: b\n" for n in range(CHARS))[:CHARS],
    "definitions that come late": repeat_unit("[a] b\n\n")[: CHARS - 9] + "\n\n[a]: /b",
    "headings": repeat_unit("# a\n"),
    "underlined headings": repeat_unit("a\n=\n"),
    "paragraphs": repeat_unit("a\n\n"),
    "lines": repeat_unit("a\n"),
    "broken lines": repeat_unit("a  \n"),
    "rules": repeat_unit("---\n"),
    "fences": repeat_unit("```\n"),
    "fences in Markdown": repeat_unit("```js\n", "```md\n"),
    "Markdown in Markdown": repeat_unit("```md\n"),
    "emphasis without spaces": repeat_unit("中**「a」"),
    "punctuation without spaces": repeat_unit("**“”"),
    "pipes of formulas": build_table(2, "| $|a|$ | \\(|b|\\) |\n"),
    "open formulas in cells": build_table(2, "|" + "\\(" * 90 + "$a|" * 30 + "\n"),
    "items from right to left": repeat_unit("- שלום a\n"),
    "quotations from right to left": repeat_unit("> " * 20 + "שלום `a\n"),
    "addresses of many scripts": repeat_unit("https://a.路/路，"),
    "a long address": repeat_unit("،", "https://a.路/"),
    "fences with code": repeat_unit("```py\na\n```\n"),
    "fences that are none": repeat_unit("- *a*\n", "- ```\n  ```\n"),
    "formulas over fences": repeat_unit("- *a*\n", "$$\n```\n$$\n\n"),
    "formulas": repeat_unit("$a$ "),
    "formulas in paragraphs": repeat_unit("$a$ and $b^2$.\n\n"),
    "shown formulas": repeat_unit("$$\na\n$$\n\n"),
    "matrices": repeat_unit(f"$${MATH}$$\n\n"),
    "an environment": repeat_unit("\\begin{"),
    "one word": repeat_unit("a"),
    "spaces": "a" + " " * (CHARS - 2) + "b",
    "ampersands": repeat_unit("&"),
    "entities": repeat_unit("&amp;"),
    "angles": repeat_unit("<a>"),
    "backslashes": repeat_unit("\\"),
    "one line of words": repeat_unit("The moon pulls. "),
    "one block of code": repeat_unit("for a in b[1:]:\n    print(f'{a}')\n", "```python\n"),
    "one line of code": repeat_unit("a=1;", "```js\n"),
    "blocks of code": repeat_unit("```python\nfor a in b:\n    print('a', 1)\n```\n\n"),
    "indented code": repeat_unit("    a\n"),
    "Chinese": repeat_unit("月亮牵引着海洋"),
    "emoji": repeat_unit("\N{OCTOPUS}*")[: CHARS // 2],
    "right to left": repeat_unit("שלום مرحبا "),
    "combining": repeat_unit("a" + "\u0301" * 50),
    "zero width": repeat_unit("\u200b"),
    "prose": repeat_unit(
        "# Tides\n\nThe moon pulls at the **sea**, and the tide goes up. "
        + "It goes down. " * 40
        + "\n\n- One\n- Two `code`\n\n```py\nfor tide in tides[1:]:\n    print(tide)\n```\n\n"
    ),
}
FAMILIES = tuple(NASTY)


def build_mixture(seed: int) -> str:
    """Join pieces of random families, of random lengths, with or without an empty line between."""
    random = Random(seed)
    pieces: list[str] = []
    while sum(map(len, pieces)) < CHARS:
        text = NASTY[random.choice(FAMILIES)]
        length = random.choice((20, 200, 2_000, 20_000))
        start = random.randrange(len(text) - length)
        pieces.append(text[start : start + length] + random.choice(("", "\n", "\n\n")))
    return "".join(pieces)[:CHARS]


NASTY |= {f"a mixture by seed {seed}": build_mixture(seed) for seed in range(1, 4)}
