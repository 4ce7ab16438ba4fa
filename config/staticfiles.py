"""Static files under names that carry their content's hash, ES module imports included."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage  # type: ignore[import-untyped]


class HashedModules(CompressedManifestStaticFilesStorage):
    support_js_module_import_aggregation = True
