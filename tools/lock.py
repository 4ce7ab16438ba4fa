"""Write the lock files from pyproject.toml: every platform, every hash, no download address.

Pins that still fit stay; `--upgrade` takes the newest releases that fit.
"""

import subprocess
import sys
from pathlib import Path

UV_COMPILE = [
    *(Path(sys.executable).with_name("uv").as_posix(), "pip", "compile"),
    *("--universal", "--python-version", "3.11", "--generate-hashes", "--quiet"),
    *("--no-emit-index-url", "--no-emit-find-links"),
]
"""How every lock file is compiled."""
COMPILE = [*UV_COMPILE, "pyproject.toml", "--custom-compile-command", "make lock"]
RUNTIME = ["--output-file", "requirements.lock"]
DEVELOPMENT = ["--group", "dev", "-c", "requirements.lock", "-o", "requirements-dev.lock"]


def main(options: list[str]) -> None:
    for lock in (RUNTIME, DEVELOPMENT):
        subprocess.run([*COMPILE, *lock, *options], check=True)
        refuse_addresses(Path(lock[-1]))


def refuse_addresses(lock: Path) -> None:
    """A lock that names an address works only with that address."""
    if "://" in lock.read_text():
        sys.exit(f"{lock} names a download address; it must hold names, versions and hashes only.")


if __name__ == "__main__":
    main(sys.argv[1:])
