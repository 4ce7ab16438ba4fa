"""Markdown to HTML for history: what static/js/markdown/ shows while the same text streams.

Both sides read one dialect (tests/markdown_cases.json): GFM whose raw HTML is shown as text. No
remote content is loaded, so images become links. Links lead to http, https, mailto and tel only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from chat.rendering.cleaner import CLEANER
from chat.rendering.complexity import (
    MAX_COST,
    MAX_INLINE_COST,
    estimate_inline_cost,
    find_formatted_length,
    split_plain_text,
)
from chat.rendering.emphasis import tokenize_emphasis, tokenize_strikethrough
from chat.rendering.fences import parse_markdown_fence
from chat.rendering.links import encode_url
from chat.rendering.maths import parse_math_block, parse_math_inline
from chat.rendering.renderer import MessageRenderer
from chat.rendering.seams import adjust_offsets, find_block_starts, insert_seams
from chat.rendering.tables import HIDDEN_PIPE, hide_pipes, show_pipes

RENDERER_VERSION = 7
"""Increase it with every change of the HTML of a text, so that stored HTML is rendered again."""
LINE_BREAK = re.compile(r"<br[ \t]*/?>", re.IGNORECASE)
LINE_END = re.compile(r"\r\n?|\n")
REPLACED_CHARACTERS = {0x2028: " ", 0x2029: " ", ord(HIDDEN_PIPE): "\ufffd"}
"""The first two are line ends for JavaScript only."""
MAX_NESTING = 100
"""In the library a quotation is one level, a list two. MAX_DEPTH keeps formatted text below it."""
TEXT_TERMINATORS = re.compile(r"[\n$&*<\[\\\]_`~]|!(?=\[)")
"""The characters at which something other than text can begin. The library's own pattern stops more
often, and costs more."""


def to_html(markdown: str, seams: Iterable[int] = (), *, max_cost: int = MAX_COST) -> SafeString:
    """`seams` are offsets in code points."""
    text = LINE_END.sub("\n", markdown.translate(REPLACED_CHARACTERS))
    end = find_formatted_length(text, max_cost)
    env: dict[str, Any] = {"outline": [], "in_link": 0, "in_cell": False}
    env |= {"lines": text[:end].split("\n"), "directions": ["ltr"]}
    tokens = build_parser().parse(text[:end], env)
    starts = find_block_starts(tokens, text[:end])
    if end < len(text):
        tokens.append(Token("unformatted", "div", 0, block=True))
        for start, part in split_plain_text(text, end):
            starts.append((start, len(tokens)))
            tokens.append(Token("plain_block", "div", 0, content=part, block=True))
    insert_seams(tokens, starts, adjust_offsets(markdown, seams))
    html = build_parser().renderer.render(tokens, build_parser().options, env)
    return mark_safe(CLEANER.clean(html))  # noqa: S308 nh3 has just cleaned it # nosec B308 B703


@cache
def build_parser() -> MarkdownIt:
    options = {"html": False, "tasklists": True, "maxNesting": MAX_NESTING}
    markdown = MarkdownIt("commonmark", options, renderer_cls=MessageRenderer)
    markdown.enable(["table", "strikethrough"])
    markdown.core.ruler.before("block", "hide_pipes", hide_pipes)
    markdown.core.ruler.after("block", "show_pipes", show_pipes)
    markdown.core.ruler.at("inline", parse_inline_within_limits)
    markdown.inline.terminator_re = TEXT_TERMINATORS
    interrupts: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    markdown.block.ruler.before("table", "math", parse_math_block, interrupts)
    markdown.block.ruler.before("fence", "markdown_fence", parse_markdown_fence, interrupts)
    markdown.inline.ruler.before("escape", "math", parse_math_inline)
    markdown.inline.ruler.before("autolink", "line_break", tokenize_line_break)
    markdown.inline.ruler.at("emphasis", tokenize_emphasis)
    markdown.inline.ruler.at("strikethrough", tokenize_strikethrough)
    # The renderer checks where a link leads, and shows an unsafe one as its text. If the parser
    # checked it, the brackets would be shown too.
    markdown.validateLink = lambda url: True  # type: ignore[method-assign]
    markdown.normalizeLink = encode_url  # type: ignore[method-assign]
    markdown.normalizeLinkText = str  # type: ignore[assignment]
    return markdown


def parse_inline_within_limits(state: StateCore) -> None:
    left = MAX_INLINE_COST
    for before, token in pairwise(state.tokens):
        if token.type != "inline":
            continue
        token.children = []
        text = "\n".join(line.strip(" \t") for line in token.content.split("\n"))
        cost = estimate_inline_cost(text)
        if cost > left:
            token.children.append(Token("plain", "span", 0, content=text))
            continue
        left -= cost
        state.env["in_cell"] = before.type in {"td_open", "th_open"}
        state.md.inline.parse(token.content, state.md, state.env, token.children)


def tokenize_line_break(state: StateInline, silent: bool) -> bool:
    """A cell of a table has no other way to break a line. Elsewhere the tag is text."""
    match = LINE_BREAK.match(state.src, state.pos) if state.env["in_cell"] else None
    if not match:
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = match.end()
    return True
