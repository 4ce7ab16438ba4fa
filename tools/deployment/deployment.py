"""Holdfast as people run it: real processes with an environment, a database and a Redis of
their own.

Two kinds. `embedded` is one Daphne on a SQLite file, with the channel layer in memory and the
worker inside. `stack` is PostgreSQL, Redis, and web and worker processes apart.

    with Deployment("stack", workers=2, environment={"OPENAI_BASE_URL": fake.url}) as deployment:
        owner = deployment.person("owner")
        deployment.workers[0].kill()
"""

import base64
import functools
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Self
from uuid import UUID, uuid4

from tools.deployment.http_user import Person
from tools.deployment.raw_rows import PostgresRows, Rows, SqliteRows
from tools.services import Postgres, Program, Redis, free_port, postgres, redis
from tools.services.program import Failed, is_listening, scratch_folder

Kind = Literal["embedded", "stack"]
Server = Literal["daphne", "uvicorn"]

ROOT = Path(__file__).resolve().parents[2]
MIGRATED = "holdfast_migrated"

PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR")
SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "tools.deployment.settings",
    "DEBUG": "off",
    "ALLOWED_HOSTS": "localhost,127.0.0.1",
    "TRUSTED_ORIGINS": "",
    "TRUSTED_PROXY_COUNT": "0",
    "OPENAI_BASE_URL": "",
    "EMAIL_URL": "consolemail://",
    "EMAIL_VERIFICATION": "none",
    "PYTHONUNBUFFERED": "1",
    "GENERATE_TITLES": "off",  # a title is one more request to the provider
    "UVICORN_WS_PER_MESSAGE_DEFLATE": "false",  # docs/decisions/0008
}

running: list["Deployment"] = []
"""Running deployments, so that a failing test can show their output."""


class Worker(Program):
    """`manage.py stream_worker`, ready once it prints so."""

    def __init__(
        self, name: str, log: Path, environment: Mapping[str, str], root: Path = ROOT
    ) -> None:
        super().__init__(
            name,
            [sys.executable, "manage.py", "stream_worker"],
            log=log,
            ready=lambda: "Worker ready" in self.output_of_this_run(),
            environment=environment,
            cwd=root,
        )


