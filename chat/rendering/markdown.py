"""Markdown to HTML for history: what static/js/markdown.js shows while the same text streams.

One dialect on both sides (tests/markdown_cases.json): GFM without raw HTML, which is text. Nothing
remote is loaded, so images are links; links lead to http, https, mailto and tel only. The result
passes nh3 too, so that a mistake here is not yet a hole.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any
from urllib.parse import quote

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.common.utils import unescapeAll
from markdown_it.renderer import RendererHTML
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from chat.rendering.complexity import (
    MAX_COST,
    MAX_INLINE_COST,
    estimate_inline_cost,
    find_formatted_length,
    split_plain_text,
)

RENDERER_VERSION = 2
"""Counts up with every change of what the same text becomes: kept HTML is made anew then."""
SEAM_TEXT = "the server restarted here; the reply went on"
UNFORMATTED_TEXT = "The text from here on is too complex to format. It is shown as it was written."
SAFE_URL = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
BARE_URL = re.compile(
    r"(?<![A-Za-z0-9_])https?://[A-Za-z0-9_!#$%&'()*+,\-./:;=?@~\u00c0-\u1fff]+", re.IGNORECASE
)
# A dollar sign opens maths only where a price would not stand: “$5 and $6” are two prices.
PRICE = r"\d[^\\{}$\n]* \(?[A-Za-z]{2}"
MATH = re.compile(
    r"\$\$(?!\$)(?:\\[\s\S]|[^$\\]){1,2000}\$\$(?!\$)"
    rf"|(?<![A-Za-z0-9$])\$(?![ \t\n$]|{PRICE})(?:\\[^\n]|[^$`\n\\])+(?<![ \t])\$(?![A-Za-z0-9$])"
    r"|\\\((?:(?!\\\))[\s\S]){1,2000}\\\)"
    r"|\\\[(?:(?!\\\])[\s\S]){1,2000}\\\](?!\()",
)
MATH_CLOSERS = {"$$": "$$", "\\[": "\\]"}
LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,30}")
LINE_END = re.compile(r"\r\n?|\n")
LINE_SEPARATORS = {0x2028: " ", 0x2029: " "}  # line ends to JavaScript, and to nobody else
MAX_HEADING_LEVEL = 6
MAX_NESTING = 100
"""Levels of the library: a quotation is one, a list two. Formatted text is less deep."""
TEXT_TERMINATORS = re.compile(r"[\n$&*<\[\\\]_`~]|!(?=\[)")
"""Where anything but text can begin. The library stops at more signs, and costs more."""

ALLOWED_ATTRIBUTES = {
    "a": {"href", "title", "target", "rel"},
    "code": {"tabindex"},
    "div": {"class", "role", "tabindex"},
    "input": {"type", "disabled", "checked", "aria-label"},
    "li": {"class"},
    "ol": {"start"},
    "pre": {"class", "data-language"},
    "span": {"class"},
    "td": {"class"},
    "th": {"class"},
}
TAGS_WITHOUT_ATTRIBUTES = "blockquote br del em h2 h3 h4 h5 h6 hr p strong table tbody thead tr ul"
ALLOWED_TAGS = {*ALLOWED_ATTRIBUTES, *TAGS_WITHOUT_ATTRIBUTES.split()}
CLEANER = nh3.Cleaner(
    tags=ALLOWED_TAGS,
    attributes=ALLOWED_ATTRIBUTES,
    url_schemes={"http", "https", "mailto", "tel"},
    link_rel=None,
)


def to_html(markdown: str, seams: Iterable[int] = (), *, max_cost: int = MAX_COST) -> SafeString:
    """Render a message. `seams` are the places, in code points, where a reply was carried on.

    A seam is shown before the next block that starts, so it never breaks one.
    """
    text = LINE_END.sub("\n", markdown.translate(LINE_SEPARATORS))
    end = find_formatted_length(text, max_cost)
    env: dict[str, Any] = {"outline": [], "in_link": 0}
    tokens = build_parser().parse(text[:end], env)
    starts = find_block_starts(tokens, text[:end])
    if end < len(text):
        tokens.append(make_block_token("unformatted"))
        for start, part in split_plain_text(text, end):
            starts.append((start, len(tokens)))
            tokens.append(make_block_token("plain_block", part))
    insert_seams(tokens, starts, places_in_text(markdown, seams))
    html = build_parser().renderer.render(tokens, build_parser().options, env)
    return mark_safe(CLEANER.clean(html))  # noqa: S308 nh3 has just seen to it


@cache
def build_parser() -> MarkdownIt:
    options = {"html": False, "tasklists": True, "maxNesting": MAX_NESTING}
    markdown = MarkdownIt("commonmark", options, renderer_cls=MessageRenderer)
    markdown.enable(["table", "strikethrough"])
    markdown.core.ruler.at("inline", parse_inline_within_limits)
    markdown.inline.terminator_re = TEXT_TERMINATORS
    interrupts: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    markdown.block.ruler.before("table", "math", math_block, interrupts)
    markdown.inline.ruler.before("escape", "math", math_inline)
    # What a link may lead to is decided when it is rendered: a refused one still reads as its text.
    markdown.validateLink = lambda url: True  # type: ignore[method-assign]
    markdown.normalizeLink = encode_url  # type: ignore[method-assign]
    markdown.normalizeLinkText = str  # type: ignore[assignment]
    return markdown


def encode_url(url: str) -> str:
    """Percent-encode like the browser's encodeURI, and what is encoded already no second time."""
    return quote(url, safe="%;,/?:@&=+$-_.!~*'()#")


