"""The tests' end of the fake: start it, script it, read its records."""

import asyncio
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tools.fake_provider.behaviour import Behaviour, Record, State
from tools.fake_provider.server import FakeServer

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 30.0
POLL_SECONDS = 0.01


class Fake:
    """A running fake. Its methods block for a few milliseconds and may be called from any thread.

    In an async test wait with `await asyncio.to_thread(fake.wait, …)`, so that the event loop
    continues.
    """

    def __init__(self, url: str, close: Callable[[], None] = lambda: None) -> None:
        self.url = url
        self._close = close
        # Loopback, without the proxy of the environment.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @property
    def openai(self) -> str:
        """Return the base URL for OpenAI's SDK, and for `OPENAI_BASE_URL`."""
        return f"{self.url}/v1"

    @property
    def anthropic(self) -> str:
        """Return the base URL for Anthropic's SDK, and for `ANTHROPIC_BASE_URL`."""
        return self.url

    @property
    def google(self) -> str:
        """Return the base URL, with a version, for Google's SDK and `GOOGLE_GEMINI_BASE_URL`."""
        return f"{self.url}/v1beta"

    @classmethod
    def start(cls) -> Self:
        """Run one in a thread of this process, with its own event loop."""
        ready: list[int] = []
        started, stop = threading.Event(), asyncio.Event()
        loop = asyncio.new_event_loop()

        async def serve() -> None:
            async with FakeServer().listen() as port:
                ready.append(port)
                started.set()
                await stop.wait()

        def run() -> None:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(serve())

        thread = threading.Thread(target=run, name="fake provider", daemon=True)
        thread.start()
        if not started.wait(TIMEOUT_SECONDS):
            raise TimeoutError("The fake did not start.")

        def close() -> None:
            loop.call_soon_threadsafe(stop.set)
            thread.join(TIMEOUT_SECONDS)

        return cls(f"http://127.0.0.1:{ready[0]}", close)

    @classmethod
    def spawn(cls, port: int = 0) -> Self:
        """Run one as a process, which ends with this object or with this process."""
        with ExitStack() as undo:
            process = subprocess.Popen(
                [sys.executable, "-m", "tools.fake_provider", "--port", str(port), "--with-stdin"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            undo.callback(_terminate, process)
            assert process.stdout
            url = json.loads(process.stdout.readline())["url"]
            undo.pop_all()
        return cls(url, lambda: _terminate(process))

    def script(self, *behaviours: Behaviour) -> None:
        """Queue behaviours; the first that fits a request answers it."""
        self._post("script", {"behaviours": [behaviour.to_json() for behaviour in behaviours]})

    def requests(self) -> list[Record]:
        """Return every request for a reply since the start or the last reset, in order."""
        return [Record(**record) for record in self._call("GET", "requests")["requests"]]

    def lists(self) -> list[Record]:
        """Return every request for a list of models, in order."""
        return [Record(**record) for record in self._call("GET", "lists")["requests"]]

    def release(self, id: int | None = None) -> list[int]:
        """Let one held request continue, or all of them. Return the ids of those that did."""
        released: list[int] = self._post("release", {"id": id})["released"]
        return released

    def reset(self) -> None:
        """Delete scripts and records; running replies continue."""
        self._post("reset", {})

    def wait(
        self, condition: Callable[[list[Record]], bool], timeout: float = 10.0
    ) -> list[Record]:
        """Wait until the requests fulfil a condition, and return them. Raises TimeoutError with
        them."""
        deadline = time.monotonic() + timeout
        while not condition(records := self.requests()):
            if time.monotonic() > deadline:
                states = [(r.id, r.prompt[:40], r.state, r.sent) for r in records]
                raise TimeoutError(
                    f"The fake did not get these requests within {timeout} s, but {states}"
                )
            time.sleep(POLL_SECONDS)
        return records

    def wait_for(self, state: State, count: int = 1, timeout: float = 10.0) -> list[Record]:
        """Wait until `count` of the requests are in this state, and return them."""
        return self.wait(lambda records: [r.state for r in records].count(state) >= count, timeout)

    def close(self) -> None:
        """Stop it and drop its connections."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _post(self, command: str, data: dict[str, Any]) -> dict[str, Any]:
        return self._call("POST", command, json.dumps(data).encode())

    def _call(self, method: str, command: str, data: bytes | None = None) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.url}/_fake/{command}", data, method=method)
        with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
            answer: dict[str, Any] = json.load(response)
        return answer


def _terminate(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    process.wait(TIMEOUT_SECONDS)
    for pipe in (process.stdin, process.stdout):
        assert pipe
        pipe.close()
