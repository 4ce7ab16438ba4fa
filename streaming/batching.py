"""A data loader: keys that are asked for at about the same time share a query.

Everything that a connecting client reads goes through one. So a thousand clients that connect at
once cost a few queries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

from streaming.database import CONNECTION_ERRORS, run_in_db

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class BatchLoader(Generic[K, T]):
    """Calls `load_many` with the keys that were collected during the previous call, up to
    `max_batch_size`. A key that comes alone is loaded at once.

    If a call fails, each half of its keys is tried alone, and so on, so that only the keys at fault
    fail, in fewer than two calls a key. If the database is away, all of them fail at once.
    """

    def __init__(
        self, load_many: Callable[[Collection[K]], Mapping[K, T]], *, max_batch_size: int = 50
    ) -> None:
        self._load_many = load_many
        self._max_batch_size = max_batch_size
        self._pending: dict[K, asyncio.Future[T | None]] = {}
        self._load_task: asyncio.Task[None] | None = None

    async def load(self, key: K) -> T | None:
        """The value comes from a query that begins after this call; None if there is none."""
        loop = asyncio.get_running_loop()
        if (
            self._load_task is None
            or self._load_task.done()
            or self._load_task.get_loop() is not loop
        ):
            self._pending = {}
            self._load_task = loop.create_task(self._load_pending(), name="batch loader")
        answer = self._pending.setdefault(key, loop.create_future())
        return await asyncio.shield(answer)  # others may wait for the same key

    async def _load_pending(self) -> None:
        while self._pending:
            batch = {
                key: self._pending.pop(key) for key in [*self._pending][: self._max_batch_size]
            }
            await self._load_batch(batch)

    async def _load_batch(self, futures: Mapping[K, asyncio.Future[T | None]]) -> None:
        try:
            answers = await run_in_db(self._load_many, [*futures])
        except Exception as error:
            if len(futures) > 1 and not isinstance(error, CONNECTION_ERRORS):
                keys = [*futures]
                for half in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
                    await self._load_batch({key: futures[key] for key in half})
                return
            for answer in futures.values():
                answer.set_exception(error)
                answer.exception()  # marks it as retrieved, even if every caller has gone
        else:
            for key, answer in futures.items():
                answer.set_result(answers.get(key))
