"""Maintenance beside the streams of a worker: folding ended streams, and periodic tasks."""

from __future__ import annotations

import asyncio
import logging

from streaming import lifecycle
from streaming.database import DatabaseThreads
from streaming.outage import outage_monitor
from streaming.sources import get_periodic_tasks

logger = logging.getLogger(__name__)

MAINTENANCE_INTERVAL_SECONDS = 60.0
FOLD_BATCH_SIZE = 100


async def run_maintenance(db_threads: DatabaseThreads) -> None:
    """Continue until the task is cancelled. Any number of workers may do this at the same time."""
    after = 0
    while True:
        try:
            after = await db_threads.run(lifecycle.fold_ended_streams, FOLD_BATCH_SIZE, after)
        except Exception as error:
            if not outage_monitor.is_outage(error):
                logger.exception("Old streams could not be folded; trying again")
            after = 0
        if not after:
            await _run_periodic_tasks(db_threads)
            await asyncio.sleep(MAINTENANCE_INTERVAL_SECONDS)


async def _run_periodic_tasks(db_threads: DatabaseThreads) -> None:
    for task in get_periodic_tasks():
        try:
            await db_threads.run(task)
        except Exception as error:
            if not outage_monitor.is_outage(error):
                logger.exception("%s failed; trying again", task.__qualname__)
