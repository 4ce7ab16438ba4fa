"""Django's PostgreSQL backend with a pool that distinguishes an unreachable server from a busy one.

A caller that waits for a connection can't see why there is none. Waiting for a
busy pool makes sense. While a server is known to be unreachable, no caller waits.
"""

from __future__ import annotations

import time
from typing import Any

from django.db.backends.postgresql import base
from psycopg_pool import PoolTimeout

from streaming.outage import outage_monitor

MAX_POOL_WAIT_SECONDS = 10.0
"""The time that a request waits for a connection while others use them."""


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a connection from the pool. The pool gives up sooner (`timeout` in the settings);
        then this checks whether the server itself can be reached."""
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
