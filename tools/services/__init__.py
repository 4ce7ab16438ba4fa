"""The services of the tests, removed afterwards: PostgreSQL, Redis, and a Chromium.

    with postgres() as database, redis() as server:
        ...  # database.url, server.url, server.pid, server.kill()

Nothing has to be installed or configured first. Every service ends with the program that started
it, even if that program is killed.
"""

from tools.services.postgresql import Postgres, postgres
from tools.services.program import Program, free_port
from tools.services.reaper import Reaper
from tools.services.redis_server import Redis, redis

__all__ = ["Postgres", "Program", "Reaper", "Redis", "free_port", "postgres", "redis"]
