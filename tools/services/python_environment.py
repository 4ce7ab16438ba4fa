"""Python environments beside the project's own, for programs whose libraries would not fit into it.

Each has a lock file with hashes and without download addresses. `make lock-servers` writes it.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTALL_SECONDS = 1_500
UNREACHABLE = re.compile(
    r"Max retries|Connection(Error| refused| reset)|Retrying \(|timed out|name resolution"
    r"|ProxyError|dns error|error sending request|client error \(Connect\)",
    re.IGNORECASE,
)


class Missing(Exception):
    """The environment is missing, and Python's package registry can't be reached."""


class PythonEnvironment:
    """The packages of a lock file, installed in a hidden folder of the checkout."""

    def __init__(self, name: str, lock: Path) -> None:
        self.name = name
        self.lock = lock
        self.folder = ROOT / f".{name}"

    def get_program_path(self, program: str) -> Path:
        """Return a program of an installed package."""
        return self.folder / "bin" / program

    def install(self) -> None:
        """Install the packages of the lock, unless they are there. Raises Missing, or
        CalledProcessError for another reason."""
        stamp = self.folder / "installed"
        digest = hashlib.sha256(self.lock.read_bytes()).hexdigest()
        if stamp.exists() and stamp.read_text() == digest:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(self.folder)], check=True)
        uv = Path(sys.executable).with_name("uv")
        python = self.get_program_path("python")
        self._fetch(str(uv), "pip", "install", "--python", str(python), lock=self.lock)
        stamp.write_text(digest)

    def download(self, lock: Path, folder: Path) -> None:
        """Fetch the sources of a lock's packages as archives. Raises as `install` does."""
        pip = [str(self.get_program_path("python")), "-m", "pip", "download"]
        # Only the archives are needed; pip would otherwise ask them for their dependencies.
        options = ["--no-build-isolation", "--no-binary", ":all:", "--dest", str(folder)]
        self._fetch(*pip, *options, lock=lock)

    def _fetch(self, *command: str, lock: Path) -> None:
        locked = ["--quiet", "--no-deps", "--require-hashes", "-r", str(lock)]
        try:
            subprocess.run(
                [*command, *locked],
                check=True,
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
            )
        except subprocess.CalledProcessError as error:
            if UNREACHABLE.search(error.stderr):
                raise Missing(
                    f"{self.name} is left out: its packages are not here, and Python's package"
                    " registry can't be reached."
                ) from None
            error.add_note(error.stderr[-2_000:])
            raise
