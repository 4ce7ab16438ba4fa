"""Holdfast as `make stack` starts it, with a source that generates the benchmark's tokens."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Self

from benchmarks.client.wires import Spec
from benchmarks.subjects.subject import Plan
from tools.deployment.deployment import Server
from tools.services.helper_process import Child
from tools.stack import Stack
from tools.waiting import until

PER_PERSON = 10
"""Streams of one person: as many as the product lets run at once."""
ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "benchmarks.engine.settings",
    "STREAMS_PER_WORKER": "10000",
    "SOCKETS_PER_USER": "10000",
    "LOG_LEVEL": "WARNING",
}


def _mute(_: str) -> None:
    """No process is restarted here."""


@dataclass
class Holdfast:
    """One web process and one worker, or a given number of each."""

    server: Server = "uvicorn"
    webs: int = 1
    workers: int = 1
    deflate: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)
    _people: list[tuple[int, str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        processes = "" if self.webs == self.workers == 1 else f" {self.webs}+{self.workers}"
        return f"Holdfast, {self.server.title()}{processes}{' deflate' if self.deflate else ''}"

    def __enter__(self) -> Self:
        compression = {"UVICORN_WS_PER_MESSAGE_DEFLATE": str(self.deflate)}
        stack = Stack(
            server=self.server,
            webs=self.webs,
            workers=self.workers,
            environment=ENVIRONMENT | compression | self.environment,
            report=_mute,
        )
        self._stack = self._open.enter_context(stack)
        command = (sys.executable, "-m", "benchmarks.engine")
        self._desk = self._open.enter_context(
            Child("desk", *command, environment=stack.environment)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def processes(self) -> dict[str, int]:
        assert self._stack.redis
        return {
            **{program.name.replace("-0", ""): program.pid for program in self._stack.programs},
            "redis": self._stack.redis.pid,
            "postgres": self._stack.postgres.pid,
        }

    def begin(self, plan: Plan) -> Sequence[Spec]:
        same = {"rate": plan.rate, "count": plan.count, "before": plan.before}
        return self.run([{"start": start, **same} for start in plan.starts()])

    def run(self, arguments: Sequence[dict[str, Any]]) -> Sequence[Spec]:
        """Start streams of the benchmark's source with these arguments."""
        people = self._owners(len(arguments))
        owners = [owner for owner, _ in people]
        uuids = self._desk.ask(do="streams", owners=owners, arguments=list(arguments))
        return self._readers(uuids, people)

    def settle(self) -> None:
        try:
            until(lambda: not self._desk.ask(do="unfinished"), within=20, what="streams that end")
        except AssertionError as error:
            error.add_note(f"{self._desk.ask(do='unfinished')}\n{self._stack.logs()}")
            raise

    def replayable(self, tokens: int, streams: int) -> Sequence[Spec]:
        people = self._newcomers(streams)
        uuids = self._desk.ask(do="journals", owners=[o for o, _ in people], chunks=tokens)
        return self._readers(uuids, people)

    def fill(self, streams: int, chunks: int) -> None:
        """Create ended streams with a number of chunks each."""
        owners = [owner for owner, _ in self._newcomers(streams)]
        self._desk.ask(do="journals", owners=owners, chunks=chunks, ended=True)

    def ask(self, **order: Any) -> Any:
        """Return a measurement of the desk: see `engine.desk`."""
        return self._desk.ask(**order)

    def stored(self) -> tuple[int, int]:
        """Return the bytes of the journal with its index, and of the text in it."""
        size, text = self._desk.ask(do="stored")
        return size, text

    def _owners(self, streams: int) -> list[tuple[int, str]]:
        needed = -(-streams // PER_PERSON)
        if len(self._people) < needed:
            self._people += self._desk.ask(do="people", count=needed - len(self._people))
        return [self._people[number // PER_PERSON] for number in range(streams)]

    def _newcomers(self, streams: int) -> list[tuple[int, str]]:
        """For endless streams, which count against the limit of their owners."""
        people = self._desk.ask(do="people", count=-(-streams // PER_PERSON))
        return [people[number // PER_PERSON] for number in range(streams)]

    def _readers(self, uuids: Sequence[str], people: Sequence[tuple[int, str]]) -> list[Spec]:
        return [
            self._reader(number, uuid, session)
            for number, (uuid, (_, session)) in enumerate(zip(uuids, people, strict=True))
        ]

    def _reader(self, number: int, uuid: str, session: str) -> Spec:
        web = self._stack.webs[number % len(self._stack.webs)]
        return {
            "wire": "holdfast",
            "host": "127.0.0.1",
            "port": web.port,
            "path": "/ws/",
            "headers": [f"Origin: {web.url}", f"Cookie: sessionid={session}"],
            "say": json.dumps({"type": "follow", "stream": uuid, "after": -1}),
            "deflate": self.deflate,
        }
