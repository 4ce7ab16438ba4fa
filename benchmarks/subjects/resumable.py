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
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._redis = self._open.enter_context(redis())
        url = self._redis.url
        self._producer = self._open.enter_context(
            peers.program("resumable-producer", REDIS_URL=url)
        )
        self._reader = self._open.enter_context(peers.program("resumable-reader", REDIS_URL=url))
        self._producer.hear()
        self._port = self._reader.hear()["port"]
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def processes(self) -> dict[str, int]:
        return {
            "web": self._reader.pid,
            "worker": self._producer.pid,
            "redis": self._redis.pid,
        }

    def begin(self, plan: Plan) -> Sequence[Spec]:
        streams = [
            {"id": uuid4().hex, "start": start, "rate": plan.rate, "count": plan.count}
            for start in plan.starts()
        ]
        self._producer.ask(do="streams", streams=streams)
        return [self._spec(stream["id"]) for stream in streams]

    def settle(self) -> None:
        until(lambda: not self._producer.ask(do="count")["running"], within=20)

    def replayable(self, tokens: int, streams: int) -> Sequence[Spec]:
        ids = [uuid4().hex for _ in range(streams)]
        self._producer.ask(do="burst", ids=ids, count=tokens)
        return [self._spec(id_) for id_ in ids]

    def _spec(self, id_: object) -> Spec:
        return {"wire": "events", "host": "127.0.0.1", "port": self._port, "path": f"/{id_}"}
