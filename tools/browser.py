"""Make sure that the browser tests find a Chromium: use an existing one, install one, or say how.

The headless shell is best. Other builds also draw a window with tabs and an address bar, so opening
a page costs them four times as much.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.services import chromium

MISSING = """\
The browser tests need Chromium, and none was found or could be installed. Any of these helps:
  - install your distribution's package (Debian, as root: apt-get install chromium),
  - .venv/bin/python -m playwright install --with-deps chromium,
  - set CHROMIUM to the path of a Chromium or Chrome that is there already.
"""


def main() -> None:
    if not chromium.UNPACKED_FOLDER.exists():
        unpack()
    if not (chromium.find() or from_playwright() or from_debian()):
        sys.exit(MISSING)


def unpack() -> None:
    """Try once to get Debian's headless Chromium. Nothing is installed: the package that apt has
    verified is unpacked for these tests alone."""
    chromium.UNPACKED_FOLDER.mkdir(parents=True)
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return
    print("Looking for a Chromium without a window: asking apt", flush=True)
    with TemporaryDirectory() as folder:
        wanted = ["chromium-headless-shell", "chromium-common"]
        attempt(["apt-get", "download", "-q", *wanted], folder, within=90)
        for package in Path(folder).glob("*.deb"):
            attempt(["dpkg-deb", "-x", str(package), str(chromium.UNPACKED_FOLDER)])


def from_playwright() -> bool:
    """Fetch Playwright's own build. It may still lack system libraries, so the caller tries it."""
    print("Looking for a Chromium: asking Playwright for its own", flush=True)
    attempt([sys.executable, "-m", "playwright", "install", "chromium"])
    return chromium.find() is not None


def from_debian() -> bool:
    """Install the distribution's package, if this user may and the package manager is apt."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    print("Looking for a Chromium: installing the distribution's package", flush=True)
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    attempt(["apt-get", "update", "-q"])
    attempt(["apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium"])
    return chromium.find() is not None


def attempt(command: list[str], folder: str = ".", *, within: float = 600) -> None:
    """Run it within so many seconds. A failure prints the last lines of its output and does not
    raise."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=within, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"  {error}")
        return
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        print(f"  {' '.join(command)} failed:", *lines[-5:], sep="\n    ")


if __name__ == "__main__":
    main()
