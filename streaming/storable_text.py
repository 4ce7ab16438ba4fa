"""Text from elsewhere, made fit for a column."""

from __future__ import annotations


def replace_unstorable(text: str) -> str:
    """The text with U+FFFD in place of NUL and of halves of surrogate pairs, which PostgreSQL can't
    store. Two halves that belong together become their character."""
    units = text.encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
