"""The elements and attributes that rendered messages may contain. nh3 removes all others, so that a
mistake of the renderer does not open a hole."""

from __future__ import annotations

import nh3

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