class Web(Program):
    """One web process at one address, over kills and restarts."""

    def __init__(
        self,
        name: str,
        log: Path,
        environment: Mapping[str, str],
        server: Server,
        root: Path = ROOT,
    ) -> None:
        self.port = free_port()
        super().__init__(
            name,
            [sys.executable, "-m", server, *self._arguments(server), "config.asgi:application"],
            log=log,
            ready=lambda: is_listening(self.port),
            environment=environment,
            cwd=root,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _arguments(self, server: Server) -> list[str]:
        if server == "uvicorn":
            return ["--host", "127.0.0.1", "--port", str(self.port)]
        # Twisted's own backlog is fifty connections; when all clients reconnect after a restart,
        # the others would try again a second later.
        return ["--endpoint", f"tcp:{self.port}:interface=127.0.0.1:backlog=1024"]


class Deployment:
    """A running Holdfast. Processes are `webs` and `workers`; `redis` is None when embedded.

    `root` is the checkout whose code they run."""

    root = ROOT

    def __init__(
        self,
        kind: Kind,
        *,
        server: Server = "daphne",
        webs: int = 1,
        workers: int = 1,
        environment: Mapping[str, str] | None = None,
        database_server: Postgres | None = None,
    ) -> None:
        self.kind = kind
        self.server: Server = server
        self.webs: list[Web] = []
        self.workers: list[Worker] = []
        self.redis: Redis | None = None
        self.rows: Rows
        self.environment: dict[str, str] = {}
        self._counts = (webs, workers if kind == "stack" else 0)
        self._overrides = dict(environment or {})
        self._database_server = database_server
        self._people: dict[str, Person] = {}
        self._open = ExitStack()

    # Start and end

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException as error:
            if isinstance(error, Failed):
                error.add_note(self.logs())
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Prepare database, Redis and static files, then start every process and wait for it."""
        self.folder = scratch_folder("deployment")
        self._open.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.environment = self._environment()
        running.append(self)
        for _ in range(self._counts[0]):
            self.add_web(wait=False)
        for _ in range(self._counts[1]):
            self.add_worker(wait=False)
        for program in self.programs:
            program.wait_until_ready()

    def close(self) -> None:
        """Kill every process and remove its files."""
        if self in running:
            running.remove(self)
        for person in self._people.values():
            person.close()
        for program in self.programs:
            program.kill()
        self._open.close()

    def add_web(self, *, wait: bool = True) -> Web:
        name = f"web-{len(self.webs)}"
        log = self.folder / f"{name}.log"
        web = Web(name, log, self.environment, self.server, self.root)
        self.webs.append(web)
        web.start(wait=wait)
        return web

    def add_worker(self, *, wait: bool = True) -> Worker:
        name = f"worker-{len(self.workers)}"
        worker = Worker(name, self.folder / f"{name}.log", self.environment, self.root)
        self.workers.append(worker)
        worker.start(wait=wait)
        return worker

    # Access for tests

    @property
    def programs(self) -> list[Program]:
        return [*self.webs, *self.workers]

    @property
    def web(self) -> Web:
        return self.webs[0]

    @property
    def runner(self) -> Program:
        """The process that runs the streams: the first worker, or the only process."""
        return self.workers[0] if self.workers else self.web

    @property
    def base_url(self) -> str:
        return self.web.url

    def stop_replies(self) -> bool:
        """Let all people stop their running replies. Return whether none is running at the provider
        any more. The demo has no provider."""
        unfinished = self.rows.query(
            "SELECT s.uuid, u.email FROM streaming_stream s "
            "JOIN accounts_user u ON u.id = s.owner_id "
            "JOIN chat_message m ON m.stream_id = s.id "
            "WHERE s.state IN ('queued', 'running') AND m.provider <> 'demo'"
        )
        for row in unfinished:
            for person in self._people.values():
                if person.email == row["email"]:
                    person.post(f"/s/{UUID(str(row['uuid']))}/stop/", {}, expect=None)
        return not unfinished

    def person(self, name: str = "owner") -> Person:
        """Return a person who has signed up here through the page; the same one for the same name.

        The first person of a deployment is its administrator.
        """
        if name not in self._people:
            self._people[name] = Person.sign_up(self.base_url, name)
        return self._people[name]

    def send(
        self,
        person: Person,
        text: str,
        *,
        model: str = "demo-fast",
        conversation: UUID | str | None = None,
        **fields: str,
    ) -> UUID:
        """Post the composer's form as `person`. Return the uuid of the stream that will answer."""
        request = uuid4()
        path = "/c/" if conversation is None else f"/c/{conversation}/messages/"
        form = {"text": text, "model": model, "request_id": str(request), **fields}
        person.post(path, form)
        return UUID(str(self.rows.one("streaming_stream", request_id=request)["uuid"]))

    def manage(self, *arguments: str) -> str:
        """Return the output of `manage.py` in this environment; fail with the output if it
        fails."""
        return manage(self.environment, *arguments, root=self.root)

    def logs(self, lines: int = 60) -> str:
        """Return the last output of each process."""
        return "\n".join(f"--- {p.name}\n{p.tail(lines)}" for p in self.programs)

    # Preparation

    def _environment(self) -> dict[str, str]:
        build_static_files(self.root)
        here = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        mine = {
            "SECRET_KEY": secrets.token_urlsafe(40),
            "MASTER_KEYS": f"e2e:{base64.b64encode(secrets.token_bytes(32)).decode()}",
            **(self._embedded() if self.kind == "embedded" else self._stack()),
        }
        return here | SETTINGS | mine | self._overrides

    def _embedded(self) -> dict[str, str]:
        file = self.folder / "holdfast.sqlite3"
        shutil.copyfile(migrated_file(), file)
        self.rows = SqliteRows(file)
        return {"DATABASE_URL": f"sqlite:///{file}", "REDIS_URL": "", "EMBEDDED_WORKER": "on"}

    def _stack(self) -> dict[str, str]:
        server = self._database_server or self._open.enter_context(postgres())
        name = f"holdfast_{uuid4().hex}"
        url = server.create_database(name, template=migrated_template(server))
        if self._database_server is not None:
            self._open.callback(server.drop_database, name)
        self.rows = PostgresRows(url)
        self.redis = self._open.enter_context(redis())
        return {"DATABASE_URL": url, "REDIS_URL": self.redis.url, "EMBEDDED_WORKER": "off"}


def manage(environment: Mapping[str, str], *arguments: str, root: Path = ROOT) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=root,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


@functools.cache
def migrated_file() -> Path:
    """Create a SQLite file with every migration applied, to be copied."""
    file = scratch_folder("migrated") / "holdfast.sqlite3"
    manage(bare_environment(f"sqlite:///{file}"), "migrate", "--verbosity", "0")
    return file


@functools.cache
def migrated_template(server: Postgres) -> str:
    """Create a database of that server with every migration applied, to be copied. Return its
    name."""
    url = server.create_database(MIGRATED)
    manage(bare_environment(url), "migrate", "--verbosity", "0")
    return MIGRATED


@functools.cache
def build_static_files(root: Path = ROOT) -> None:
    """Collect static files, once in a run, unless the existing ones are newer than every source."""
    built = root / ".static" / "staticfiles.json"
    if built.exists() and built.stat().st_mtime >= max(_times(root / "static")):
        return
    environment = bare_environment("sqlite:///:memory:")
    manage(environment, "collectstatic", "--noinput", "--verbosity", "0", root=root)


def _times(folder: Path) -> Iterable[float]:
    return (path.stat().st_mtime for path in [folder, *folder.rglob("*")])


def bare_environment(database_url: str) -> dict[str, str]:
    """Return a minimal environment for a command that serves no client."""
    here: dict[str, Any] = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return (
        here
        | SETTINGS
        | {
            "DATABASE_URL": database_url,
            "REDIS_URL": "",
            "EMBEDDED_WORKER": "off",
            "SECRET_KEY": secrets.token_urlsafe(40),
            "MASTER_KEYS": f"bare:{key}",
        }
    )
