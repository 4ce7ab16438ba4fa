"""Texts of 400 KB that cost a Markdown parser or a browser the most, each of one kind."""

from __future__ import annotations

CHARS = 400_000
MATHS = r"\begin{matrix} a & b \\ c & d \end{matrix}"


def repeated(unit: str, start: str = "") -> str:
    return (start + unit * (CHARS // len(unit) + 1))[:CHARS]


def table(columns: int, row: str) -> str:
    return repeated(row, "|" * (columns + 1) + "\n|" + "-|" * columns + "\n")


NASTY = {
    "parentheses after a URL": repeated(")", "http://a/"),
    "openers of formulas": repeated("\\("),
    "openers of shown formulas": repeated("\\[\n"),
    "items": repeated("- a\n"),
    "numbered items": repeated("1. a\n"),
    "numbers in numbers": repeated("1. 1. 1. 1. a\n"),
    "a staircase of items": repeated("".join("  " * n + "- a\n" for n in range(20))),
    "short lists": repeated("a\n\n" + "1. 1. 1. 1. a\n" * 5 + "\n"),
    "loose items": repeated("- a\n\n"),
    "tasks": repeated("- [ ] a\n"),
    "brackets": repeated("["),
    "nested brackets": "[" * (CHARS // 2) + "]" * (CHARS // 2),
    "lines that open brackets": repeated("[\n", "]:")[: CHARS - 2] + "]:",
    "images": repeated("!["),
    "links": repeated("[a](http://a/) "),
    "bare links": repeated("http://a/ "),
    "emphasis": repeated("**a "),
    "closed emphasis": repeated("*a* "),
    "emphasis in paragraphs": repeated("*a* " * 100 + "\n\n"),
    "backticks": repeated("`a"),
    "growing backticks": "".join("`" * n + "a" for n in range(890))[:CHARS],
    "code in lines": repeated("`a` "),
    "two thousand quotations": repeated("a\n", ">" * 2_000 + " "),
    "quotations": repeated(">"),
    "lines of quotations": repeated("> a\n\n"),
    "quotations and items": repeated("a\n", "> - " * 1_000),
    "200 columns": table(200, "|\n"),
    "1000 columns, 2000 rows": table(1_000, "|\n" * 2_000 + "\n"),
    "500 columns, 8000 rows": table(500, "|\n" * 8_000 + "\n"),
    "four columns": table(4, "| a | b | c | d |\n"),
    "many tables": repeated("|a|b|\n|-|-|\n|1|2|\n\n"),
    "rows of one": repeated("a\n", "a|b\n-|-\n"),
    "bars": repeated("|"),
    "one definition": repeated("[a]: b\n"),
    "definitions": "".join(f"[a{n}]: b\n" for n in range(CHARS))[:CHARS],
    "definitions that come late": repeated("[a] b\n\n")[: CHARS - 9] + "\n\n[a]: /b",
    "headings": repeated("# a\n"),
    "underlined headings": repeated("a\n=\n"),
    "paragraphs": repeated("a\n\n"),
    "lines": repeated("a\n"),
    "broken lines": repeated("a  \n"),
    "rules": repeated("---\n"),
    "fences": repeated("```\n"),
    "fences with code": repeated("```py\na\n```\n"),
    "fences that are none": repeated("- *a*\n", "- ```\n  ```\n"),
    "formulas over fences": repeated("- *a*\n", "$$\n```\n$$\n\n"),
    "formulas": repeated("$a$ "),
    "formulas in paragraphs": repeated("$a$ and $b^2$.\n\n"),
    "shown formulas": repeated("$$\na\n$$\n\n"),
    "matrices": repeated(f"$${MATHS}$$\n\n"),
    "an environment": repeated("\\begin{"),
    "one word": repeated("a"),
    "spaces": "a" + " " * (CHARS - 2) + "b",
    "ampersands": repeated("&"),
    "entities": repeated("&amp;"),
    "angles": repeated("<a>"),
    "backslashes": repeated("\\"),
    "one line of words": repeated("The moon pulls. "),
    "one block of code": repeated("for a in b[1:]:\n    print(f'{a}')\n", "```python\n"),
    "one line of code": repeated("a=1;", "```js\n"),
    "blocks of code": repeated("```python\nfor a in b:\n    print('a', 1)\n```\n\n"),
    "indented code": repeated("    a\n"),
    "Chinese": repeated("月亮牵引着海洋"),
    "emoji": repeated("\N{OCTOPUS}*")[: CHARS // 2],
    "right to left": repeated("שלום مرحبا "),
    "combining": repeated("a" + "\u0301" * 50),
    "zero width": repeated("\u200b"),
    "prose": repeated(
        "# Tides\n\nThe moon pulls at the **sea**, and the tide goes up. "
        + "It goes down. " * 40
        + "\n\n- One\n- Two `code`\n\n```py\nfor tide in tides[1:]:\n    print(tide)\n```\n\n"
    ),
}
