"""What a process does when it starts, beside what tests of whole deployments see of it."""

from __future__ import annotations

import gc

from streaming.runtime import Runtime


async def test_what_is_loaded_at_the_start_is_not_searched_for_garbage_while_tokens_wait() -> None:
    runtime = Runtime(worker=False)
    await runtime.start()
    try:
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
        await runtime.drain()
