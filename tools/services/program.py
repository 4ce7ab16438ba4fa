"""One child process: started with its own log, watched until it is ready, ended by its pid."""

import os
import pwd
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tools.services.reaper import get_reaper

READY_SECONDS = 30.0  # a cold disk and two busy cores are slow
STOP_SECONDS = 15.0


class Failed(Exception):
    """A program did not start, or ended by itself; the message contains the end of its log."""


class Program:
    """A process in a group of its own, so that a signal for the tests does not reach it.

    `ready` is called until it returns true. The log continues over restarts.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        ready: Callable[[], bool] = lambda: True,
        environment: Mapping[str, str] | None = None,
        user: int | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self.ready = ready
        self.environment = environment
        self.user = user
        self.cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        if self._process is None:
            raise Failed(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        return self._process.poll() if self._process else None

    def start(self, *, wait: bool = True) -> None:
        """Start it and, unless `wait` is off, return only once it is ready."""
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=None if self.environment is None else dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **as_user(self.user),
            )
        get_reaper().add_group(self._process.pid)
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self, within: float = READY_SECONDS) -> None:
        deadline = time.monotonic() + within
        while True:
            if not self.running:
                raise Failed(f"{self.name} ended with {self.returncode}:\n{self.tail()}")
            if self.ready():
                return
            if time.monotonic() > deadline:
                raise Failed(f"{self.name} was not ready within {within:g} s:\n{self.tail()}")
            time.sleep(0.02)

    def stop(self, by: signal.Signals = signal.SIGTERM, within: float = STOP_SECONDS) -> int:
        """Send SIGTERM and wait. A process that does not end in time is killed and reported."""
        if self._process is None or self._process.poll() is not None:
            self._remove_group()
            return self.returncode or 0
        self.resume()
        self._process.send_signal(by)
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"{self.name} did not go within {within:g} s:\n{self.tail()}") from None
        finally:
            self._remove_group()

    def kill(self) -> None:
        """Send SIGKILL to its whole group: it can't clean up or flush."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._remove_group()

    def pause(self) -> None:
        """Send SIGSTOP to it and its children: connections stay open and nothing answers."""
        self._signal_family(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_family(signal.SIGCONT)

    def restart(self) -> None:
        """Stop it and start it again, with the same command, address and log."""
        self.stop()
        self.start()

    def output(self) -> str:
        """Return its output since its first start."""
        return self._read_log(0)

    def output_of_this_run(self) -> str:
        """Return its output since its last start."""
        return self._read_log(self._log_start)

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.output().splitlines()[-lines:])

    def _read_log(self, start: int) -> str:
        if not self.log.exists():
            return ""
        return self.log.read_bytes()[start:].decode(errors="replace")

    def _signal_family(self, which: signal.Signals) -> None:
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.pid)
            for process in [parent, *parent.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(which)

    def _remove_group(self) -> None:
        if self._process is not None:
            get_reaper().remove_group(self._process.pid)


def free_port() -> int:
    """Return a loopback port that was free a moment ago. The caller binds it at once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def scratch_folder(name: str, *, owner: int | None = None) -> Path:
    """Create a folder that is removed when this process ends; `owner` is the user id it belongs
    to."""
    # A user without rights can't enter a temporary folder inside another user's home.
    parent = "/tmp" if owner is not None else None  # mkdtemp is private # nosec B108
    folder = Path(tempfile.mkdtemp(prefix=f"holdfast-{name}-", dir=parent))
    if owner is not None:
        os.chown(folder, owner, -1)
    get_reaper().add_folder(folder)
    return folder


def as_user(user: int | None) -> dict[str, Any]:
    """Return the arguments of `subprocess` that switch to the rights of `user`."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwuid(user).pw_gid, "extra_groups": []}
