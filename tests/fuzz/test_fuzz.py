"""No input causes a server error."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from pytest_django import Settings

from streaming import hub as hubs
from tests.fuzz.fuzzer import Fuzzer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("default"),  # as on a server
]

NOBODY_LISTENS = "http://127.0.0.1:9"
SEEDS = [int(seed) for seed in os.environ.get("FUZZ_SEEDS", "1").split(",")]
"""Of the long run: each seed for ten minutes."""
PROVE_SECONDS = float(os.environ.get("FUZZ_SECONDS", "600"))


@pytest.fixture(autouse=True)
def no_limits(settings: Settings) -> Iterator[None]:
    """Switch the rate limits off, which would soon refuse so many requests; and no provider is
    called."""
    settings.ACCOUNT_RATE_LIMITS = False
    for name in ("OPENAI", "ANTHROPIC", "GOOGLE_GEMINI"):
        setattr(settings, f"{name}_BASE_URL", NOBODY_LISTENS)
    yield
    cache.clear()


async def found(seed: int, requests: int, sockets: int) -> list[str]:
    from config.asgi import application

    fuzzer = Fuzzer(application, seed)
    try:
        await fuzzer.run(requests, sockets)
    finally:
        await hubs.close()
    for fail in fuzzer.fails:
        print(f"Seed {seed} found: {fail}\n")
    return fuzzer.fails


async def test_what_no_browser_would_send_is_answered_without_an_error() -> None:
    assert django_settings.DEBUG is False
    assert await found(seed=1, requests=500, sockets=100) == []


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", SEEDS)
async def test_ten_minutes_of_it_find_nothing(seed: int) -> None:
    end = time.monotonic() + PROVE_SECONDS
    tries = 0
    while time.monotonic() < end:
        assert await found(seed * 1_000_000 + tries, requests=500, sockets=100) == []
        tries += 1
    print(f"{600 * tries} inputs of seed {seed} were answered without an error")
