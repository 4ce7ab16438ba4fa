"""The translations of the strings in scripts. A page in English needs none and asks for none."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils import translation
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from django.views.i18n import JavaScriptCatalog

CATALOG_MAX_AGE_SECONDS = 3600
"""How long browsers keep a catalogue. Scripts may show old translations for as long."""

# Our strings are in LOCALE_PATHS. Naming a package leaves out the catalogues of other apps.
catalog = JavaScriptCatalog.as_view(packages=["chat"])


@require_safe
@cache_control(public=True, max_age=CATALOG_MAX_AGE_SECONDS)
def script_catalog(request: HttpRequest, language: str) -> HttpResponseBase:
    if not translation.check_for_language(language):
        raise Http404
    with translation.override(language):
        return catalog(request)
