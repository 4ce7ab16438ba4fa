"""A helper process of a run, which reads its orders from its input and answers on its output, a
line each."""

import json
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tools.services.reaper import get_reaper

ROOT = Path(__file__).resolve().parents[2]


class Child:
    """A running helper. It ends with its `with` block, and with this process."""

    def __init__(
        self, name: str, *command: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=None if environment is None else dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        get_reaper().add_group(self.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def write_line(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def read_line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()

    def send_order(self, **order: Any) -> None:
        """Send an order as JSON, without waiting."""
        self.write_line(json.dumps(order))

    def read_answer(self) -> Any:
        """Return the next line, decoded from JSON. Raises RuntimeError if the helper has ended
        instead."""
        if not (line := self.read_line()):
            raise RuntimeError(f"{self.name} ended with {self._process.wait(5)}")
        return json.loads(line)

    def run_order(self, **order: Any) -> Any:
        """Send an order as JSON, and return its answer."""
        self.send_order(**order)
        return self.read_answer()

    def wait(self, within: float) -> None:
        """Raises RuntimeError if the helper has failed."""
        if code := self._process.wait(within):
            raise RuntimeError(f"{self.name} ended with {code}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        get_reaper().remove_group(self.pid)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            with suppress(BrokenPipeError):  # the helper ended before it read the order
                pipe.close()
