"""The token generator alone, to measure its own cost."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from benchmarks.tokens import generate_tokens


async def measure_generator(streams: int, rate: float, seconds: float) -> float:
    """Return the microseconds of CPU for a token that has no reader."""
    start, count = time.monotonic() + 0.5, int(rate * seconds)

    async def consume_stream(number: int) -> None:
        async for _ in generate_tokens(start + number / rate / streams, rate, count):
            pass

    before = time.process_time()
    await asyncio.gather(*(consume_stream(number) for number in range(streams)))
    return 1e6 * (time.process_time() - before) / streams / count


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    print(json.dumps(asyncio.run(measure_generator(**order))))
