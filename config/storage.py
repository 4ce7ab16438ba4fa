"""Static files under names that carry their content's hash, ES module imports included."""

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
        """The address of a file. A page names 26, mostly icons, and they do not change while a
        process runs. To look up each anew took a tenth of the page's time."""
        if force or settings.DEBUG:
            return str(super().url(name, force))
        if name not in self._url_cache:
            self._url_cache[name] = super().url(name)
        return self._url_cache[name]
