"""examples/holdfast_client.py against a running server, through a connection that is cut."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
from chat.models import Message
from examples import holdfast_client
from examples.holdfast_client import Holdfast, Refused, SoFar
from streaming.models import Stream
from tests.examples.cutting_line import CuttingLine
from tests.streaming.conftest import run_web
from tests.streaming.factories import append_chunks, claim_stream, end_stream, register_worker
from tools.deployment.deployment import Web

pytestmark = pytest.mark.django_db(transaction=True)

CUTS = 20
PIECES = [f"word {number}, " for number in range(60)]


@pytest.fixture(scope="module")
def web(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Web]:
    with run_web(request, "uvicorn") as web:
        yield web


@pytest.fixture(autouse=True)
def reconnect_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdfast_client, "PAUSE_SECONDS", 0.01)


@pytest.fixture
def token(owner: User) -> str:
    return create_token(owner, "Program", [Scope.WRITE], None)[1]


def write(stream: str, pieces: list[str], *, ends: bool = True) -> None:
    try:
        row = claim_stream(Stream.objects.get(uuid=stream), register_worker())
        for piece in pieces:
            append_chunks(row, piece)
        if ends:
            end_stream(row)
    finally:
        connections.close_all()  # this is a thread of its own


async def read(holdfast: Holdfast, stream: str) -> SoFar:
    """Follow it to its end. Each text must continue the one before."""
    before, last = "", SoFar()
    async for last in holdfast.follow(stream):
        assert last.text.startswith(before)
        before = last.text
    return last


def test_the_client_has_at_most_150_lines() -> None:
    assert len(Path(holdfast_client.__file__).read_text().splitlines()) <= 150


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.prove) for seed in range(2, 12))]
)
def test_a_reply_arrives_whole_over_a_connection_that_is_cut_at_20_places(
    web: Web, token: str, seed: int
) -> None:
    async def ask(holdfast: Holdfast, line: CuttingLine) -> SoFar:
        reply = await holdfast.send("Why do tides lag the moon?", model="demo")
        writing = asyncio.create_task(asyncio.to_thread(write, reply["stream"], PIECES))
        so_far = await read(holdfast, reply["stream"])
        await writing
        while line.cuts < CUTS:
            assert (await read(holdfast, reply["stream"])).text == so_far.text
        return so_far

    with CuttingLine(web.port, seed, CUTS) as line:
        so_far = asyncio.run(ask(Holdfast(line.url, token), line))
    assert so_far.text == "".join(PIECES)
    assert so_far.end is not None
    assert (so_far.end["state"], so_far.cursor) == ("completed", len(PIECES) - 1)
    assert Message.objects.count() == 2


def test_a_stop_and_a_continuation_have_one_effect_over_such_a_connection(
    web: Web, token: str
) -> None:
    async def stop_and_continue(holdfast: Holdfast) -> tuple[str, SoFar]:
        reply = await holdfast.send("Why do tides lag the moon?", model="demo")
        await asyncio.to_thread(write, reply["stream"], ["The ", "moon "], ends=False)
        await holdfast.stop(reply["stream"])
        stopped = await read(holdfast, reply["stream"])
        assert stopped.end is not None
        assert stopped.end["state"] == "stopped"
        again = await holdfast.continue_reply(reply["message"])
        assert again["message"] == reply["message"]
        await asyncio.to_thread(write, again["stream"], ["pulls", "."])
        more = await holdfast.send("And the sun?", conversation=reply["conversation"])
        assert more["conversation"] == reply["conversation"]
        return stopped.text, await read(holdfast, again["stream"])

    with CuttingLine(web.port, seed=3) as line:
        stopped, continued = asyncio.run(stop_and_continue(Holdfast(line.url, token)))
        assert line.cuts > 3
    assert (stopped, continued.text) == ("The moon ", "The moon pulls.")
    assert (Stream.objects.count(), Message.objects.count()) == (3, 4)


def test_the_client_gives_up_where_trying_again_is_useless(
    web: Web, owner: User, token: str
) -> None:
    async def find_code(call: Awaitable[object]) -> str:
        with pytest.raises(Refused) as refused:
            await call
        return refused.value.code

    def find(call: Callable[[Holdfast], Awaitable[object]], with_token: str = token) -> str:
        return asyncio.run(find_code(call(Holdfast(web.url, with_token))))

    nothing = str(uuid4())
    reader = create_token(owner, "Reader", [Scope.READ], None)[1]
    assert find(lambda it: it.send("Why?", model="no-such")) == "unknown_model"
    assert find(lambda it: it.send("x" * 5_000, model="demo")) == "too_large"
    assert find(lambda it: read(it, nothing)) == "not_found"
    assert find(lambda it: it.stop(nothing)) == "not_found"
    assert find(lambda it: it.continue_reply(nothing)) == "not_found"
    assert find(lambda it: it.send("Why?", model="demo"), reader) == "missing_right"
    assert find(lambda it: read(it, nothing), "hft_" + "a" * 43) == "signed_out"
