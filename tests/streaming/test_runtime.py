"""Effects of the start of a process that tests of deployments cannot observe."""

from __future__ import annotations

import gc

from streaming.runtime import Runtime


async def test_objects_loaded_at_the_start_are_excluded_from_garbage_collection() -> None:
    runtime = Runtime(worker=False)
    await runtime.start()
    try:
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
        await runtime.drain()
