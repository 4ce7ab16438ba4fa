"""A rolling deploy and its rollback: processes of two versions on one database and one Redis.

    python -m tests.upgrades.side_by_side --old 41594f4 [--kill]

The migrations run first. Then both versions have a web process, and one worker passes its replies
on to the worker of the other version, there and back. Every reply is followed on the pages of both
versions; each follower has to read each index once and end with the text of the journal.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.e2e.replies import MODEL
from tests.upgrades.checkout import OLDER_SETTINGS, add_old_names, checkout
from tools.deployment.deployment import (
    ROOT,
    SETTINGS,
    Deployment,
    Web,
    Worker,
    bare_environment,
    manage,
    migrated_template,
)
from tools.deployment.http_user import Person
from tools.deployment.protocol_client import Reader
from tools.deployment.raw_rows import SEAM, PostgresRows
from tools.fake_provider import Behaviour, Fake
from tools.fake_provider.behaviour import Piece
from tools.services import Postgres, postgres, redis
from tools.waiting import until

OLD_COMMIT = "41594f4"
"""The last commit before names and rooms changed."""

TAKEOVER_SECONDS = 20.0
"""How long a reply may be without a worker after its worker was killed."""
END_SECONDS = 60.0
"""How long a follower waits for the end of a reply."""
MAX_LAG_SECONDS = 5.0
"""How long after its commit an index may reach a follower. Where one version does not understand
the notifications of the other, followers are served by the poll of each second."""

SIGNED_OUT = 4401
"""The code with which a socket is closed whose session has ended."""

REASONING_PIECES = [Piece(f"Thought {n}. ", "reasoning") for n in range(4)]
TEXT_PIECES = [Piece(f"word {n} ") for n in range(60)]
FIRST_REPLY = Behaviour(
    pieces=(*REASONING_PIECES, *TEXT_PIECES),
    prompt="All of it",
    delay=0.02,
    hold_after=(10, len(TEXT_PIECES)),
)
CONTINUATION = Behaviour.of(
    "word 54 word 55 ", *(f"more {n} " for n in range(20)), prompt="was cut off", delay=0.02
)
STOPPED_REPLY = Behaviour(
    pieces=(*REASONING_PIECES, *TEXT_PIECES), prompt="Stop it", hold_after=(20,)
)
QUEUED_REPLY = Behaviour.of("And that was it.", prompt="And then?")


@dataclass(frozen=True)
class Version:
    """A checkout, and what its processes have in their environment."""

    name: str
    root: Path
    environment: Mapping[str, str]


@dataclass
class Side:
    """The processes of one version, and a person at its pages."""

    version: Version
    web: Web
    worker: Worker
    person: Person


class MixedDeployment(Deployment):
    """A stack with one web process of each version; the first version's worker runs."""

    def __init__(self, old: Path, fake: Fake, server: Postgres, *, migrates: bool = True) -> None:
        environment = {"OPENAI_BASE_URL": fake.openai, "DRAIN_SECONDS": "0"}
        super().__init__("stack", webs=0, workers=0, environment=environment)
        self._database_server = server
        self._migrates = migrates
        self._versions = [
            Version("old", old, OLDER_SETTINGS),
            Version("new", ROOT, {name: SETTINGS[name] for name in OLDER_SETTINGS}),
        ]
        self.sides: list[Side] = []

    def start(self) -> None:
        super().start()
        for version in self._versions:
            self._add_side(version)
        old, new = self.sides
        old.worker.start(wait=False)
        for program in (old.web, new.web, old.worker):
            program.wait_until_ready()
        old.person = self._people["owner"] = Person.sign_up(old.web.url, "owner")
        old.person.add_key("openai")
        new.person = self._people["owner, new"] = Person(new.web.url, "owner")
        new.person.http.cookies.update(old.person.http.cookies)

    def _add_side(self, version: Version) -> None:
        environment = {**add_old_names(self.environment), **version.environment}
        web_log, worker_log = (
            self.folder / f"{version.name}-{part}.log" for part in ("web", "worker")
        )
        web = Web(f"{version.name} web", web_log, environment, self.server, version.root)
        worker = Worker(f"{version.name} worker", worker_log, environment, version.root)
        self.webs.append(web)
        self.workers.append(worker)
        web.start(wait=False)
        self.sides.append(Side(version, web, worker, Person(web.url, "nobody")))

    def _stack(self) -> dict[str, str]:
        """The tables of the new version. With `migrates` they were those of the old one before."""
        assert self._database_server
        name = f"holdfast_{uuid4().hex}"
        template = "template0" if self._migrates else migrated_template(self._database_server)
        url = self._database_server.create_database(name, template=template)
        self._open.callback(self._database_server.drop_database, name)
        if self._migrates:
            for version in self._versions:
                environment = {**bare_environment(url), **version.environment}
                manage(environment, "migrate", "--verbosity", "0", root=version.root)
        self.rows = PostgresRows(url)
        self.redis = self._open.enter_context(redis())
        return {"DATABASE_URL": url, "REDIS_URL": self.redis.url, "EMBEDDED_WORKER": "off"}


