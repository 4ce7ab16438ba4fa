"""The services the tests need, thrown away afterwards: PostgreSQL, Redis, and a Chromium.

    with postgres() as database, redis() as doorbell:
        ...  # database.url, doorbell.url, doorbell.pid, doorbell.kill()

Nothing has to be installed or configured first, and whatever was started here ends with the
program that started it, even if that is killed.
"""

from tools.services.postgresql import Postgres, postgres
from tools.services.program import Program, free_port
from tools.services.reaper import Keeper
from tools.services.redis_server import Redis, redis

__all__ = ["Keeper", "Postgres", "Program", "Redis", "free_port", "postgres", "redis"]
