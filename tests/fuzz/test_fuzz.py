"""No input causes a server error."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from pytest_django import Settings

from accounts import form_limits
from accounts.rate_limits import RateLimit
from streaming import hub as hubs
from tests.fuzz.fuzzer import Fuzzer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("default"),  # as on a server
]

CLOSED_PORT_URL = "http://127.0.0.1:9"
SEEDS = [int(seed) for seed in os.environ.get("FUZZ_SEEDS", "1").split(",")]
"""The seeds of the long run, of ten minutes each."""
PROVE_SECONDS = float(os.environ.get("FUZZ_SECONDS", "600"))


@pytest.fixture(autouse=True)
def disable_limits(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Switch off the rate limits, which would soon refuse so many requests, and the providers."""
    settings.ACCOUNT_RATE_LIMITS = False
    monkeypatch.setattr(form_limits, "SETTINGS_LIMIT", RateLimit("settings", 10**9, 60))
    monkeypatch.setattr(form_limits, "FORM_LIMITERS", {})
    for name in ("OPENAI", "ANTHROPIC", "GOOGLE_GEMINI"):
        setattr(settings, f"{name}_BASE_URL", CLOSED_PORT_URL)
    yield
    cache.clear()


async def run_fuzzer(seed: int, requests: int, sockets: int) -> list[str]:
    from config.asgi import application

    fuzzer = Fuzzer(application, seed)
    try:
        await fuzzer.run(requests, sockets)
    finally:
        await hubs.close()
    for failure in fuzzer.failures:
        print(f"Seed {seed} found: {failure}\n")
    return fuzzer.failures


async def test_malformed_requests_cause_no_server_error() -> None:
    assert django_settings.DEBUG is False
    assert await run_fuzzer(seed=1, requests=200, sockets=20) == []


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", SEEDS)
async def test_ten_minutes_of_malformed_requests_cause_no_server_error(seed: int) -> None:
    end = time.monotonic() + PROVE_SECONDS
    tries = 0
    while time.monotonic() < end:
        assert await run_fuzzer(seed * 1_000_000 + tries, requests=500, sockets=100) == []
        tries += 1
    print(f"{600 * tries} inputs of seed {seed} were answered without an error")
