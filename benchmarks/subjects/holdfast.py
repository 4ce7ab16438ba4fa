"""Holdfast as `make stack` starts it, with a source that generates the benchmark's tokens."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from benchmarks.client.wires import Spec
from benchmarks.subjects.doors import DOORS, GATEWAY, SOCKET, Reader
from benchmarks.subjects.subject import Plan
from tools.deployment.deployment import Server
from tools.services.helper_process import Child
from tools.stack import Stack
from tools.waiting import until

MAX_STREAMS_PER_USER = 10
"""The product runs this many streams of one user at once."""
ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "benchmarks.engine.settings",
    "MAX_STREAMS_PER_WORKER": "10000",
    "MAX_SOCKETS_PER_USER": "10000",
    "LOG_LEVEL": "WARNING",
}


def _ignore_report(_: str) -> None:
    """Print nothing: no process is restarted here."""


@dataclass
class Holdfast:
    """One web process and one worker, or several of each."""

    server: Server = "uvicorn"
    webs: int = 1
    workers: int = 1
    deflate: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    _door: str = SOCKET
    _exit_stack: ExitStack = field(default_factory=ExitStack)
    _users: list[Reader] = field(default_factory=list)

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
            report=_ignore_report,
        )
        self._stack = self._exit_stack.enter_context(stack)
        command = (sys.executable, "-m", "benchmarks.engine")
        self._engine = self._exit_stack.enter_context(
            Child("engine", *command, environment=stack.environment)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._exit_stack.close()

    @property
    def processes(self) -> dict[str, int]:
        assert self._stack.redis
        return {
            **{program.name.replace("-0", ""): program.pid for program in self._stack.programs},
            "redis": self._stack.redis.pid,
            "postgres": self._stack.postgres.pid,
        }

    @contextmanager
    def read_through(self, door: str) -> Iterator[None]:
        """Readers of streams that start in this block use another door."""
        self._door = door
        try:
            yield
        finally:
            self._door = SOCKET

    def start_streams(self, plan: Plan) -> Sequence[Spec]:
        common = {"rate": plan.rate, "count": plan.count, "before": plan.before}
        return self.start_sources([{"start": start, **common} for start in plan.list_start_times()])

    def start_sources(self, arguments: Sequence[dict[str, Any]]) -> Sequence[Spec]:
        """Start streams of the benchmark's source with these arguments."""
        users = self._get_users(len(arguments))
        owners = [user.owner for user in users]
        order = "queue_responses" if self._door == GATEWAY else "queue_streams"
        uuids = self._engine.run_order(do=order, owners=owners, arguments=list(arguments))
        return self._build_specs(uuids, users)

    def wait_until_idle(self) -> None:
        try:
            until(
                lambda: not self._engine.run_order(do="count_unfinished"),
                within=20,
                what="streams that end",
            )
        except AssertionError as error:
            error.add_note(f"{self._engine.run_order(do='count_unfinished')}\n{self._stack.logs()}")
            raise

    def create_replayable(self, tokens: int, streams: int) -> Sequence[Spec]:
        users = self._create_users(streams)
        uuids = self._engine.run_order(
            do="create_journals", owners=[user.owner for user in users], chunks=tokens
        )
        return self._build_specs(uuids, users)

    def fill_journal(self, streams: int, chunks: int) -> None:
        """Create ended streams with a number of chunks each."""
        owners = [user.owner for user in self._create_users(streams)]
        self._engine.run_order(do="create_journals", owners=owners, chunks=chunks, ended=True)

    def run_order(self, **order: Any) -> Any:
        """Run an order of `engine.orders`, and return its answer."""
        return self._engine.run_order(**order)

    def measure_journal(self) -> tuple[int, int]:
        """Return the bytes of the journal with its index, and of the text in it."""
        size, text = self._engine.run_order(do="measure_journal")
        return size, text

    def _get_users(self, streams: int) -> list[Reader]:
        needed = -(-streams // MAX_STREAMS_PER_USER)
        if len(self._users) < needed:
            self._users += self._order_users(needed - len(self._users))
        return [self._users[number // MAX_STREAMS_PER_USER] for number in range(streams)]

    def _create_users(self, streams: int) -> list[Reader]:
        """Create users for endless streams, which count against the limit of their owners."""
        users = self._order_users(-(-streams // MAX_STREAMS_PER_USER))
        return [users[number // MAX_STREAMS_PER_USER] for number in range(streams)]

    def _order_users(self, count: int) -> list[Reader]:
        return [Reader(*user) for user in self._engine.run_order(do="create_users", count=count)]

    def _build_specs(self, uuids: Sequence[str], users: Sequence[Reader]) -> list[Spec]:
        return [
            self._build_spec(number, uuid, user)
            for number, (uuid, user) in enumerate(zip(uuids, users, strict=True))
        ]

    def _build_spec(self, number: int, uuid: str, user: Reader) -> Spec:
        web = self._stack.webs[number % len(self._stack.webs)]
        return {
            **DOORS[self._door](web.url, user, uuid),
            "host": "127.0.0.1",
            "port": web.port,
            "deflate": self.deflate,
        }
