"""The HTML of a parsed message. Its methods are named after the types of the parser's tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from markdown_it.common.utils import unescapeAll
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from chat.rendering.direction import find_direction
from chat.rendering.links import (
    format_link_attributes,
    get_link_title,
    is_safe_link,
    linkify_text,
)

SEAM_TEXT = gettext_lazy("Server restarted; reply continued")
UNFORMATTED_TEXT = gettext_lazy(
    "The text from here on is too complex to format. It is shown as it was written."
)
LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,30}")
MAX_HEADING_LEVEL = 6
UNSAFE_LINK, SAFE_LINK = 1, 2
"""Values of `env["in_link"]`, which is 0 outside of links."""


class MessageRenderer(RendererHTML):
    """Writes no white space between blocks. `env` is the state of one rendering."""

    def renderToken(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        token = tokens[idx]
        if token.hidden:
            return ""
        if token.nesting == -1:
            return f"</{token.tag}>"
        return f"<{token.tag}{self.renderAttrs(token)}>"

    def seam(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<div class="seam" role="note">{escape(SEAM_TEXT)}</div>'

    def unformatted(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<div class="unformatted" role="note">{escape(UNFORMATTED_TEXT)}</div>'

    def plain_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<div class="plain">{escape(tokens[idx].content)}</div>'

    def plain(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<span class="plain">{escape(tokens[idx].content)}</span>'

    def heading_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any
    ) -> str:
        """Levels start below the page's h1 and skip none, whatever levels the model wrote."""
        token = tokens[idx]
        is_top_level = token.level == 0
        if is_top_level:
            _update_outline(env["outline"], int(token.tag[1]))
        level = min(len(env["outline"]) + (1 if is_top_level else 2), MAX_HEADING_LEVEL)
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
        """A script typesets the source of the formula; without scripts the source is readable."""
        return f'<span class="math">{escape(tokens[idx].content)}</span>'

    def math_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<div class="math" tabindex="0">{escape(tokens[idx].content)}</div>'

    def list_item_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any
    ) -> str:
        meta = tokens[idx].meta or {}
        if "checked" not in meta:
            return "<li>"
        checked, label = ("checked ", _("done")) if meta["checked"] else ("", _("to do"))
        box = f'<input type="checkbox" disabled {checked}aria-label="{escape(label)}"> '
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
        return f"<ul{_open_direction(tokens[idx], env)}>"

    def bullet_list_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any
    ) -> str:
        env["directions"].pop()
        return f"</{tokens[idx].tag}>"

    ordered_list_close = blockquote_close = bullet_list_close

    def blockquote_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any
    ) -> str:
        return f"<blockquote{_open_direction(tokens[idx], env)}>"

    def ordered_list_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any
    ) -> str:
        start = tokens[idx].attrGet("start")
        direction = _open_direction(tokens[idx], env)
        return f"<ol{direction}>" if start is None else f'<ol start="{start}"{direction}>'

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        direction = _open_direction(tokens[idx], env)
        return f'<div class="table" tabindex="0"{direction}><table>'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        env["directions"].pop()
        return "</table></div>"

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        """The alignment is a class, as the content security policy forbids style attributes."""
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
        env["in_link"] = SAFE_LINK if is_safe_link(href) else UNSAFE_LINK
        if env["in_link"] == UNSAFE_LINK:
            return ""
        return f"<a{format_link_attributes(href, get_link_title(token))}>"

    def link_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        is_open, env["in_link"] = env["in_link"] == SAFE_LINK, 0
        return "</a>" if is_open else ""

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        """A link: loading an image that a model names would reveal the reader to its server."""
        token = tokens[idx]
        src = str(token.attrGet("src"))
        label = escape(self.renderInlineAsText(token.children, options, env))
        if env["in_link"]:
            return label
        label = label or escape(src)
        if not is_safe_link(src):
            return label
        return f"<a{format_link_attributes(src, get_link_title(token))}>{label}</a>"

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        content = tokens[idx].content
        return escape(content) if env["in_link"] else linkify_text(content)


def _open_direction(token: Token, env: Any) -> str:
    """The attribute of a block whose direction is not that of the block around it."""
    first, last = token.map or (0, 0)
    outer = env["directions"][-1]
    direction = find_direction("\n".join(env["lines"][first:last]), outer)
    env["directions"].append(direction)
    return "" if direction == outer else f' dir="{direction}"'


def _update_outline(outline: list[int], depth: int) -> None:
    """`outline` has the depths of the headings that stand above, each deeper than the one
    before."""
    while outline and outline[-1] >= depth:
        outline.pop()
    outline.append(depth)
