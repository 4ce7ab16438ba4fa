"""The size of the scripts that must arrive before the first message can be sent."""

import gzip
import re
from pathlib import Path

from tools.static_site import STATIC

MAX_BYTES_TO_SEND = 90_000  # bytes of JavaScript before a message can be sent, gzipped one by one
MAX_BYTES_TO_READ = 112_000  # and before a reply can be shown
STATIC_IMPORT = re.compile(r'^(?:import|export)\b[^;]*?["\'](\.[^"\']+)["\'];', re.MULTILINE)
ENTRY_FILES = tuple(
    STATIC / name for name in ("vendor/htmx/htmx.min.js", "js/forms.js", "js/main.js")
)


def find_imports(file: Path, known: set[Path]) -> set[Path]:
    """Add the file and its static imports, which are loaded before it runs."""
    if file not in known:
        known.add(file)
        for name in STATIC_IMPORT.findall(file.read_text()):
            find_imports((file.parent / name).resolve(), known)
    return known


def measure_scripts(*entries: Path) -> int:
    files: set[Path] = set()
    for start in entries:
        find_imports(start, files)
    assert STATIC / "js/elements.js" in files, "imports are followed"
    return sum(len(gzip.compress(file.read_bytes(), 9)) for file in files)


def test_javascript_before_the_first_message_is_small() -> None:
    size = measure_scripts(*ENTRY_FILES)
    print(f"\nJavaScript before the first message: {size / 1000:.1f} KB gzipped")
    assert size <= MAX_BYTES_TO_SEND


def test_javascript_before_the_first_reply_is_small() -> None:
    size = measure_scripts(*ENTRY_FILES, STATIC / "js/live/live-reply.js")
    print(f"\nJavaScript before the first reply: {size / 1000:.1f} KB gzipped")
    assert size <= MAX_BYTES_TO_READ


def test_the_page_loads_no_other_script() -> None:
    """Pages of passkeys, codes, tokens and webhooks have scripts of their own. No chat is on
    them."""
    pages = STATIC.parent / "templates"
    script_names = set()
    without_chat = [*(pages / "mfa").rglob("*"), *(pages / "admin").rglob("*")]
    without_chat += [
        pages / "settings" / name for name in ("tokens.html", "webhook.html", "webhooks.html")
    ]
    chats = {*pages.rglob("*.html")} - {*without_chat}
    for page in chats:
        script_names |= set(re.findall(r"<script[^>]*src=\"{% static '([^']+)'", page.read_text()))
    assert script_names == {str(file.relative_to(STATIC)) for file in ENTRY_FILES}
