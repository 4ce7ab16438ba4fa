"""Text of stored replies as it may be used further: without the reasoning of the model."""

from __future__ import annotations

from accounts.providers import get_base_url
from streaming.providers import catalog
from streaming.providers.http.reasoning_tags import FIRST_CHARS
from streaming.providers.http.tagged_reasoning import remove_tagged_reasoning


def remove_stored_reasoning(content: str, provider: str, *, is_separated: bool) -> str:
    """The content of a reply for a later turn or a title.

    Replies that were stored by an earlier version may begin with tags and reasoning. A reply whose
    reasoning is stored apart (`is_separated`) has none in its content.
    """
    has_tag = any(first in content for first in FIRST_CHARS)
    if is_separated or not has_tag or not may_tag_reasoning(provider):
        return content
    return remove_tagged_reasoning(content)


def may_tag_reasoning(provider: str) -> bool:
    """Whether a provider's replies come from a server that imitates another one. True for a
    provider that was removed from the configuration."""
    row = catalog.PROVIDERS.get(provider)
    if row is None or row.adapter == catalog.CHAT_COMPLETIONS:
        return True
    return provider == "openai" and bool(get_base_url(provider))
