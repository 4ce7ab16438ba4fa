"""The CPU time of an event, compared with its time through the SDK's own objects."""

import time
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter
from streaming.providers.types import Request, Turn
from tools.fake_provider import Behaviour, Fake

KEY = "sk-canary-0123456789"
EVENTS = 2_000
LONG_REPLY = Behaviour.of(*["kelp "] * EVENTS)


async def measure_cpu(events: AsyncIterator[Any]) -> float:
    """Return the seconds of CPU of this process."""
    before, count = time.process_time(), 0
    async for _ in events:
        count += 1
    assert count >= EVENTS
    return time.process_time() - before


async def stream_through_sdk(fake: Fake, wire: str) -> AsyncIterator[Any]:
    async with openai.AsyncOpenAI(api_key=KEY, base_url=fake.openai, max_retries=0) as client:
        messages: Any = [{"role": "user", "content": "?"}]
        if wire == "openai":
            events: Any = await client.responses.create(
                model="gpt-5.5", input=messages, stream=True
            )
        else:
            events = await client.chat.completions.create(model="k", messages=messages, stream=True)
        async for event in events:
            yield event


@pytest.mark.prove
@pytest.mark.parametrize("wire", ["openai", "ollama"])
async def test_an_event_costs_less_than_half_of_what_it_costs_through_the_sdk(
    fake: Fake, wire: str
) -> None:
    kelp = get_adapter(wire, base_url=fake.openai)
    request = Request("gpt-5.5", (Turn("user", "?"),))
    ratios = []
    for _ in range(3):
        fake.script(LONG_REPLY, LONG_REPLY)
        ours = await measure_cpu(kelp.stream(request, Secret(KEY)))
        theirs = await measure_cpu(stream_through_sdk(fake, wire))
        ratios.append(ours / theirs)
    print(f"{wire}: {', '.join(f'{ratio:.2f}' for ratio in ratios)} of what the SDK takes")
    assert min(ratios) < 0.5, ratios