def parse_inline_within_limits(state: StateCore) -> None:
    """Parse what stands in paragraphs, headings and cells, as long as it costs little."""
    left = MAX_INLINE_COST
    for token in state.tokens:
        if token.type != "inline":
            continue
        token.children = []
        text = "\n".join(line.strip(" \t") for line in token.content.split("\n"))
        cost = estimate_inline_cost(text)
        if cost > left:
            token.children.append(Token("plain", "span", 0, content=text))
            continue
        left -= cost
        state.md.inline.parse(token.content, state.md, state.env, token.children)


def math_inline(state: StateInline, silent: bool) -> bool:
    found = MATH.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        state.push("math_inline", "span", 0).content = found[0]
    state.pos = found.end()
    return True


def math_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Maths on lines of its own, up to the closing sign at the end of a line. Maths that
    is not closed before an empty line is a paragraph."""
    close = MATH_CLOSERS.get(strip_line(state, start)[:2])
    if close is None or state.is_code_block(start):
        return False
    at = start
    lines: list[str] = []
    closed = False
    while at < end and not closed and not state.isEmpty(at):
        if at > start and state.sCount[at] < state.blkIndent:
            break
        lines.append(strip_line(state, at))
        place = lines[-1].find(close, 0 if at > start else 2)
        closed = place >= 0
        at += 1
        if closed and place + 2 < len(lines[-1]):
            return False
    text = "\n".join(lines)
    if closed and not text[2:-2].strip():
        return False
    if not silent:
        state.line = at
        push_math_tokens(state, text, [start, at], is_closed=closed)
    return True


def strip_line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].strip(" \t")


def push_math_tokens(state: StateBlock, text: str, lines: list[int], *, is_closed: bool) -> None:
    if is_closed:
        token = state.push("math_block", "div", 0)
        token.content, token.map = text, lines
        return
    state.push("paragraph_open", "p", 1).map = lines
    inline = state.push("inline", "", 0)
    inline.content, inline.map, inline.children = text, lines, []
    state.push("paragraph_close", "p", -1)


def make_block_token(type: str, content: str = "") -> Token:
    return Token(type, "div", 0, content=content, block=True)


def find_block_starts(tokens: list[Token], text: str) -> list[tuple[int, int]]:
    """Where blocks start in the text, and which of the tokens starts them."""
    lines = find_line_starts(text)
    blocks = [(i, token.map) for i, token in enumerate(tokens) if token.level == 0 and token.map]
    return [(lines[where[0]], i) for i, where in blocks]


def insert_seams(
    tokens: list[Token], starts: Sequence[tuple[int, int]], seams: Sequence[int]
) -> None:
    before = {bisect_left(starts, (seam, 0)) for seam in seams}
    for i in sorted(before, reverse=True):
        tokens.insert(starts[i][1] if i < len(starts) else len(tokens), make_block_token("seam"))


def places_in_text(markdown: str, places: Iterable[int]) -> list[int]:
    """The same places where each line end is one character."""
    pairs = [found.end() for found in re.finditer("\r\n", markdown)]
    return [place - bisect_right(pairs, place) for place in sorted(places)]


def find_line_starts(text: str) -> list[int]:
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    return starts


def trim_url(url: str) -> str:
    """A bare URL without the punctuation of the sentence around it."""
    end = len(url)
    unopened = url.count(")") - url.count("(")
    while url[end - 1] in "?!.,:;*_~'" or (url[end - 1] == ")" and unopened > 0):
        unopened -= url[end - 1] == ")"
        end -= 1
    return url[:end]


def is_safe_link(url: str) -> bool:
    """May a link lead there, and is it an address? nh3 takes from `http://localhost:PORT` what it
    leads to, as a browser can't read it either."""
    link = f'<a href="{escape(url)}">'
    return bool(SAFE_URL.match(url)) and "href" in CLEANER.clean(link)


def update_outline(outline: list[int], depth: int) -> None:
    """Keep which headings stand above: depths, each deeper than the one before it."""
    while outline and outline[-1] >= depth:
        outline.pop()
    outline.append(depth)


