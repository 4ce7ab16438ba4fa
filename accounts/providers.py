"""The providers as the administrator configured them: their addresses, and added rows."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from streaming.providers import catalog
from streaming.providers.catalog.compatible import InvalidProviderConfig, parse_provider_config


def get_base_url(provider: str) -> str:
    """Empty for the provider's own address."""
    row = catalog.PROVIDERS[provider]
    configured: str = getattr(settings, row.base_url_setting) if row.base_url_setting else ""
    return configured or row.base_url


def register_compatible_providers() -> None:
    """Raises ImproperlyConfigured for an invalid row."""
    for row in settings.COMPATIBLE_PROVIDERS:
        try:
            catalog.register_provider(*parse_provider_config(row))
        except InvalidProviderConfig as problem:
            raise ImproperlyConfigured(f"COMPATIBLE_PROVIDERS: {problem}") from None
