"""How long an exchange waits, and what it makes of answers that are no stream."""

import asyncio
import gzip
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from streaming.providers import errors, http_adapter
from streaming.providers.base import ReplyEvent, Request, Timeouts, Turn, get_adapter
from streaming.providers.http_adapter import ProviderCall
from tests.providers.wires import WIRES, Wire
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

KEY = "sk-canary-0123456789abcdefghijklmnop"
TIMES = Timeouts(connect=1.0, first_delta=0.5, idle=0.5, reasoning=1.2)
"""A busy machine sends a sign of life that is due every 10 ms half a second later at most."""


async def heard(fake: Fake, wire: Wire) -> list[ReplyEvent]:
    kelp = get_adapter(wire.provider, base_url=wire.base_url(fake))
    return [event async for event in kelp.stream(Request(wire.model, (Turn("user", "?"),)), KEY)]


# Signs of life that say nothing


@pytest.mark.parametrize("begun", [False, True], ids=["before the first word", "in the middle"])
async def test_signs_of_life_are_waited_for_longer_but_not_for_ever(begun: bool) -> None:
    asking = ProviderCall(Request("m", ()), TIMES, "Kelp", errors.make_redactor(""))
    asking.has_delta = begun
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        async for _ in asking.iter_with_deadlines(alive()):
            pass
    assert time.monotonic() - started >= TIMES.reasoning


async def test_signs_of_life_after_the_end_marker_hold_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_adapter, "USAGE_WAIT_SECONDS", 0.1)
    patient = Timeouts(first_delta=60.0, idle=60.0)
    asking = ProviderCall(Request("m", ()), patient, "Kelp", errors.make_redactor(""))
    asking.finish_reason = "stop"
    async with asyncio.timeout(10):
        with pytest.raises(TimeoutError):
            async for _ in asking.iter_with_deadlines(alive()):
                pass


async def alive() -> AsyncGenerator[dict[str, Any], None]:
    async def signs() -> AsyncGenerator[dict[str, Any], None]:
        while True:
            await asyncio.sleep(0.01)
            yield {}

    return signs()


# Answers that are no stream


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_an_error_under_a_good_status_is_that_error(fake: Fake, wire: Wire) -> None:
    for label in ("wrong key", "no credit", "rate limited", "overloaded"):
        answer, expected = wire.failures[label]
        fake.reset()
        fake.script(Behaviour(error=ErrorAnswer(200, answer.body)))
        with pytest.raises(errors.ProviderError) as caught:
            await heard(fake, wire)
        assert (label, type(caught.value)) == (label, expected)
        assert len(fake.requests()) == 1


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_a_page_in_place_of_a_stream_is_quoted(fake: Fake, wire: Wire) -> None:
    fake.script(Behaviour(error=ErrorAnswer(200, "<html>\n\nPlease sign in.</html>")))
    with pytest.raises(errors.ProviderError, match="could not be read") as caught:
        await heard(fake, wire)
    assert "No stream of events, but: b'<html>" in caught.value.detail


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_nobody_is_led_elsewhere(fake: Fake, wire: Wire) -> None:
    fake.script(Behaviour(error=ErrorAnswer(302, "", {"location": f"{fake.url}/elsewhere"})))
    with pytest.raises(errors.ProviderError) as caught:
        await heard(fake, wire)
    assert caught.value.status == 302
    assert len(fake.requests()) == 1


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
async def test_an_error_compressed_unasked_means_what_its_status_does(
    fake: Fake, wire: Wire
) -> None:
    packed = gzip.compress(b"{}").decode("latin-1")
    headers = {"content-encoding": "gzip", "retry-after": "7"}
    fake.script(Behaviour(error=ErrorAnswer(429, packed, headers)))
    with pytest.raises(errors.RateLimited) as caught:
        await heard(fake, wire)
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "99999999999999999999"}, http_adapter.MAX_RETRY_AFTER_SECONDS),
        ({"retry-after-ms": "99999999999999999999"}, http_adapter.MAX_RETRY_AFTER_SECONDS),
        ({"retry-after": "Wed, 25 Nov 2099 23:00:00 GMT"}, http_adapter.MAX_RETRY_AFTER_SECONDS),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "٣"}, None),
    ],
    ids=str,
)
def test_who_asks_for_ages_is_not_asked_again(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert http_adapter.parse_retry_after(headers) == seconds
