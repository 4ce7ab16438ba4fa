"""No post of malformed fields causes a server error, a crash or a leak.

A failing input is printed as SEED:NUMBER. To send it alone:
`FUZZ_INPUT=SEED:NUMBER .venv/bin/python -m pytest -s -m "" tests/fuzz/test_forms.py -k one_input`
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from _pytest.logging import LogCaptureHandler
from django.core.cache import cache
from pytest_django import Settings

from accounts import form_limits
from accounts.rate_limits import RateLimit
from chat.models import Conversation
from config import even_answers
from streaming import hub as hubs
from tests.fuzz.form_fuzzer import FormFuzzer, measure_memory
from tests.fuzz.people import QUESTIONS, STAFF_ROLES
from tests.fuzz.test_fuzz import CLOSED_PORT_URL

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("default"),  # as on a server
]

SEED = int(os.environ.get("FUZZ_SEED", "1"))
INPUTS = int(os.environ.get("FUZZ_INPUTS", "100000"))
LOADING_INPUTS = 3_000
"""After so many posts the libraries of all providers are loaded: 60 MB, which is no leak."""
WARM_UP_INPUTS = max(INPUTS // 10, min(LOADING_INPUTS, INPUTS // 2))
MAX_GROWTH_BYTES = 100 * 2**20


@pytest.fixture(autouse=True)
def disable_limits(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Switch off the limits that would soon refuse so many requests, the wait of forms that are
    answered at full seconds, and the providers."""
    monkeypatch.setattr(even_answers, "INTERVAL_SECONDS", 0.001)
    settings.ACCOUNT_RATE_LIMITS = False
    monkeypatch.setattr(form_limits, "SETTINGS_LIMIT", RateLimit("settings", 10**9, 60))
    settings.MAX_MESSAGES_PER_MINUTE = settings.MAX_UNFINISHED_REPLIES_PER_USER = 10**6
    settings.MAX_CHARS_PER_MINUTE = settings.MAX_CHARS_PER_DAY = 10**9
    for name in ("OPENAI", "ANTHROPIC", "GOOGLE_GEMINI"):
        setattr(settings, f"{name}_BASE_URL", CLOSED_PORT_URL)
    yield
    cache.clear()


@contextmanager
def keep_no_records() -> Iterator[None]:
    """pytest keeps each record of the log, and with it the request: 12 KB for each post. It adds
    its handlers after the fixtures, so this is none."""
    root = logging.getLogger()
    kept = [handler for handler in root.handlers if isinstance(handler, LogCaptureHandler)]
    for handler in kept:
        root.removeHandler(handler)
    yield
    for handler in kept:
        root.addHandler(handler)


async def run_fuzzer(numbers: range, seed: int = SEED) -> FormFuzzer:
    from config.asgi import application

    fuzzer = FormFuzzer(application, seed)
    try:
        await fuzzer.prepare()
        await fuzzer.run(numbers)
        assert QUESTIONS["witness"] in await fuzzer.ask_as_witness()
    finally:
        await hubs.close()
    for failure in fuzzer.failures:
        print(f"Found by {failure}\n")
    return fuzzer


async def count_leaks_in_admin() -> tuple[int, list[str]]:
    """Show each page of the admin to both kinds of staff, for each of the ids that may stand in its
    address. Return the number of responses, and what was found."""
    from config.asgi import application

    fuzzer = FormFuzzer(application, SEED)
    try:
        await fuzzer.prepare()
        for turn in range(fuzzer.count_looks()):
            await fuzzer.look_into_admin(turn)
    finally:
        await hubs.close()
    return fuzzer.statuses[200], fuzzer.failures


async def test_staff_read_no_text_of_others_in_the_admin() -> None:
    pages, failures = await count_leaks_in_admin()
    assert failures == []
    assert pages > 100  # as opposed to refusals


async def test_a_text_that_the_admin_shows_to_staff_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Conversation, "__str__", lambda conversation: conversation.title)
    _, failures = await count_leaks_in_admin()
    for role in STAFF_ROLES:
        assert [found for found in failures if f"{role} reads the text of the witness" in found]


async def test_every_form_accepts_malformed_fields_without_a_server_error() -> None:
    assert (await run_fuzzer(range(1, 151))).failures == []


@pytest.mark.prove
@pytest.mark.timeout(1800)
async def test_100_000_posts_cause_no_server_error_and_no_leak() -> None:
    started_at = time.monotonic()
    with keep_no_records():
        warm_up = await run_fuzzer(range(WARM_UP_INPUTS))
        before = measure_memory()
        fuzzer = await run_fuzzer(range(WARM_UP_INPUTS, INPUTS))
        grown = measure_memory() - before
    seconds = time.monotonic() - started_at
    print(f"{INPUTS:,} posts of seed {SEED} in {seconds:.0f} s; memory {grown / 2**20:+.1f} MB")
    print("statuses:", dict(sorted(fuzzer.statuses.items())))
    assert warm_up.failures + fuzzer.failures == []
    assert grown < MAX_GROWTH_BYTES


@pytest.mark.prove
@pytest.mark.skipif("FUZZ_INPUT" not in os.environ, reason="FUZZ_INPUT names no input")
async def test_one_input_causes_no_server_error() -> None:
    seed, number = map(int, os.environ["FUZZ_INPUT"].split(":"))
    assert (await run_fuzzer(range(number, number + 1), seed)).failures == []
