"""A small process that outlives this one, to end its processes and remove its folders.

`atexit` does not run after a `kill -9`, and the kernel's parent-death signal fires when the
*thread* that forked ends. A pipe is reliable: it closes when this process has ended.
"""

import subprocess
import sys
from pathlib import Path

# The reaper runs in a bare interpreter and a session of its own, so that no signal for the tests
# reaches it. Each line of its input is a verb and its object; the end of the input is the signal.
SOURCE = """
import os, shutil, signal, sys
pids, folders = set(), set()
for line in sys.stdin:
    verb, _, name = line.rstrip("\\n").partition(" ")
    if verb == "keep":
        pids.add(int(name))
    elif verb == "forget":
        pids.discard(int(name))
    elif verb == "folder":
        folders.add(name)
for pid in pids:
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass
for folder in folders:
    shutil.rmtree(folder, ignore_errors=True)
"""


class Keeper:
    """Ends process groups and removes folders as soon as this process has ended, in any way."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", SOURCE],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def keep(self, pid: int) -> None:
        """From now on, end the process group `pid` with this process."""
        self._tell("keep", str(pid))

    def forget(self, pid: int) -> None:
        """The group has ended, and another program may get its number."""
        self._tell("forget", str(pid))

    def folder(self, path: Path) -> None:
        self._tell("folder", str(path))

    def _tell(self, verb: str, name: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{verb} {name}\n")
        self._process.stdin.flush()


_keeper: Keeper | None = None


def keeper() -> Keeper:
    """Return the reaper of this process, created at the first use."""
    global _keeper
    if _keeper is None:
        _keeper = Keeper()
    return _keeper
