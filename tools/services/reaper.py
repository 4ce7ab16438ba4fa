"""A small process that outlives this one, to end its processes and remove its folders.

`atexit` does not run after a `kill -9`, and the kernel's parent-death signal fires when the
*thread* that forked ends. A pipe is reliable: it closes when this process has ended.
"""

import os
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
    if verb == "add":
        pids.add(int(name))
    elif verb == "remove":
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


class Reaper:
    """Ends process groups and removes folders as soon as this process has ended, in any way."""

    def __init__(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", SOURCE],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdin is not None
        # A bare descriptor closes when this process has ended, and not while Python clears modules.
        self._input = os.dup(process.stdin.fileno())
        process.stdin.close()
        process.returncode = 0  # the reaper outlives this process, so nothing waits for it

    def add_group(self, pid: int) -> None:
        """From now on, end the process group `pid` with this process."""
        self._send_line("add", str(pid))

    def remove_group(self, pid: int) -> None:
        """Forget a group that has ended: another program may get its number."""
        self._send_line("remove", str(pid))

    def add_folder(self, path: Path) -> None:
        self._send_line("folder", str(path))

    def _send_line(self, verb: str, name: str) -> None:
        os.write(self._input, f"{verb} {name}\n".encode())


_reaper: Reaper | None = None


def get_reaper() -> Reaper:
    """Return the reaper of this process, created at the first use."""
    global _reaper
    if _reaper is None:
        _reaper = Reaper()
    return _reaper
