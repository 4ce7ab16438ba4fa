"""Returns the adapter of a provider, which is imported on first use."""

from __future__ import annotations

import importlib

from streaming.providers import catalog
from streaming.providers.adapter import ModelLister
from streaming.providers.catalog import CHAT_COMPLETIONS
from streaming.providers.types import Timeouts


def get_adapter(
    provider: str, *, base_url: str = "", timeouts: Timeouts | None = None, name: str = ""
) -> ModelLister:
    """Any provider outside the catalog that has a base URL counts as a server with OpenAI's Chat
    Completions; messages call it `name`.

    Loads the provider's SDK, which takes a second the first time: call it in a thread. Raises
    LookupError.
    """
    if row := catalog.PROVIDERS.get(provider):
        path = row.adapter
    elif base_url:
        path = CHAT_COMPLETIONS
    else:
        raise LookupError(f"No adapter for the provider {provider!r}.")
    module, _, attribute = path.partition(":")
    create = getattr(importlib.import_module(module), attribute)
    options = {"options": row.options} if row and row.options else {}
    adapter: ModelLister = create(base_url=base_url, timeouts=timeouts, name=name, **options)
    return adapter
