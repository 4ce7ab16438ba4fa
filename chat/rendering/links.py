"""Links in messages: which are allowed, and where a bare URL in a text ends."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

from django.utils.html import escape
from markdown_it.token import Token

from chat.rendering.cleaner import CLEANER

SAFE_URL = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
LETTERS = (
    r"\u00c0-\u167f\u1681-\u1fff\u200c\u200d\u2070-\u218f\u2600-\u2dff\u2e80-\u2fff\u3005-\u3007"
    r"\u3021-\u302f\u3031-\ud7ff\uf900-\ufdcf\ufdf0-\ufe0f\ufe20-\ufe2f\ufe70-\ufefe"
    r"\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff66-\uffdc\U00010000-\U000e01ef"
)
"""Characters of words in any writing, and emoji. Blanks and the punctuation of Chinese, Japanese
and typesetters are none."""
_HOST_CHARACTERS = rf"A-Za-z0-9_!$%&'()*+,\-.:;=@~{LETTERS}"
BARE_URL = re.compile(
    rf"(?<![A-Za-z0-9_])https?://(?:(?!https?://)[{_HOST_CHARACTERS}])*"
    rf"(?:[/?#][/?#{_HOST_CHARACTERS}]*)?",
    re.IGNORECASE,
)
"""A host ends before another address, which may follow without a blank in Chinese."""
HOST = re.compile(r"[^:]+://[^/?#]*")
ASCII_LABEL = re.compile(r"[!-~]+(?=[^!-~])")


def encode_url(url: str) -> str:
    """Percent-encode like the browser's encodeURI, but leave encoded characters as they are."""
    return quote(url, safe="%;,/?:@&=+$-_.!~*'()#")


def is_safe_link(url: str) -> bool:
    """Whether the scheme is allowed and the URL is valid. nh3 removes the href of an invalid one
    such as `http://localhost:PORT`, which browsers can't open either."""
    link = f'<a href="{escape(url)}">'
    return bool(SAFE_URL.match(url)) and "href" in CLEANER.clean(link)


def trim_url(url: str) -> str:
    """Remove what belongs to the sentence around a bare URL. In one pass: a URL may be as long as
    the message. Empty if it is none."""
    url = _trim_host(url)
    end = len(url)
    unopened = url.count(")") - url.count("(")
    while end and (_ends_sentence(url[end - 1]) or (url[end - 1] == ")" and unopened > 0)):
        unopened -= url[end - 1] == ")"
        end -= 1
    return url[:end]


def _trim_host(url: str) -> str:
    """The last label of a host is ASCII, or nothing of it is: “https://example.com查看” ends with a
    verb, and “https://开头” is no address."""
    host = HOST.match(url)
    if not host or host[0].isascii():
        return url
    start = max(host[0].rfind("."), host[0].rfind("/")) + 1
    if label := ASCII_LABEL.match(host[0], start):
        return url[: label.end()]
    return url if "." in host[0] else ""


def _ends_sentence(character: str) -> bool:
    if character.isascii():
        return character in "?!.,:;*_~'"
    return unicodedata.category(character)[0] == "P"


def format_link_attributes(href: str, title: str | None) -> str:
    title_attribute = f' title="{escape(title)}"' if title else ""
    rel = 'target="_blank" rel="noopener noreferrer nofollow"'
    return f' href="{escape(href)}"{title_attribute} {rel}'


def get_link_title(token: Token) -> str | None:
    title = token.attrGet("title")
    return str(title) if title else None


def linkify_text(text: str) -> str:
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
