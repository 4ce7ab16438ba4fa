"""The tests' services start, stop and leave nothing behind, and the network is off."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.loopback import NetworkForbidden
from tools.services import Postgres, postgres, redis
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


def test_postgres_is_durable_and_keeps_its_databases_over_a_kill() -> None:
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


def test_redis_keeps_its_address_and_nothing_else() -> None:
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
def test_nothing_survives_the_program_that_started_it(ending: signal.Signals) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    database, doorbell, *folders = holder.stdout.readline().split()
    assert all(Path(folder).is_dir() for folder in folders)
    holder.send_signal(ending)
    holder.wait()
    holder.stdout.close()
    until(lambda: gone(int(database)) and gone(int(doorbell)))
    until(lambda: not any(Path(folder).exists() for folder in folders))


def test_the_runs_own_redis_comes_back_after_a_test_that_killed_it(redis_server: Redis) -> None:
    redis_server.kill()
    assert not redis_server.answers()


def test_the_runs_own_servers_are_up(redis_server: Redis, postgres_server: Postgres) -> None:
    assert redis_server.answers()
    assert postgres_server.answers()


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "example.invalid"])
def test_a_call_beyond_loopback_is_refused(address: str) -> None:
    with pytest.raises(NetworkForbidden):
        socket.create_connection((address, 80), timeout=1)
