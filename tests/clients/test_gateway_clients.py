"""The stock clients of OpenAI's API, unmodified, against running servers. Whatever breaks, the text
is that of the journal in the end, byte for byte."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from openai import OpenAI

from streaming.providers.tools import ToolCall
from tests.clients.site import CONTINUATION, MODELS, ClientSite, create_owner_token, open_deployment
from tests.e2e.replies import find_runner
from tests.e2e.response_reader import read_text
from tests.providers.tool_replies import ToolReply, encode_reply, script_body
from tests.skipping import skip_or_fail
from tools.deployment.deployment import Deployment
from tools.deployment.stream_cutter import StreamCutter, StreamEnder
from tools.fake_provider import ErrorAnswer, Fake
from tools.services import Postgres, gateway_clients, node
from tools.services.gateway_clients import KINDS, GatewayClient, Kind
from tools.services.python_environment import Missing

pytestmark = [pytest.mark.prove, pytest.mark.timeout(900)]

MODEL = MODELS["openai"]
PLAIN_MODEL = MODEL.partition("/")[2]
"""A name that clients know, for which some send settings of their own."""
WORDS = tuple(f"tide {number} \N{WATER WAVE}\r\n" for number in range(60))
LONG = tuple(f"word {number}, " for number in range(400))
CUTS = 20
MAX_CUT_BYTES = 4_000
MAX_BROKEN_BYTES = 12_000
"""Less than a whole answer of `WORDS`."""
RESUMING: tuple[Kind, ...] = ("openai-js", "openai-js-helper", "pydantic-ai")
OTHERS: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind not in RESUMING)
"""These fail if the body breaks off."""
STOPPED: dict[Kind, str] = {"pydantic-ai": "None", "ai-sdk": "stop"}
"""The words of clients that do not say that a response was cancelled."""
COMPLETED: dict[Kind, str] = {"ai-sdk": "stop"}
CITY = "Zürich \N{WATER WAVE}"
IDLE_SECONDS = 35.0
"""Longer than two heartbeats."""


@pytest.fixture(scope="module", autouse=True)
def install_clients() -> None:
    try:
        gateway_clients.install()
    except (Missing, node.Missing) as missing:
        skip_or_fail(str(missing))


class Site(ClientSite):
    def open(self, kind: Kind, **task: Any) -> GatewayClient:
        given = {"url": self.deployment.base_url, "token": self.token, "model": MODEL}
        return self.clients.enter_context(GatewayClient(kind, given | task))

    def check(self, client: GatewayClient, question: str, text: str) -> None:
        """The client, the journal and the provider have the same text."""
        last = client.wait_for_end()
        answer = self.read_answer(question)
        end = COMPLETED.get(client.kind, "completed")
        assert (last.get("end"), answer["state"]) == (end, "completed"), last
        assert last["text"] == answer["content"] == text, client.kind
        # Pydantic AI 2.68 streams all text, but its result has only the text that the last of its
        # connections brought.
        values = text[-len(last["values"]) :] if client.kind == "pydantic-ai" else text
        assert last["values"] == values, client.kind

    def check_broken(self, client: GatewayClient, question: str, text: str) -> None:
        """The client noticed that its body broke off, and the rest can be read by the id."""
        last = client.wait_for_end()
        assert "error" in last or last["end"] != COMPLETED.get(client.kind, "completed"), last
        self.check_rest(client, question, text)

    def check_rest(self, client: GatewayClient, question: str, text: str) -> None:
        """Read what a client does not have. A client that knows no numbers reads everything."""
        known = {name: value for one in client.reports for name, value in one.items()}
        stream = UUID(str(self.read_answer(question)["uuid"]))
        assert known.get("id", f"resp_{stream.hex}") == f"resp_{stream.hex}"
        held, after = (client.text, known["after"]) if "after" in known else ("", 0)
        with self.connect() as sdk:
            rest = sdk.responses.retrieve(f"resp_{stream.hex}", stream=True, starting_after=after)
            assert held + read_text(list(rest)) == text
            assert sdk.responses.retrieve(f"resp_{stream.hex}").output_text == text
        assert text.startswith(client.text)
        assert self.read_answer(question)["content"] == text

    def connect(self) -> OpenAI:
        return OpenAI(base_url=f"{self.deployment.base_url}/v1", api_key=self.token)


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def deployment(
    request: pytest.FixtureRequest, postgres_server: Postgres, provider: Fake
) -> Iterator[Deployment]:
    with open_deployment(request.param, postgres_server, provider) as running:
        yield running


@pytest.fixture(scope="module")
def token(deployment: Deployment) -> str:
    return create_owner_token(deployment, "gateway")


@pytest.fixture
def site(deployment: Deployment, fake: Fake, token: str) -> Iterator[Site]:
    site = Site(deployment, fake, token)
    yield site
    site.close()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    kind: Kind = request.param
    return kind


@pytest.fixture
def question(kind: Kind) -> str:
    return f"question of {kind} {uuid4()}"


@pytest.mark.parametrize("model", [*MODELS.values(), PLAIN_MODEL])
def test_a_client_gets_a_whole_reply_of_each_provider(
    site: Site, kind: Kind, question: str, model: str
) -> None:
    text = site.script(question, *WORDS, delay=0.01)
    client = site.open(kind, question=question, model=model)
    site.check(client, question, text)


@pytest.mark.parametrize(("provider_name", "model"), [*MODELS.items(), ("openai", PLAIN_MODEL)])
def test_a_client_uses_a_function_of_its_own(
    site: Site, kind: Kind, question: str, provider_name: str, model: str
) -> None:
    output = f"It rains, says {uuid4()}."
    call = ToolCall("call_1", "get_weather", json.dumps({"city": CITY}))
    reply = encode_reply(provider_name, ToolReply((call,), thought="Hm."))
    site.fake.script(script_body(reply, prompt=question))
    text = site.script(output, *WORDS, delay=0.01)
    client = site.open(kind, question=question, model=model, tool_output=output)
    last = client.wait_for_end()
    assert client.get("city") == CITY
    assert (last["end"], last["values"]) == (COMPLETED.get(kind, "completed"), text), last
    first, second = site.fake.requests()[-2:]
    assert "get_weather" in json.dumps(first.body)
    assert output in json.dumps(second.body)
    assert "call_1" in json.dumps(second.body)


@pytest.mark.parametrize("kind", RESUMING)
def test_a_connection_that_is_cut_at_twenty_places_loses_and_doubles_nothing(
    site: Site, kind: Kind, question: str
) -> None:
    places = random.Random(KINDS.index(kind))
    lengths = [places.randint(1, MAX_CUT_BYTES) for _ in range(CUTS)]
    # Pydantic AI goes on after a proper end, at most ten times. It cancels the response if the body
    # breaks off.
    is_pydantic = kind == "pydantic-ai"
    cutter = StreamEnder if is_pydantic else StreamCutter
    replies = [lengths[:10], lengths[10:]] if is_pydantic else [lengths]
    for number, some in enumerate(replies):
        asked = f"{question} {number}"
        text = site.script(asked, *LONG, delay=0.05)
        with cutter(site.deployment.web.port, some) as proxy:
            site.check(site.open(kind, question=asked, url=proxy.url), asked, text)
            assert proxy.cut_count == len(some)


@pytest.mark.parametrize("kind", OTHERS)
def test_a_body_that_breaks_off_at_twenty_places_can_be_read_on(site: Site, kind: Kind) -> None:
    places = random.Random(KINDS.index(kind))
    lengths = [places.randint(1, MAX_BROKEN_BYTES) for _ in range(CUTS)]
    with StreamCutter(site.deployment.web.port, lengths) as proxy:
        for length in lengths:
            question = f"question of {kind} at {length} {uuid4()}"
            text = site.script(question, *WORDS, delay=0.01)
            client = site.open(kind, question=question, url=proxy.url)
            site.check_broken(client, question, text)
        assert proxy.cut_count == CUTS


@pytest.mark.parametrize("kind", RESUMING)
def test_another_process_goes_on_for_a_client_that_was_killed(
    site: Site, kind: Kind, question: str
) -> None:
    text = site.script(question, *WORDS, delay=0.05)
    client = site.open(kind, question=question)
    client.wait_for_text(20)
    client.kill()
    names = {"id": client.get("id"), "question": question}
    states: list[dict[str, Any]] = [{"after": 0}]
    if "after" in client.reports[-1]:
        states.append({name: client.reports[-1][name] for name in ("text", "after")})
    for state in states:
        site.check(site.open(kind, **names, **state), question, text)


@pytest.mark.parametrize("kind", OTHERS)
def test_the_rest_for_a_client_that_was_killed_can_be_read(
    site: Site, kind: Kind, question: str
) -> None:
    text = site.script(question, *WORDS, delay=0.05)
    client = site.open(kind, question=question)
    client.wait_for_text(20)
    client.kill()
    site.check_rest(client, question, text)


def test_a_client_notices_nothing_of_a_killed_worker(site: Site, kind: Kind, question: str) -> None:
    half, rest = "High tide comes hours after the moon ", "because the ocean cannot follow."
    site.script(question, half, "and never this.", hold_after=(1,))
    site.script(CONTINUATION, rest, delay=0.05)
    client = site.open(kind, question=question)
    client.wait_for_text(len(half))
    worker = find_runner(site.deployment, site.read_answer(question)["uuid"])
    worker.kill()
    site.check(client, question, half + rest)
    assert site.read_answer(question)["epoch"] == 2
    worker.start()


@pytest.mark.parametrize("kind", RESUMING)
def test_a_client_comes_back_after_the_web_process_was_drained(
    site: Site, kind: Kind, question: str
) -> None:
    text = site.script(question, *WORDS, delay=0.2)
    client = site.open(kind, question=question)
    client.wait_for_text(20)
    site.deployment.web.stop()
    site.deployment.web.start()
    site.check(client, question, text)


@pytest.mark.parametrize("kind", OTHERS)
def test_the_rest_can_be_read_after_the_web_process_was_drained(
    site: Site, kind: Kind, question: str
) -> None:
    text = site.script(question, *WORDS, delay=0.2)
    client = site.open(kind, question=question)
    client.wait_for_text(20)
    site.deployment.web.stop()
    client.wait_for_end()
    site.deployment.web.start()
    site.check_broken(client, question, text)


def test_a_stop_ends_the_stream_with_its_text(site: Site, kind: Kind, question: str) -> None:
    text = site.script(question, *WORDS, hold_after=(3,))
    client = site.open(kind, question=question)
    client.wait_for_text(20)
    if kind in RESUMING:
        stopping = site.open(kind, id=client.get("id"), stop=True)
        assert stopping.wait_for_end()["end"] == "cancelled"
    else:
        with site.connect() as sdk:
            assert sdk.responses.cancel(client.get("id")).status == "cancelled"
    last = client.wait_for_end()
    answer = site.read_answer(question)
    assert answer["state"] == "stopped"
    assert STOPPED.get(kind, "cancelled") in str(last.get("end") or last.get("error"))
    assert client.text == last.get("values", client.text) == answer["content"]
    assert client.text
    assert text.startswith(client.text)


def test_a_client_gets_the_reason_of_a_failure(site: Site, kind: Kind, question: str) -> None:
    site.script(question, error=ErrorAnswer(401), times=None)
    last = site.open(kind, question=question).wait_for_end()
    assert site.read_answer(question)["state"] == "failed"
    assert "API key" in last["error"]


def test_each_client_waits_as_long_as_the_model_does(site: Site) -> None:
    running = []
    for kind in KINDS:
        question = f"idle question of {kind} {uuid4()}"
        text = site.script(question, *WORDS, first_delay=IDLE_SECONDS)
        running.append((site.open(kind, question=question), question, text))
    for client, question, text in running:
        site.check(client, question, text)
