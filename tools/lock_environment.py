"""Write the lock files of the Python environments that servers under test, stock clients and the
audit of packages have of their own: every platform, every hash, no download address."""

import subprocess
from pathlib import Path

from tools.lock import UV_COMPILE, refuse_addresses

FOLDERS = (Path("tests/servers"), Path("tests/clients"), Path(".github/audit"))
COMPILE = [*UV_COMPILE, "--custom-compile-command", "python -m tools.lock_environment"]


def main() -> None:
    for requirements in sorted(file for folder in FOLDERS for file in folder.glob("*.in")):
        lock = requirements.with_suffix(".lock")
        # A package that is only unpacked needs no others.
        more = ["--no-deps"] if requirements.stem.endswith("-source") else []
        subprocess.run([*COMPILE, str(requirements), *more, "-o", str(lock)], check=True)
        refuse_addresses(lock)


if __name__ == "__main__":
    main()