@dataclass
class TimedReader(Reader):
    """A follower that remembers when each index arrived."""

    page: str = ""
    frames: int = 0
    arrivals: dict[int, float] = field(default_factory=dict)

    def read_to_the_end(self) -> TimedReader:
        """Read like the base class, but for a limited time: an endless stream fails its test."""
        deadline = time.monotonic() + END_SECONDS
        while self.end is None and time.monotonic() < deadline:
            with suppress(ConnectionClosed, OSError):
                self.read()
        return self

    def _append(self, frame: dict[str, Any]) -> None:
        super()._append(frame)
        self.frames += 1
        now = time.time()
        self.arrivals |= dict.fromkeys(range(frame["first"], frame["index"] + 1), now)


@dataclass(frozen=True)
class FollowerResult:
    """One follower of one stream, compared with the journal."""

    stream: str
    page: str
    frames: int
    indexes: int
    lag: float

    def __str__(self) -> str:
        return (
            f"{self.stream:<28} {self.page:<16} {self.indexes:>4} indexes in {self.frames:>3} "
            f"frames, {self.lag:5.2f} s behind at most"
        )


class Handover:
    """One worker passes its replies on to the worker of the other version.

    Only the giver's worker runs at first. It writes a reply that was asked for at its own page and
    is to pass to the taker, and one that was asked for at the taker's page and is stopped there. A
    third one waits in the lane of the first.
    """

    def __init__(self, deployment: MixedDeployment, fake: Fake, giver: Side, taker: Side) -> None:
        self.deployment, self.fake, self.giver, self.taker = deployment, fake, giver, taker
        self.name = f"{giver.version.name} to {taker.version.name}"
        self._threads = ThreadPoolExecutor(max_workers=16)
        self._followers: list[tuple[UUID, str, Future[TimedReader]]] = []

    def run(self, end_worker: signal.Signals) -> list[FollowerResult]:
        """Returns a result for each follower. Fails when an index was lost or came twice."""
        self.fake.reset()
        self.fake.script(FIRST_REPLY, STOPPED_REPLY, CONTINUATION, QUEUED_REPLY)
        passed_on, stopped, queued = self._start_replies()
        with self._threads:
            for stream, name in (
                (passed_on, "passed on"),
                (stopped, "stopped"),
                (queued, "queued"),
            ):
                self._follow_stream(stream, name)
            self.fake.wait_for("held", count=2)
            self._stop_stream(stopped)
            self.fake.release()
            until(lambda: len(self.deployment.rows.text(passed_on)) > 100, what="more of the text")
            self._follow_stream(passed_on, "passed on, late")
            self.taker.worker.start(wait=False)
            self._assert_change_arrives(passed_on)
            self._assert_session_ends()
            self.taker.worker.wait_until_ready()
            self.fake.wait_for("held")
            self._pass_on(passed_on, end_worker)
            for stream in (passed_on, queued):
                self._wait_for_end(stream)
            self._assert_written(passed_on)
            return [*self._collect_results()]

    def _start_replies(self) -> tuple[UUID, UUID, UUID]:
        send, giver, taker = self.deployment.send, self.giver.person, self.taker.person
        passed_on = send(giver, "All of it, please.", model=MODEL)
        lane = self.deployment.rows.stream(passed_on)["lane"]
        stopped = send(taker, "Stop it soon.", model=MODEL)
        queued = send(giver, "And then?", model=MODEL, conversation=lane)
        return passed_on, stopped, queued

    def _follow_stream(self, stream: UUID, name: str) -> None:
        for side in (self.giver, self.taker):
            reader = TimedReader(side.person, stream, page=f"{side.version.name} page")
            following = self._threads.submit(reader.read_to_the_end)
            self._followers.append((stream, name, following))

    def _stop_stream(self, stream: UUID) -> None:
        """Stop a stream at the taker's page. The giver's worker has to end its provider call."""
        self.taker.person.post(f"/s/{stream}/stop/", {})
        self.fake.wait(
            lambda seen: any(r.closed_at for r in seen if "Stop it" in r.prompt), timeout=5
        )
        assert self.deployment.rows.stream(stream)["state"] == "stopped"

    def _assert_change_arrives(self, stream: UUID) -> None:
        """A new title that is given at one page is announced to the sockets of both versions."""
        conversation = self.deployment.rows.stream(stream)["lane"]
        with self.giver.person.socket() as near, self.taker.person.socket() as far:
            for socket in (near, far):
                read_until(socket, "hello")
            title = f"From {self.name}"
            self.giver.person.post(f"/c/{conversation}/title/", {"title": title})
            for socket in (near, far):
                read_until(socket, "changed")
        assert title in self.taker.person.get("/").text

    def _assert_session_ends(self) -> None:
        """The socket of a session closes when its person signs out at the other version's page."""
        guest = Person.sign_up(self.giver.web.url, f"guest-of-{self.giver.version.name}")
        with closing(guest), guest.socket(base_url=self.taker.web.url) as socket:
            read_until(socket, "hello")
            guest.post("/accounts/logout/", {})
            with suppress(ConnectionClosed):
                read_until(socket, "bye")
            assert socket.close_code == SIGNED_OUT

    def _pass_on(self, stream: UUID, end_worker: signal.Signals) -> None:
        read_row = self.deployment.rows.stream
        epoch = read_row(stream)["epoch"]
        if end_worker == signal.SIGKILL:
            self.giver.worker.kill()
        else:
            self.giver.worker.stop(end_worker)
        until(
            lambda: read_row(stream)["worker_id"] and read_row(stream)["epoch"] > epoch,
            within=TAKEOVER_SECONDS,
            what="the other version's worker has the reply",
        )

    def _wait_for_end(self, stream: UUID) -> None:
        until(lambda: self.deployment.rows.stream(stream)["ended_at"], what="the end of a reply")
        assert self.deployment.rows.stream(stream)["state"] == "completed"

    def _assert_written(self, stream: UUID) -> None:
        """The journal and the message hold the text of both workers."""
        rows = self.deployment.rows
        first = "".join(
            piece.text for piece in TEXT_PIECES[: len(TEXT_PIECES) - len(REASONING_PIECES)]
        )
        text = first + "".join(f"more {n} " for n in range(20))
        assert rows.text(stream) == rows.message(stream)["content"] == text
        assert [c["offset"] for c in rows.chunks(stream) if c["kind"] == SEAM] == [len(first)]
        assert rows.message(stream)["reasoning"] == "".join(
            piece.text for piece in REASONING_PIECES
        )

    def _collect_results(self) -> Iterator[FollowerResult]:
        for stream, name, following in self._followers:
            yield self._compare_with_journal(stream, name, following.result())

    def _compare_with_journal(self, stream: UUID, name: str, reader: TimedReader) -> FollowerResult:
        """Compare a follower with the journal."""
        rows = self.deployment.rows
        row, chunks = rows.stream(stream), rows.chunks(stream)
        assert reader.indexes == [chunk["index"] for chunk in chunks] == [*range(row["next_index"])]
        assert (reader.text, reader.reasoning) == (rows.text(stream), rows.text(stream, 1))
        assert reader.seams == [chunk["offset"] for chunk in chunks if chunk["kind"] == SEAM]
        assert reader.end is not None
        assert reader.end["state"] == row["state"]
        lag = max(
            (reader.arrivals[c["index"]] - c["created_at"].timestamp() for c in chunks), default=0
        )
        return FollowerResult(f"{self.name}: {name}", reader.page, reader.frames, len(chunks), lag)


