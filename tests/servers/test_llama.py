"""llama.cpp's own server, with a model of random weights, as a row of COMPATIBLE_PROVIDERS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest

from streaming.events import Delta, Finish
from streaming.providers import errors
from streaming.providers.adapter import ModelLister
from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter
from streaming.providers.types import Request, Turn
from tests.providers.factories import collect_events, collect_until_error, join_text
from tests.servers.replies import find_chat, wait_for_end
from tests.skipping import skip_or_fail
from tools.deployment.deployment import Deployment
from tools.services.llama import CONTEXT_TOKENS, MODEL, Llama, llama
from tools.services.python_environment import Missing
from tools.waiting import until

pytestmark = [pytest.mark.prove, pytest.mark.timeout(600)]  # a server starts slowly

PROMPT = Request(MODEL, (Turn("user", "Kelp?"),), system="Be kind.", max_tokens=16)


@pytest.fixture(scope="module")
def server() -> Iterator[Llama]:
    try:
        with llama() as running:
            yield running
    except Missing as missing:
        skip_or_fail(str(missing))


@pytest.fixture
def adapter(server: Llama) -> ModelLister:
    return get_adapter("llama", base_url=server.url, name="llama.cpp")


async def test_its_model_is_listed_without_a_key_and_with_its_window(adapter: ModelLister) -> None:
    listed = await adapter.list_models(Secret(""))
    assert [(model.id, model.context_window) for model in listed] == [(MODEL, CONTEXT_TOKENS)]


async def test_a_reply_arrives_token_by_token_with_its_usage(adapter: ModelLister) -> None:
    events = await collect_events(adapter, PROMPT, key="")
    deltas = [event for event in events if isinstance(event, Delta) and event.text]
    assert len(deltas) > 8
    end = events[-1]
    assert isinstance(end, Finish)
    assert end.reason == "length"
    assert end.usage is not None
    assert end.usage["output"] == 16
    assert end.usage["input"] > len("Be kind.Kelp?")


async def test_the_second_request_rereads_the_first(adapter: ModelLister) -> None:
    first = (await collect_events(adapter, PROMPT, key=""))[-1]
    answer = join_text(await collect_events(adapter, PROMPT, key=""))
    turns = (*PROMPT.turns, Turn("assistant", answer), Turn("user", "And then?"))
    longer = Request(MODEL, turns, system="Be kind.", max_tokens=4)
    second = (await collect_events(adapter, longer, key=""))[-1]
    assert isinstance(first, Finish)
    assert isinstance(second, Finish)
    assert first.usage
    assert second.usage
    assert second.usage["cached"] >= first.usage["input"] - 16


async def test_a_prompt_beyond_the_context_is_too_long(adapter: ModelLister) -> None:
    request = Request(MODEL, (Turn("user", "k" * 2 * CONTEXT_TOKENS),))
    events, failure = await collect_until_error(adapter, request, key="")
    assert events == []
    assert isinstance(failure, errors.ContextTooLong), failure


async def test_a_reply_that_fills_the_context_is_cut_for_its_length(adapter: ModelLister) -> None:
    request = Request(MODEL, (Turn("user", "k" * (CONTEXT_TOKENS - 60)),))
    end = (await collect_events(adapter, request, key=""))[-1]
    assert isinstance(end, Finish)
    assert end.reason == "length"


@pytest.fixture(scope="module")
def local_deployment(server: Llama) -> Iterator[Deployment]:
    row = {"id": "llama", "name": "llama.cpp", "url": server.url, "models": [MODEL]}
    environment = {"COMPATIBLE_PROVIDERS": json.dumps([row])}
    with Deployment("embedded", environment=environment) as deployment:
        yield deployment


def test_a_reply_is_on_the_page_while_it_runs_and_can_be_stopped(
    local_deployment: Deployment,
) -> None:
    deployment = local_deployment
    person = deployment.person(f"person-{uuid4().hex[:8]}")
    stream = deployment.send(person, "Kelp?", model=MODEL, max_tokens="400")
    until(lambda: len(deployment.rows.text(stream)) > 20, within=90, what="text is stored")
    beginning = deployment.rows.text(stream)[:20]
    assert beginning in person.get(find_chat(deployment)).text
    person.post(f"/s/{stream}/stop/", {}, expect=None)
    until(lambda: deployment.rows.stream(stream)["state"] == "stopped", what="the reply stops")
    short = deployment.send(
        person,
        "And then?",
        model=MODEL,
        max_tokens="64",
        conversation=find_chat(deployment).split("/")[2],
    )
    wait_for_end(deployment, short)
