"""npm's @durable-streams/server, the reference server: an append is a POST, and a reader follows
over SSE.

Only the server's CPU counts, not that of the process that generates the tokens and posts them.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Self
from urllib.parse import urlsplit
from uuid import uuid4

from benchmarks.client.wires import Spec
from benchmarks.goals import FILE, MEMORY
from benchmarks.subjects import peers
from benchmarks.subjects.subject import Plan
from tools.services.program import scratch_folder
from tools.waiting import until


class Durable:
    """In files, each append with its own fsync, or in memory."""

    def __init__(self, *, file: bool) -> None:
        self.name = FILE if file else MEMORY
        self._file = file
        self._exit_stack = ExitStack()

    def __enter__(self) -> Self:
        arguments = []
        if self._file:
            folder = scratch_folder("durable")
            self._exit_stack.callback(shutil.rmtree, folder, ignore_errors=True)
            arguments = [str(folder)]
        self._server = self._exit_stack.enter_context(
            peers.start_program("durable-server", *arguments)
        )
        self._url = self._server.read_answer()["url"]
        self._producer = self._exit_stack.enter_context(
            peers.start_program("durable-producer", self._url)
        )
        self._producer.read_answer()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit_stack.close()

    @property
    def processes(self) -> dict[str, int]:
        return {"web": self._server.pid}

    def start_streams(self, plan: Plan) -> Sequence[Spec]:
        streams = [
            {"path": f"/{uuid4().hex}", "start": start, "rate": plan.rate, "count": plan.count}
            for start in plan.list_start_times()
        ]
        self._producer.run_order(do="streams", streams=streams)
        return [self._build_spec(stream["path"]) for stream in streams]

    def wait_until_idle(self) -> None:
        self._producer.run_order(do="stop")
        until(lambda: not self._producer.run_order(do="count")["running"], within=60)

    def create_replayable(self, tokens: int, streams: int) -> Sequence[Spec]:
        paths = [f"/{uuid4().hex}" for _ in range(streams)]
        for path in paths:
            self._producer.run_order(do="burst", path=path, count=tokens)
        return [self._build_spec(path) for path in paths]

    def _build_spec(self, path: object) -> Spec:
        port = urlsplit(self._url).port
        path_and_query = f"{path}?offset=-1&live=sse"
        return {"wire": "durable", "host": "127.0.0.1", "port": port, "path": path_and_query}
