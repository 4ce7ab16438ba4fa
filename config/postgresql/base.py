"""Django's PostgreSQL with a pool that tells a server which is away from one that is busy.

A caller that waits for a connection can't see why there is none. A busy pool is worth some
patience; an unreachable server is not, and while it is known to be unreachable nobody waits at all.
"""

from __future__ import annotations

import time
from typing import Any

from django.db.backends.postgresql import base
from psycopg_pool import PoolTimeout

from streaming.outage import outage_monitor

MAX_POOL_WAIT_SECONDS = 10.0
"""How long a request waits for its turn, while others are served."""


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A connection from the pool. The pool gives up sooner (`timeout` in the settings); then
        the server itself is asked whether it is there."""
        deadline = time.monotonic() + MAX_POOL_WAIT_SECONDS
        while True:
            if outage_monitor.is_database_away:
                raise self.Database.OperationalError(
                    f"the database is away: {outage_monitor.reason}"
                )
            try:
                return super().get_new_connection(conn_params)
            except PoolTimeout as error:
                if not outage_monitor.check_now(error) and time.monotonic() > deadline:
                    raise
