"""Links that let a browser fetch all scripts of a page at once. Otherwise it finds the imports of a
script only after it has fetched that script, level by level."""

from __future__ import annotations

import functools
import posixpath
import re
from pathlib import Path

from django import template
from django.conf import settings
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

STATIC_IMPORT = re.compile(r"""^(?:import|export)\b[^;"'()]*["'](\.[^"']+)["']""", re.MULTILINE)

register = template.Library()


@register.simple_tag
def module_preloads(*entries: str) -> SafeString:
    """Link everything that these scripts import, except dynamic imports."""
    if settings.DEBUG:
        return _render_links(entries)
    return _cached_links(entries, static(entries[0]))


def _render_links(entries: tuple[str, ...]) -> SafeString:
    urls = ((static(name),) for name in find_imported_modules(entries))
    return format_html_join("\n  ", '<link rel="modulepreload" href="{}">', urls)


@functools.cache
def _cached_links(entries: tuple[str, ...], _url: str) -> SafeString:
    """The scripts do not change while a process runs. `_url` is the address of one of them, which
    differs with the storage: tests have more than one."""
    return _render_links(entries)


def find_imported_modules(entries: tuple[str, ...]) -> list[str]:
    """The static files that these scripts need before they run, without the scripts themselves."""
    names = list(entries)
    for name in names:  # the loop appends to it
        names += [found for found in _read_imports(name) if found not in names]
    return names[len(entries) :]


def _read_imports(name: str) -> list[str]:
    path = finders.find(name)
    if path is None:
        raise FileNotFoundError(f"There is no static file {name}.")
    found = STATIC_IMPORT.findall(Path(path).read_text(encoding="utf-8"))
    folder = posixpath.dirname(name)
    return list(dict.fromkeys(posixpath.normpath(posixpath.join(folder, url)) for url in found))
