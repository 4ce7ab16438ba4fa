"""OpenAI's own SDK against a running deployment, over lines that break."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from openai import OpenAI

from streaming.providers.tools import ToolCall
from tests.e2e.response_reader import ResponseReader, describe, read_text
from tests.providers.tool_replies import ToolReply, encode_reply, script_body
from tools.deployment.cutting_proxy import CuttingProxy
from tools.deployment.deployment import Deployment
from tools.fake_provider import Behaviour, ErrorAnswer, Fake, Piece

pytestmark = pytest.mark.page

MODEL = "gpt-5.5"
CUTS = 20
MAX_BYTES_BEFORE_CUT = 4_000
WORDS = tuple(f"word{n} " for n in range(120))
THOUGHTS = tuple(Piece(f"thought{n} ", "reasoning") for n in range(20))
RUNNING = Behaviour((*THOUGHTS, *(Piece(word) for word in WORDS)), delay=0.015)

Connect = Callable[[str], OpenAI]


@pytest.fixture(scope="module")
def token(deployment: Deployment) -> str:
    person = deployment.person("programmer")
    person.add_key("openai")
    return person.create_token("gateway")


@pytest.fixture
def connect(token: str) -> Iterator[Connect]:
    """`connect(url)` returns an SDK that sends nothing again by itself."""
    clients: list[OpenAI] = []

    def create(url: str) -> OpenAI:
        client = OpenAI(base_url=f"{url}/v1", api_key=token, max_retries=0, timeout=30)
        clients.append(client)
        return client

    yield create
    for client in clients:
        client.close()


@pytest.fixture
def client(connect: Connect, deployment: Deployment) -> OpenAI:
    return connect(deployment.base_url)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.prove)])
def test_a_line_that_is_cut_everywhere_loses_and_doubles_nothing(
    deployment: Deployment, connect: Connect, client: OpenAI, fake: Fake, seed: int
) -> None:
    fake.script(RUNNING)
    random = Random(seed)
    cuts = [random.randint(1, MAX_BYTES_BEFORE_CUT) for _ in range(CUTS)]
    with CuttingProxy(deployment.web.port, cuts) as proxy:
        far = connect(proxy.url)
        reader = ResponseReader(far, model=MODEL, input="Tell me.", background=True)
        reader.read()
        assert proxy.cut_count == CUTS, "the reply was over before all cuts"
    numbers = [event.sequence_number for event in reader.events]
    assert numbers == sorted(set(numbers))
    assert reader.text == RUNNING.text
    whole = list(client.responses.retrieve(reader.id, stream=True))
    assert describe(whole) == describe(reader.events)
    assert client.responses.retrieve(reader.id).output_text == RUNNING.text
    assert len(fake.requests()) == 1


def test_another_machine_continues_where_a_killed_program_was(
    connect: Connect, deployment: Deployment, fake: Fake
) -> None:
    fake.script(Behaviour.of(*WORDS[:10], hold_after=(4,)))
    killed = connect(deployment.base_url)
    events = killed.responses.create(model=MODEL, input="Tell me.", stream=True, background=True)
    seen = [next(events)]
    while read_text(seen) != "".join(WORDS[:4]):
        seen.append(next(events))
    events.close()
    fake.release()
    assert seen[0].type == "response.created"
    rest = connect(deployment.base_url).responses.retrieve(
        seen[0].response.id, stream=True, starting_after=seen[-1].sequence_number
    )
    assert read_text([*seen, *rest]) == "".join(WORDS[:10])


def test_a_stop_from_elsewhere_ends_a_stream_with_its_text(client: OpenAI, fake: Fake) -> None:
    fake.script(Behaviour.of("Half of ", "nothing.", hold_after=(1,)))
    events = iter(client.responses.create(model=MODEL, input="Tell me.", stream=True))
    first = next(events)
    assert first.type == "response.created"
    while next(events).type != "response.output_text.delta":
        pass
    assert client.responses.cancel(first.response.id).status == "cancelled"
    last = list(events)[-1]
    assert last.type == "response.incomplete"
    assert (last.response.status, last.response.output_text) == ("cancelled", "Half of ")


def test_the_program_of_the_document_runs(
    deployment: Deployment,
    token: str,
    fake: Fake,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake.script(Behaviour.of("The moon ", "pulls."))
    monkeypatch.setenv("OPENAI_BASE_URL", f"{deployment.base_url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", token)
    document = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()
    program, tool_program = re.findall(r"```python\n(.*?)```", document, re.S)
    exec(compile(program, "gateway.md", "exec"), {})
    assert capsys.readouterr().out == "The moon pulls."
    call = ToolCall("call_1", "get_weather", '{"city": "Paris"}')
    fake.script(script_body(encode_reply("openai", ToolReply((call,))), prompt="rain in Paris"))
    fake.script(Behaviour.of("Take an umbrella.", prompt="It rains."))
    exec(compile(tool_program, "gateway.md", "exec"), {"client": OpenAI()})
    assert capsys.readouterr().out == "Take an umbrella.\n"


def test_a_failure_has_the_sentence_for_people(client: OpenAI, fake: Fake) -> None:
    fake.script(Behaviour(error=ErrorAnswer(401)))
    *_, last = client.responses.create(model=MODEL, input="Tell me.", stream=True)
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert last.response.error.code == "server_error"
    assert "API key" in last.response.error.message


def test_a_program_gets_what_the_model_says(client: OpenAI, fake: Fake) -> None:
    fake.script(Behaviour.of("Blue ", "\N{WATER WAVE}", times=2))
    answer = client.responses.create(
        model=f"openai/{MODEL}", input="Which colour?", instructions="One word.", store=False
    )
    assert (answer.output_text, answer.status) == ("Blue \N{WATER WAVE}", "completed")
    assert answer.usage is not None
    completion = client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "assistant", "content": "Hello!"},
            {"role": "user", "content": "Which colour?"},
        ],
        reasoning_effort="low",
    )
    assert completion.choices[0].message.content == "Blue \N{WATER WAVE}"
    first, second = fake.requests()
    assert first.body["instructions"] == "One word."
    assert second.body["reasoning"]["effort"] == "low"
