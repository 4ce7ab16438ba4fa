"""OpenAI's own SDK reading replies, and nothing else, to measure its own cost.

`python -m benchmarks.bare_sdk '{"url": "http://…/v1", "streams": 40}'` prints the number of deltas
that it read.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import openai


async def count_deltas(client: Any) -> int:
    deltas = 0
    async for event in await client.responses.create(
        model="gpt-4o-mini", input="Tell me about kelp.", stream=True
    ):
        deltas += event.type == "response.output_text.delta"
    return deltas


async def main(url: str, streams: int) -> None:
    client = openai.AsyncOpenAI(base_url=url, api_key="sk-benchmark", max_retries=0)
    counts = await asyncio.gather(*(count_deltas(client) for _ in range(streams)))
    print(json.dumps(sum(counts)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
