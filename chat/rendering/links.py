"""Links in messages: which are allowed, and where a bare URL in a text ends."""

from __future__ import annotations

import re
from urllib.parse import quote

from django.utils.html import escape
from markdown_it.token import Token

from chat.rendering.cleaner import CLEANER

SAFE_URL = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
BARE_URL = re.compile(
    r"(?<![A-Za-z0-9_])https?://[A-Za-z0-9_!#$%&'()*+,\-./:;=?@~\u00c0-\u1fff]+", re.IGNORECASE
)


def encode_url(url: str) -> str:
    """Percent-encode like the browser's encodeURI, but leave encoded characters as they are."""
    return quote(url, safe="%;,/?:@&=+$-_.!~*'()#")


def is_safe_link(url: str) -> bool:
    """Whether the scheme is allowed and the URL is valid. nh3 removes the href of an invalid one
    such as `http://localhost:PORT`, which browsers can't open either."""
    link = f'<a href="{escape(url)}">'
    return bool(SAFE_URL.match(url)) and "href" in CLEANER.clean(link)


def trim_url(url: str) -> str:
    """Remove the punctuation of the sentence around a bare URL. In one pass: a URL may be as long
    as the message."""
    end = len(url)
    unopened = url.count(")") - url.count("(")
    while url[end - 1] in "?!.,:;*_~'" or (url[end - 1] == ")" and unopened > 0):
        unopened -= url[end - 1] == ")"
        end -= 1
    return url[:end]


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
