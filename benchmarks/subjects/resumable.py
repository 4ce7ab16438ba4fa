"""npm's resumable-stream: the producer holds the text, a second process serves readers that
resume."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Self
from uuid import uuid4

from benchmarks.client.wires import Spec
from benchmarks.subjects import peers
from benchmarks.subjects.subject import Plan
from tools.services import redis
from tools.waiting import until


class Resumable:
    """Two Node processes and Redis. Nothing is stored: when the producer dies, the text is lost."""

    name = "resumable-stream"

    def __init__(self) -> None:
        self._exit_stack = ExitStack()

    def __enter__(self) -> Self:
        self._redis = self._exit_stack.enter_context(redis())
        url = self._redis.url
        self._producer = self._exit_stack.enter_context(
            peers.start_program("resumable-producer", REDIS_URL=url)
        )
        self._reader = self._exit_stack.enter_context(
            peers.start_program("resumable-reader", REDIS_URL=url)
        )
        self._producer.read_answer()
        self._port = self._reader.read_answer()["port"]
        return self

    def __exit__(self, *_: object) -> None:
        self._exit_stack.close()

    @property
    def processes(self) -> dict[str, int]:
        return {
            "web": self._reader.pid,
            "worker": self._producer.pid,
            "redis": self._redis.pid,
        }

    def start_streams(self, plan: Plan) -> Sequence[Spec]:
        streams = [
            {"id": uuid4().hex, "start": start, "rate": plan.rate, "count": plan.count}
            for start in plan.list_start_times()
        ]
        self._producer.run_order(do="streams", streams=streams)
        return [self._build_spec(stream["id"]) for stream in streams]

    def wait_until_idle(self) -> None:
        until(lambda: not self._producer.run_order(do="count")["running"], within=20)

    def create_replayable(self, tokens: int, streams: int) -> Sequence[Spec]:
        ids = [uuid4().hex for _ in range(streams)]
        self._producer.run_order(do="burst", ids=ids, count=tokens)
        return [self._build_spec(id_) for id_ in ids]

    def _build_spec(self, id_: object) -> Spec:
        return {"wire": "events", "host": "127.0.0.1", "port": self._port, "path": f"/{id_}"}
