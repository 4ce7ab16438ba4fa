"""Static files with a hash of their content in the name, also in imports of ES modules."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from whitenoise.storage import CompressedManifestStaticFilesStorage  # type: ignore[import-untyped]


class ModuleManifestStorage(CompressedManifestStaticFilesStorage):
    support_js_module_import_aggregation = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._url_cache: dict[str, str] = {}

    def url(self, name: str, force: bool = False) -> str:
        """Return the address of a file. A page has 26 of them, mostly icons, and they do not change
        while a process runs. Computing each again took a tenth of the page's time."""
        if force or settings.DEBUG:
            return str(super().url(name, force))
        if name not in self._url_cache:
            self._url_cache[name] = super().url(name)
        return self._url_cache[name]
