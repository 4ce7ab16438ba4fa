"""The providers as the administrator configured them: their addresses, and added rows."""

from __future__ import annotations

import hashlib
import logging
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from streaming.providers import catalog
from streaming.providers.catalog.compatible import (
    InvalidProviderConfig,
    find_similar_rows,
    parse_provider_config,
)
from streaming.providers.redaction import Secret

logger = logging.getLogger(__name__)

ADDRESS_HASH_CHARS = 16


def get_base_url(provider: str) -> str:
    """Empty for the provider's own address."""
    row = catalog.PROVIDERS[provider]
    configured: str = getattr(settings, row.base_url_setting) if row.base_url_setting else ""
    return configured or row.base_url


def is_imitated(provider: str) -> bool:
    """Whether the server that is called is not the provider's own, but imitates one."""
    address = get_base_url(provider)
    return bool(address) and urlsplit(address).hostname != catalog.PROVIDERS[provider].official_host


def describe_address(address: str) -> str:
    """The host and a hash of the rest, without a name, a password and a query, which may be secret.
    Equal for two addresses of one server that differ in nothing else."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return hash_text(address)
    place = f"{host}:{port}" if port else host
    return f"{place} {hash_text(f'{parts.scheme}://{place}{parts.path}')}"


def hash_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:ADDRESS_HASH_CHARS]


def hide_header_values(rows: Any) -> Any:
    """The rows, with each header in a `Secret`, for settings that an error page may show."""
    if isinstance(rows, list):
        return [hide_header_values(row) for row in rows]
    if not isinstance(rows, dict) or not isinstance(rows.get("headers"), dict):
        return rows
    hidden = {
        name: Secret(text) if isinstance(text, str) else text
        for name, text in rows["headers"].items()
    }
    return {**rows, "headers": hidden}


def register_compatible_providers() -> None:
    """Raises ImproperlyConfigured for an invalid row, and logs rows that are too similar."""
    for number, row in enumerate(settings.COMPATIBLE_PROVIDERS, start=1):
        try:
            catalog.register_provider(*parse_provider_config(row, number))
        except InvalidProviderConfig as problem:
            raise ImproperlyConfigured(f"COMPATIBLE_PROVIDERS: {problem}") from None
    for sentence in find_similar_rows(settings.COMPATIBLE_PROVIDERS):
        logger.warning("COMPATIBLE_PROVIDERS: %s", sentence)
