"""Reads the rows of configuration that describe servers with OpenAI's Chat Completions."""

from __future__ import annotations

import re
from typing import Any

from streaming.providers.catalog import PROVIDERS, Model, Provider, model_from_id

PROVIDER_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")


class InvalidProviderConfig(ValueError):
    """A row of configuration describes no provider. The message gives the reason."""


def parse_provider_config(row: Any) -> tuple[Provider, tuple[Model, ...]]:
    """The provider that a row of configuration describes, and the models it names.

    Only the names of such models are known. They take every parameter of a chat completion; one
    that a server refuses is left out from then on. Raises `InvalidProviderConfig`.
    """
    if not isinstance(row, dict) or not PROVIDER_ID.fullmatch(str(row.get("id", ""))):
        raise InvalidProviderConfig(
            f"{row!r} needs an “id” of lower-case letters, digits, - and _."
        )
    if row["id"] in PROVIDERS:
        raise InvalidProviderConfig(f"There is already a provider {row['id']!r}.")
    if not re.match("https?://", str(row.get("url", ""))):
        raise InvalidProviderConfig(
            f"{row['id']!r} needs a “url” that begins with http:// or https://."
        )
    provider = Provider(
        row["id"], str(row.get("name") or row["id"]), bool(row.get("needs_key")), row["url"]
    )
    names = row.get("models", [])
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise InvalidProviderConfig(f"“models” of {row['id']!r} must be a list of names.")
    return provider, tuple(model_from_id(name, provider) for name in names)
