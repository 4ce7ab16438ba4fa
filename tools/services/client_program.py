"""A program around a stock client of a door, which gets a task and reports what its client gets, a
line of JSON each."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

from tools.services import node

WAIT_SECONDS = 90.0


class ClientProgram:
    """A running program. `reports` has its reports so far, and `kind` names it in failures."""

    def __init__(self, kind: str, command: Sequence[str], task: Mapping[str, Any]) -> None:
        self.kind = kind
        self.reports: list[dict[str, Any]] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=node.environment(),
        )
        assert self._process.stdin is not None
        with self._process.stdin as task_input:
            task_input.write(json.dumps(task))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._reader.join()
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def text(self) -> str:
        """The text that the client has now."""
        return next((one["text"] for one in reversed(self.reports) if "text" in one), "")

    def wait_for_text(self, chars: int = 1) -> str:
        while len(self.text) < chars:
            assert self._wait_for_line(), (self.kind, self.reports[-3:], self._read_errors())
        return self.text

    def wait_for_end(self) -> dict[str, Any]:
        """Return the last report: `end` or `error`, and the whole `text`."""
        while self._wait_for_line():
            pass
        assert self.reports, self._read_errors()
        assert self.reports[-1].keys() & {"end", "error"}, (self.reports[-1], self._read_errors())
        return self.reports[-1]

    def get(self, name: str) -> str:
        """Return a fact from its reports, such as the id of its run."""
        while not any(name in one for one in self.reports):
            assert self._wait_for_line(), (self.kind, self.reports[-3:], self._read_errors())
        return next(str(one[name]) for one in self.reports if name in one)

    def _wait_for_line(self) -> bool:
        try:
            line = self._lines.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            raise AssertionError(f"{self.kind} reports nothing more: {self.reports[-3:]}") from None
        if line is None:
            self._lines.put(None)
            return False
        self.reports.append(json.loads(line) | {"at": time.monotonic()})
        return True

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self) -> str:
        self.kill()
        assert self._process.stderr is not None
        return self._process.stderr.read()[-3_000:]
