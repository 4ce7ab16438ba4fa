"""A model that needs no key: the same words for the same prompt, at steady speeds.

A fresh installation uses it, and tests and demonstrations reload a page in the middle of its
replies: at the middle speed a reply takes more than a minute. Everything else is as with real
providers.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from functools import lru_cache

from streaming.events import Delta, Finish
from streaming.providers import errors
from streaming.providers.adapter import ReplyEvent
from streaming.providers.demo.prose import MAX_SEED_CHARS, compose_remainder
from streaming.providers.redaction import Secret
from streaming.providers.types import FinishReason, ModelInfo, Request, Timeouts, Usage

STORM_MODEL = "demo-storm"
"""Like the demo, but the sockets that follow it are dropped again and again. Readers do not
notice."""
TOKENS_PER_SECOND = {"demo": 12.0, "demo-slow": 4.0, "demo-fast": 400.0, STORM_MODEL: 12.0}
CHARS_PER_TOKEN = 4
"""The estimate for long requests; short ones are counted token by token."""
TOKEN = re.compile(r"\s*\S{1,6}|\s+\Z")


class DemoAdapter:
    """Streams the demo's prose. Accepts any key and reads none."""

    def __init__(
        self, *, base_url: str = "", timeouts: Timeouts | None = None, name: str = ""
    ) -> None:
        """The arguments are those of all adapters. None of them is used."""

    def stream(self, request: Request, key: Secret) -> AsyncGenerator[ReplyEvent, None]:
        """Raises `errors.ModelNotFound` for a model that is not its own."""
        return _stream_reply(request)

    async def list_models(self, key: Secret) -> tuple[ModelInfo, ...]:
        return tuple(ModelInfo(model, availability="active") for model in TOKENS_PER_SECOND)


async def _stream_reply(request: Request) -> AsyncGenerator[ReplyEvent, None]:
    speed = TOKENS_PER_SECOND.get(request.model)
    if speed is None:
        raise errors.ModelNotFound(provider="The demo")
    clock = asyncio.get_running_loop().time
    start = clock()
    tokens = _split_tokens_cached(compose_remainder(request.turns))
    shown = tokens[: request.max_tokens]
    for number, token in enumerate(shown, start=1):
        # Follow a schedule, so that lateness does not add up. Sleep even when late, because others
        # share the loop.
        await asyncio.sleep(max(0.0, start + number / speed - clock()))
        yield Delta(token)
    asked = _count_tokens([request.system, *(turn.full_text for turn in request.turns)])
    reason: FinishReason = "stop" if len(shown) == len(tokens) else "length"
    yield Finish(reason, Usage(input=asked, output=len(shown)).to_counts())


def split_tokens(text: str) -> list[str]:
    """The pieces of a reply. Joined they are the text, byte for byte."""
    return TOKEN.findall(text)


@lru_cache(maxsize=64)
def _split_tokens_cached(text: str) -> list[str]:
    return split_tokens(text)


def _count_tokens(texts: Sequence[str]) -> int:
    """Exact for short texts, otherwise an estimate."""
    characters = sum(map(len, texts))
    if characters > 10 * MAX_SEED_CHARS:
        return characters // CHARS_PER_TOKEN
    return sum(len(split_tokens(text)) for text in texts)