def format_link_attributes(href: str, title: str | None) -> str:
    given = f' title="{escape(title)}"' if title else ""
    rel = 'target="_blank" rel="noopener noreferrer nofollow"'
    return f' href="{escape(href)}"{given} {rel}'


class MessageRenderer(RendererHTML):
    """The HTML of messages, without the white space between blocks that nobody sees."""

    def renderToken(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        token = tokens[idx]
        if token.hidden:
            return ""
        if token.nesting == -1:
            return f"</{token.tag}>"
        return f"<{token.tag}{self.renderAttrs(token)}>"

    def seam(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<div class="seam" role="note">{SEAM_TEXT}</div>'

    def unformatted(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<div class="unformatted" role="note">{UNFORMATTED_TEXT}</div>'

    def plain_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<div class="plain">{escape(tokens[idx].content)}</div>'

    def plain(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<span class="plain">{escape(tokens[idx].content)}</span>'

    def heading_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any
    ) -> str:
        """Open it below the page's own h1 without a gap, whatever level the model wrote."""
        token = tokens[idx]
        top = token.level == 0
        if top:
            update_outline(env["outline"], int(token.tag[1]))
        level = min(len(env["outline"]) + (1 if top else 2), MAX_HEADING_LEVEL)
        env["heading"] = f"h{level}"
        return f"<h{level}>"

    def heading_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any
    ) -> str:
        return f"</{env['heading']}>"

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        token = tokens[idx]
        language = LANGUAGE.match(unescapeAll(token.info).strip())
        label = f' data-language="{escape(language[0])}"' if language else ""
        text = escape(token.content.removesuffix("\n"))
        return f'<pre class="code"{label}><code tabindex="0">{text}</code></pre>'

    code_block = fence

    def math_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        """Show the source: browsers typeset it, and without a script it still reads."""
        return f'<span class="math">{escape(tokens[idx].content)}</span>'

    def math_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<div class="math" tabindex="0">{escape(tokens[idx].content)}</div>'

    def list_item_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any
    ) -> str:
        meta = tokens[idx].meta or {}
        if "checked" not in meta:
            return "<li>"
        state = 'checked aria-label="done"' if meta["checked"] else 'aria-label="to do"'
        box = f'<input type="checkbox" disabled {state}> '
        if tokens[idx + 1].type == "paragraph_open":
            env["box"] = box
            return '<li class="task">'
        return f'<li class="task">{box}'

    def paragraph_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any
    ) -> str:
        return self.renderToken(tokens, idx, options, env) + str(env.pop("box", ""))

    def bullet_list_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any
    ) -> str:
        return "<ul>"

    def ordered_list_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any
    ) -> str:
        start = tokens[idx].attrGet("start")
        return "<ol>" if start is None else f'<ol start="{start}">'

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return '<div class="table" tabindex="0"><table>'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return "</table></div>"

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        """A class for the alignment: the content policy allows no style attribute."""
        token = tokens[idx]
        side = str(token.attrGet("style") or "").removeprefix("text-align:")
        return f'<{token.tag} class="{side}">' if side else f"<{token.tag}>"

    td_open = th_open

    def s_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return "<del>"

    def s_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return "</del>"

    def softbreak(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return "\n"

    def hardbreak(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return "<br>"

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        token = tokens[idx]
        href = str(token.attrGet("href"))
        env["in_link"] = 2 if is_safe_link(href) else 1
        return (
            f"<a{format_link_attributes(href, get_link_title(token))}>"
            if env["in_link"] == 2
            else ""
        )

    def link_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        made, env["in_link"] = env["in_link"] == 2, 0
        return "</a>" if made else ""

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        """Show a link instead: loading a picture a model names would tell its server of us."""
        token = tokens[idx]
        src = str(token.attrGet("src"))
        words = escape(self.renderInlineAsText(token.children, options, env))
        if env["in_link"]:
            return words
        words = words or escape(src)
        if not is_safe_link(src):
            return words
        return f"<a{format_link_attributes(src, get_link_title(token))}>{words}</a>"

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        content = tokens[idx].content
        return escape(content) if env["in_link"] else linkify_text(content)


def get_link_title(token: Token) -> str | None:
    given = token.attrGet("title")
    return str(given) if given else None


def linkify_text(text: str) -> str:
    """Escape, with links for the bare URLs in it."""
    html: list[str] = []
    end = 0
    for match in BARE_URL.finditer(text):
        url = trim_url(match[0])
        href = encode_url(url)
        if not is_safe_link(href):
            continue
        html.append(escape(text[end : match.start()]))
        html.append(f"<a{format_link_attributes(href, None)}>{escape(url)}</a>")
        end = match.start() + len(url)
    return "".join([*html, escape(text[end:])])