def read_until(socket: ClientConnection, kind: str) -> None:
    while json.loads(socket.recv(timeout=MAX_LAG_SECONDS))["type"] != kind:
        pass


def roll_out_and_back(
    deployment: MixedDeployment, fake: Fake, end_worker: signal.Signals
) -> list[FollowerResult]:
    """The worker of the old version passes its replies on to that of the new one, and back."""
    old, new = deployment.sides
    results = Handover(deployment, fake, old, new).run(end_worker)
    results += Handover(deployment, fake, new, old).run(end_worker)
    for program in deployment.programs:
        assert "Traceback" not in program.output(), f"{program.name}:\n{program.tail()}"
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.upgrades.side_by_side")
    parser.add_argument("--old", default=OLD_COMMIT, help="the commit of the older processes")
    parser.add_argument("--kill", action="store_true", help="kill workers; by default they drain")
    arguments = parser.parse_args()
    end_worker = signal.SIGKILL if arguments.kill else signal.SIGTERM
    with ExitStack() as stack:
        old = stack.enter_context(checkout(arguments.old))
        fake, server = stack.enter_context(Fake.spawn()), stack.enter_context(postgres())
        deployment = stack.enter_context(MixedDeployment(old, fake, server))
        for result in roll_out_and_back(deployment, fake, end_worker):
            print(result)


if __name__ == "__main__":
    main()
