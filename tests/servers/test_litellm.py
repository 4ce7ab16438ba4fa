"""LiteLLM's proxy in front of the fake: a row of COMPATIBLE_PROVIDERS, and all wires behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import pytest

from streaming.events import Delta, Finish
from streaming.providers import errors
from streaming.providers.adapter import ModelLister
from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter
from streaming.providers.types import Request, Turn
from tests.providers.factories import collect_until_error, join_text
from tests.providers.wires import WIRES, Wire
from tests.servers.replies import find_chat, wait_for_end
from tests.skipping import skip_or_fail
from tools.deployment.deployment import Deployment
from tools.fake_provider import Behaviour, ErrorAnswer, Fake, Piece, Usage
from tools.services.litellm import KEY, LiteLLM, litellm
from tools.services.python_environment import Missing
from tools.waiting import until, until_async

pytestmark = [pytest.mark.prove, pytest.mark.timeout(600)]  # a server starts slowly

TEXT = "Kelp \N{WATER WAVE} is anchored.\n\n| a | b |\n|---|---|\n"
WIRE_BY_NAME = {wire.name: wire for wire in WIRES}
UPSTREAMS = {
    "via-openai": ("openai/gpt-4o-mini", WIRE_BY_NAME["compatible"]),
    "via-anthropic": ("anthropic/claude-sonnet-4-6", WIRE_BY_NAME["anthropic"]),
    "via-google": ("gemini/gemini-3.8-flash", WIRE_BY_NAME["google"]),
}
MODELS = list(UPSTREAMS)


@pytest.fixture(scope="module")
def proxy(provider: Fake) -> Iterator[LiteLLM]:
    addresses = {
        name: (model, wire.base_url(provider)) for name, (model, wire) in UPSTREAMS.items()
    }
    try:
        with litellm(addresses) as running:
            yield running
    except Missing as missing:
        skip_or_fail(str(missing))


@pytest.fixture
def adapter(proxy: LiteLLM, fake: Fake) -> ModelLister:
    return get_adapter("litellm", base_url=proxy.url, name="LiteLLM")


async def ask(
    adapter: ModelLister, model: str, prompt: str = "?", key: str = KEY, **more: Any
) -> tuple[list[Any], errors.ProviderError | None]:
    request = Request(model, (Turn("user", prompt),), system="Be kind.", **more)
    return await collect_until_error(adapter, request, key)


async def test_its_models_are_listed(adapter: ModelLister) -> None:
    listed = await adapter.list_models(Secret(KEY))
    assert sorted(model.id for model in listed) == sorted(MODELS)


@pytest.mark.parametrize("model", MODELS)
async def test_a_reply_arrives_with_its_end_and_its_tokens(
    adapter: ModelLister, fake: Fake, model: str
) -> None:
    fake.script(Behaviour.of(TEXT[:5], TEXT[5:], usage=Usage(input=120, output=34, cached=100)))
    events, failure = await ask(adapter, model)
    assert failure is None
    assert join_text(events) == TEXT
    assert isinstance(events[-1], Finish)
    assert events[-1].reason == "stop"
    assert events[-1].usage is not None
    assert {"input": 120, "output": 34, "cached": 100}.items() <= events[-1].usage.items()


@pytest.mark.parametrize("model", MODELS)
async def test_reasoning_is_reasoning(adapter: ModelLister, fake: Fake, model: str) -> None:
    fake.script(Behaviour((Piece("Hm, ", "reasoning"), Piece("tides.", "reasoning"), Piece("Yes"))))
    events, failure = await ask(adapter, model)
    assert failure is None
    assert (join_text(events, "reasoning"), join_text(events)) == ("Hm, tides.", "Yes")


@pytest.mark.parametrize("model", MODELS)
async def test_a_reply_that_was_cut_for_its_length_says_so(
    adapter: ModelLister, fake: Fake, model: str
) -> None:
    fake.script(Behaviour.of("Too lo", finish="length"))
    events, _ = await ask(adapter, model)
    assert events[-1].reason == "length"


SHARED_FAILURES = ["wrong key", "no such model", "rate limited", "too long", "server error"]


@pytest.mark.parametrize("case", SHARED_FAILURES)
@pytest.mark.parametrize("model", MODELS)
async def test_an_error_of_the_provider_behind_it_keeps_its_meaning(
    adapter: ModelLister, fake: Fake, model: str, case: str
) -> None:
    wire: Wire = UPSTREAMS[model][1]
    in_words = f"{case}, in words only"  # the proxy drops the code of OpenAI's error
    answer, expected = wire.failures[in_words if in_words in wire.failures else case]
    fake.script(Behaviour(error=answer, times=None))
    events, failure = await ask(adapter, model)
    assert events == []
    assert isinstance(failure, expected), failure


async def test_an_unknown_model_and_a_wrong_key_are_told_apart(adapter: ModelLister) -> None:
    _, failure = await ask(adapter, "kelp-1")
    assert isinstance(failure, errors.ModelNotFound), failure
    _, failure = await ask(adapter, MODELS[0], key="sk-wrong-0123456789")
    assert isinstance(failure, errors.InvalidKey), failure


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fault", ["error_after", "cut_after"])
async def test_a_reply_that_breaks_is_not_complete(
    adapter: ModelLister, fake: Fake, model: str, fault: str
) -> None:
    overloaded = {"error": ErrorAnswer(0)} if fault == "error_after" else {}
    fake.script(Behaviour.of("Kelp ", "is ", "not", **{fault: 2}, **overloaded))
    events, failure = await ask(adapter, model)
    assert join_text(events) == "Kelp is "
    assert failure is not None
    assert not any(isinstance(event, Finish) for event in events)


@pytest.mark.parametrize("model", MODELS)
async def test_a_stop_reaches_the_provider_behind_it(
    adapter: ModelLister, fake: Fake, model: str
) -> None:
    fake.script(Behaviour.of(*["kelp "] * 500, delay=0.05))
    request = Request(model, (Turn("user", "?"),))
    async with aclosing(adapter.stream(request, Secret(KEY))) as events:
        async for event in events:
            if isinstance(event, Delta) and event.text:
                break

    async def is_closed() -> bool:
        [record] = await asyncio.to_thread(fake.requests)
        return record.state == "closed"

    await until_async(is_closed, within=30, what="the provider's connection is closed")


@pytest.fixture(scope="module")
def proxied_deployment(proxy: LiteLLM) -> Iterator[Deployment]:
    row = {"id": "litellm", "name": "LiteLLM", "url": proxy.url, "needs_key": True}
    rows = json.dumps([row])
    with Deployment("embedded", environment={"COMPATIBLE_PROVIDERS": rows}) as deployment:
        yield deployment


@pytest.mark.parametrize("model", MODELS)
def test_three_turns_with_a_reload_are_whole(
    proxied_deployment: Deployment, fake: Fake, model: str
) -> None:
    """The page of a running reply has the text so far; the next turns carry the earlier ones."""
    deployment = proxied_deployment
    person = deployment.person(f"person-{uuid4().hex[:8]}")
    person.add_key("litellm", KEY)
    until(lambda: model in person.get("/").text, within=30, what="the proxy's models are listed")
    fake.script(
        Behaviour.of("First ", "half.", hold_after=1),
        Behaviour.of("Second."),
        Behaviour.of("Third."),
    )
    stream = deployment.send(person, "One?", model=model)
    path = find_chat(deployment)
    until(lambda: "First " in person.get(path).text, what="the page has the first half")
    fake.release()
    wait_for_end(deployment, stream)
    chat = path.split("/")[2]
    for question in ("Two?", "Three?"):
        wait_for_end(deployment, deployment.send(person, question, model=model, conversation=chat))
    shown = person.get(path).text
    for text in ("First half.", "Second.", "Third."):
        assert text in shown
    *_, last = fake.requests()
    sent = json.dumps(last.body)
    for text in ("One?", "First half.", "Two?", "Second.", "Three?"):
        assert text in sent
