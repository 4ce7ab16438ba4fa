"""The links with which a browser fetches all scripts of a page at once."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.template import Context, Template

from config.module_preloads import find_imported_modules
from tools.deployment.deployment import build_static_files

STATIC = Path(settings.BASE_DIR) / "static"
PAGE = ("js/forms.js", "js/main.js")
ANY_IMPORT = re.compile(r'^(?:import|export)\b[^;]*?["\'](\.[^"\']+)["\'];', re.MULTILINE)


def reached(file: Path, known: set[Path]) -> set[Path]:
    """The file and all that it imports before it runs."""
    if file not in known:
        known.add(file)
        for name in ANY_IMPORT.findall(file.read_text()):
            reached((file.parent / name).resolve(), known)
    return known


def test_every_script_that_a_page_needs_is_preloaded_once() -> None:
    needed: set[Path] = set()
    for entry in PAGE:
        reached(STATIC / entry, needed)
    found = find_imported_modules(PAGE)
    assert len(found) == len(set(found))
    assert {STATIC / name for name in found} == needed - {STATIC / entry for entry in PAGE}
    assert "js/enhance/highlight.js" not in found, "it is imported when code is visible"


def test_the_links_have_the_names_that_the_scripts_import() -> None:
    """Under another name a browser would fetch a script twice."""
    build_static_files()
    template = "{% load module_preloads %}{% module_preloads 'js/forms.js' 'js/main.js' %}"
    shown = Template(template).render(Context())
    links = re.findall(r'<link rel="modulepreload" href="([^"]+)">', shown)
    assert len(links) == len(find_imported_modules(PAGE))
    for url in links:
        assert re.search(r"\.[0-9a-f]{12}\.js$", url), url
        name = url.removeprefix(f"/{settings.STATIC_URL.strip('/')}/")
        assert staticfiles_storage.exists(name)
    collected = Path(settings.STATIC_ROOT)
    main = collected / staticfiles_storage.stored_name("js/main.js")  # type: ignore[attr-defined]
    imported = {
        (main.parent / name).resolve().relative_to(collected.resolve())
        for name in ANY_IMPORT.findall(main.read_text())
    }
    assert {f"/static/{name}" for name in imported} <= set(links)


def test_a_missing_script_is_an_error() -> None:
    with pytest.raises(FileNotFoundError, match="js/missing"):
        find_imported_modules(("js/missing.js",))
