"""How much has to arrive before the first message can be sent."""

import gzip
import re
from pathlib import Path

from tools.static_site import STATIC

LARGEST = 90_000  # bytes of JavaScript, gzipped one by one
STATIC_IMPORT = re.compile(r'^(?:import|export)\b[^;]*?["\'](\.[^"\']+)["\'];', re.MULTILINE)
AT_ONCE = tuple(STATIC / name for name in ("vendor/htmx/htmx.min.js", "js/forms.js", "js/main.js"))


def needed(file: Path, known: set[Path]) -> set[Path]:
    """The file and all that it imports before it runs, which import() doesn't."""
    if file not in known:
        known.add(file)
        for name in STATIC_IMPORT.findall(file.read_text()):
            needed((file.parent / name).resolve(), known)
    return known


def test_javascript_before_the_first_message_is_light() -> None:
    files: set[Path] = set()
    for start in AT_ONCE:
        needed(start, files)
    assert STATIC / "vendor/marked/marked.esm.js" in files, "imports are followed"
    sizes = {file.name: len(gzip.compress(file.read_bytes(), 9)) for file in files}
    print(f"\nJavaScript before the first message: {sum(sizes.values()) / 1000:.1f} KB gzipped")
    assert sum(sizes.values()) <= LARGEST, sizes


def test_the_page_asks_for_no_other_script() -> None:
    pages = STATIC.parent / "templates"
    asked = set()
    for page in pages.rglob("*.html"):
        asked |= set(re.findall(r"<script[^>]*src=\"{% static '([^']+)'", page.read_text()))
    assert asked == {str(file.relative_to(STATIC)) for file in AT_ONCE}
