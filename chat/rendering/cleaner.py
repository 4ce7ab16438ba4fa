"""The elements and attributes that rendered messages may contain. nh3 removes all others, so that a
mistake of the renderer does not open a hole."""

from __future__ import annotations

import nh3

ALLOWED_ATTRIBUTES = {
    "a": {"href", "title", "target", "rel"},
    "blockquote": {"dir"},
    "code": {"tabindex"},
    "div": {"class", "dir", "role", "tabindex"},
    "input": {"type", "disabled", "checked", "aria-label"},
    "li": {"class"},
    "ol": {"dir", "start"},
    "pre": {"class", "data-language"},
    "span": {"class"},
    "td": {"class"},
    "th": {"class"},
    "ul": {"dir"},
}
TAGS_WITHOUT_ATTRIBUTES = "br del em h2 h3 h4 h5 h6 hr p strong table tbody thead tr"
ALLOWED_TAGS = {*ALLOWED_ATTRIBUTES, *TAGS_WITHOUT_ATTRIBUTES.split()}
CLEANER = nh3.Cleaner(
    tags=ALLOWED_TAGS,
    attributes=ALLOWED_ATTRIBUTES,
    url_schemes={"http", "https", "mailto", "tel"},
    link_rel=None,
)
