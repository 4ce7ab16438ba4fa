"""Answers of about 100 KB, in the shapes that cost a page most."""

MIN_ANSWER_CHARS = 100_000

SECTION = """## Kelp, part {n}

A *holdfast* grips the rock, and the **blade** gives way; see `follow()` and [the tide](https://example.com/{n}).
It costs about $5 in spring and $6 in autumn, with ~~no~~ some regret_about_names, and x < {n}.

1. Written first, so that **no crash** takes back a word
2. Numbered, without a gap
   - a nested point, number {n}
   - and another, with `code`

| Time | Tide | Height |
|------|:----:|-------:|
| 04:{n:02} | low | 0.7 m |
| 11:{n:02} | high | 4.2 m |

```python
def follow(journal, after={n}):
    for index, text in journal.read(after):
        yield text  # once, and in order
```

> What lasts is not what resists the current, but what is *anchored*.

The area under the wave is $\\int_0^{n} x^2\\,dx$, which is

$$
\\frac{{{n}^3}}{{3}}
$$

- [x] seen
- [ ] not seen

"""

SENTENCE = (
    "The moon is late by about *fifty minutes* on day {n}, and **the water** follows it, as "
    "`tide({n})` and [the table](https://example.com/{n}) say; a file_name_{n} costs $5 or $6. "
)


def build_mixed() -> str:
    return repeat_to_size(SECTION)


def build_paragraph() -> str:
    """Return one paragraph without any line end."""
    return repeat_to_size(SENTENCE)


def build_list() -> str:
    return repeat_to_size(
        "- **Item {n}** of the list, with `code` and [a link](https://example.com/{n})\n"
    )


def build_table() -> str:
    return "| n | What | Where |\n|--:|------|-------|\n" + repeat_to_size(
        "| {n} | **kelp** and `code` | [a place](https://example.com/{n}) |\n"
    )


def build_fence() -> str:
    return (
        "```python\n"
        + repeat_to_size("print('line {n} of a long program')  # and a remark\n")
        + "```\n"
    )


ANSWERS = {
    "mixed": build_mixed,
    "paragraph": build_paragraph,
    "list": build_list,
    "table": build_table,
    "fence": build_fence,
}


def repeat_to_size(pattern: str) -> str:
    """Repeat the pattern with numbers until it has 100 KB."""
    parts: list[str] = []
    length = 0
    while length < MIN_ANSWER_CHARS:
        part = pattern.format(n=len(parts) % 60)
        parts.append(part)
        length += len(part)
    return "".join(parts)
