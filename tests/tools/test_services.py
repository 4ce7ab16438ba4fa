"""The tests' services start, stop and leave nothing behind, and the network is off."""

import os
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.loopback import NetworkForbidden
from tools.services import Postgres, free_port, llama, postgres, redis
from tools.services.helper_process import Child
from tools.services.python_environment import Missing, PythonEnvironment
from tools.services.redis_server import Redis
from tools.waiting import until

HOLDER = """
import sys, time
from tools.services import postgres, redis
with postgres() as database, redis() as doorbell:
    print(database.pid, doorbell.pid, database.log.parent, doorbell.log.parent, flush=True)
    time.sleep(60)
"""


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_postgres_is_durable_and_its_databases_survive_a_kill() -> None:
    with postgres() as server:
        url = server.create_database("kept")
        with psycopg.connect(url) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
            connection.execute("CREATE TABLE word AS SELECT 'anchor' AS text")
        server.kill()
        assert not server.answers()
        server.start()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT text FROM word").fetchone() == ("anchor",)


def test_redis_restarts_empty_at_the_same_address() -> None:
    with redis() as server:
        url = server.url
        server.pause()
        assert not server.answers()
        server.resume()
        until(server.answers)
        server.restart_empty()
        assert server.url == url
        assert server.answers()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_services_end_with_the_program_that_started_them(ending: signal.Signals) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    database, doorbell, *folders = holder.stdout.readline().split()
    assert all(Path(folder).is_dir() for folder in folders)
    holder.send_signal(ending)
    holder.wait()
    holder.stdout.close()
    until(lambda: gone(int(database)) and gone(int(doorbell)))
    until(lambda: not any(Path(folder).exists() for folder in folders))


def test_the_runs_redis_restarts_after_a_test_that_killed_it(redis_server: Redis) -> None:
    redis_server.kill()
    assert not redis_server.answers()


def test_the_servers_of_the_run_are_up(redis_server: Redis, postgres_server: Postgres) -> None:
    assert redis_server.answers()
    assert postgres_server.answers()


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "example.invalid"])
def test_a_call_beyond_loopback_is_refused(address: str) -> None:
    with pytest.raises(NetworkForbidden):
        socket.create_connection((address, 80), timeout=1)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PythonEnvironment:
    """An environment of one package whose hash is wrong, and a registry that does not answer."""
    lock = tmp_path / "kelp.lock"
    lock.write_text(f"six==1.17.0 --hash=sha256:{'0' * 64}\n")
    environment = PythonEnvironment("kelp", lock)
    environment.folder = tmp_path / "kelp"
    closed = f"http://127.0.0.1:{free_port()}/simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", closed)
    monkeypatch.setenv("UV_NO_CACHE", "1")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", closed)
    monkeypatch.setenv("PIP_RETRIES", "1")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_FIND_LINKS", "UV_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    return environment


@pytest.mark.prove
def test_an_environment_without_a_registry_is_missing(
    environment: PythonEnvironment, tmp_path: Path
) -> None:
    with pytest.raises(Missing, match="registry can't be reached"):
        environment.install()
    with pytest.raises(Missing, match="registry can't be reached"):
        environment.download(environment.lock, tmp_path / "sources")
    assert not (environment.folder / "installed").exists()


@pytest.mark.prove
def test_another_fault_of_an_environment_is_an_error(environment: PythonEnvironment) -> None:
    environment.lock.write_text("kelp==\n")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        environment.install()
    assert caught.value.__notes__


class CMake:
    """Stands for CMake: it refuses a folder of another source, and compiles its text."""

    def __init__(self, build: Path) -> None:
        self.build = build

    def run(self, command: Sequence[str]) -> None:
        cache = self.build / "CMakeCache.txt"
        if "-S" in command:
            source = command[command.index("-S") + 1]
            self.build.mkdir(exist_ok=True)
            assert not cache.exists() or cache.read_text() == source
            cache.write_text(source)
        else:
            program = self.build / "llama-server"
            # Like Ninja, it compiles only what is not there.
            if not program.exists():
                program.write_text((Path(cache.read_text()) / "version").read_text())


def test_other_sources_of_llama_are_compiled_in_place_of_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, build = tmp_path / "source.lock", tmp_path / "build"
    environment = PythonEnvironment("llama", lock)
    environment.folder = tmp_path

    def download(lock: Path, folder: Path) -> None:
        version = lock.read_text()
        source = tmp_path / "llama" / "vendor" / "llama.cpp" / "version"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(version)
        folder.mkdir()
        with tarfile.open(folder / "llama.tar.gz", "w:gz") as archive:
            archive.add(tmp_path / "llama", arcname=f"llama-{version}")

    monkeypatch.setattr(environment, "install", lambda: None)
    monkeypatch.setattr(environment, "download", download)
    for name, value in {
        "ENVIRONMENT": environment,
        "SOURCE_LOCK": lock,
        "SOURCES": tmp_path / "sources",
        "BUILD": build,
        "_run": CMake(build).run,
    }.items():
        monkeypatch.setattr(llama, name, value)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    for version in ("1", "2", "2", "1"):
        lock.write_text(version)
        llama.install()
        assert (build / "llama-server").read_text() == version
    options = {**llama.OPTIONS, "GGML_NATIVE": "ON"}
    monkeypatch.setattr(llama, "OPTIONS", options)
    (build / "llama-server").write_text("compiled with other options")
    llama.install()
    assert (build / "llama-server").read_text() == "1"


def test_a_helper_that_fails_is_noticed() -> None:
    """Otherwise a run would find no fault in the frames that a dead reader never wrote."""
    with Child("a helper", sys.executable, "-c", "") as helper:
        helper.wait(10)
    with (
        Child("a helper", sys.executable, "-c", "raise SystemExit(3)") as helper,
        pytest.raises(RuntimeError, match="a helper ended with 3"),
    ):
        helper.wait(10)
