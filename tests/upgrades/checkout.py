"""The code of an older commit in a folder of its own, and deployments that run it.

with checkout("41594f4") as root, OlderDeployment("stack", root) as deployment:
    ...
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from config.environment import OLD_NAMES
from tools.deployment.deployment import ROOT, Deployment, Kind, bare_environment, manage
from tools.deployment.raw_rows import PostgresRows, SqliteRows
from tools.services import Postgres, redis
from tools.services.program import scratch_folder

OLDER_SETTINGS = {"DJANGO_SETTINGS_MODULE": "config.settings"}
"""Every commit has these. The settings of the tests came later and move."""


def add_old_names(environment: Mapping[str, str]) -> dict[str, str]:
    """Set each variable under its old name too, which older commits read."""
    old = {old: environment[new] for old, new in OLD_NAMES.items() if new in environment}
    return {**environment, **old}


class NoHistory(Exception):
    """The commit is not there: a shallow clone, or a source archive."""


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """The files of a commit, with their static files collected. Raises NoHistory."""
    archive = read_archive(commit)
    root = scratch_folder("checkout")
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(root, filter="data")
        environment = bare_environment("sqlite:///:memory:") | OLDER_SETTINGS
        manage(environment, "collectstatic", "--noinput", "--verbosity", "0", root=root)
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def read_archive(commit: str) -> bytes:
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", commit]
    try:
        return subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        raise NoHistory(
            f"Commit {commit} is not in this repository. Fetch the whole history first: "
            "git fetch --unshallow"
        ) from None


class OlderDeployment(Deployment):
    """A deployment whose processes and tables are those of an older checkout."""

    def __init__(
        self,
        kind: Kind,
        root: Path,
        *,
        environment: Mapping[str, str],
        database_server: Postgres | None = None,
    ) -> None:
        environment = {**environment, **OLDER_SETTINGS}
        super().__init__(kind, environment=environment, database_server=database_server)
        self.root = root

    def _environment(self) -> dict[str, str]:
        return add_old_names(super()._environment())

    def _embedded(self) -> dict[str, str]:
        file = self.folder / "holdfast.sqlite3"
        self.rows = SqliteRows(file)
        self._migrate(f"sqlite:///{file}")
        return {"DATABASE_URL": f"sqlite:///{file}", "REDIS_URL": "", "EMBEDDED_WORKER": "on"}

    def _stack(self) -> dict[str, str]:
        assert self._database_server
        name = f"holdfast_{uuid4().hex}"
        url = self._database_server.create_database(name)
        self._open.callback(self._database_server.drop_database, name)
        self.rows = PostgresRows(url)
        self._migrate(url)
        self.redis = self._open.enter_context(redis())
        return {"DATABASE_URL": url, "REDIS_URL": self.redis.url, "EMBEDDED_WORKER": "off"}

    def _migrate(self, url: str) -> None:
        environment = bare_environment(url) | OLDER_SETTINGS
        manage(environment, "migrate", "--verbosity", "0", root=self.root)
