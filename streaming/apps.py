from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from streaming.providers import catalog


class StreamingConfig(AppConfig):
    name = "streaming"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from streaming import checks  # noqa: F401 registers the system checks

        for row in settings.COMPATIBLE_PROVIDERS:
            try:
                catalog.register_provider(*catalog.parse_provider_config(row))
            except catalog.InvalidProviderConfig as problem:
                raise ImproperlyConfigured(f"COMPATIBLE_PROVIDERS: {problem}") from None
