"""Write the lock files of the Python environments that servers under test have of their own: every
platform, every hash, no download address."""

import subprocess
from pathlib import Path

from tools.lock import UV_COMPILE, refuse_addresses

FOLDER = Path("tests/servers")
COMPILE = [*UV_COMPILE, "--custom-compile-command", "python -m tools.lock_environment"]


def main() -> None:
    for requirements in sorted(FOLDER.glob("*.in")):
        lock = requirements.with_suffix(".lock")
        # A package that is only unpacked needs no others.
        more = ["--no-deps"] if requirements.stem.endswith("-source") else []
        subprocess.run([*COMPILE, str(requirements), *more, "-o", str(lock)], check=True)
        refuse_addresses(lock)


if __name__ == "__main__":
    main()
