"""Find a Chromium that starts: the one named in CHROMIUM, the one that `make browser` unpacked, one
on the path, or Playwright's own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

UNPACKED_FOLDER = Path(sys.prefix) / "chromium"
SHELL = UNPACKED_FOLDER / "usr/lib/chromium/chromium-headless-shell"
NAMES = (
    "chromium-headless-shell",
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
)

# Nothing here may connect beyond loopback; a container has no GPU and, as root, no sandbox.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

MISSING = "No Chromium was found. `make browser` installs one, or says how to get one."


def find() -> Path | None:
    """Return the first candidate that prints its version, or None."""
    return next((path for path in _list_candidates() if _starts(path)), None)


def _list_candidates() -> Iterator[Path]:
    named = os.environ.get("CHROMIUM")
    for name in (named, str(SHELL), *NAMES):
        if name and (path := shutil.which(name)):
            yield Path(path)
    yield from _playwrights()


def _playwrights() -> Iterator[Path]:
    """Yield the path of Playwright's build, which need not be there."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return
    with sync_playwright() as playwright:
        yield Path(playwright.chromium.executable_path)


def _starts(path: Path) -> bool:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
