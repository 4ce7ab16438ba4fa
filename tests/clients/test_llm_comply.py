"""The published schemas of both APIs, by a tool that others wrote."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streaming.providers.tools import ToolCall
from tests.providers.tool_replies import ToolReply, encode_reply, script_body
from tests.skipping import skip_or_fail
from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person
from tools.fake_provider import Behaviour, Fake, Piece
from tools.services.llm_comply import ENVIRONMENT, Suite, run_llm_comply
from tools.services.python_environment import Missing

pytestmark = pytest.mark.prove

MODEL = "gpt-5.5"
UNSUPPORTED: dict[Suite, set[str]] = {
    "open-responses": {"image-input"},
    "openai-chat": {"chat-image-input"},
}
"""Tests of what the gateway refuses."""


@pytest.fixture(scope="module", autouse=True)
def install_llm_comply() -> None:
    try:
        ENVIRONMENT.install()
    except Missing as missing:
        skip_or_fail(str(missing))


@pytest.fixture(scope="module")
def person(provider: Fake) -> Iterator[Person]:
    with Deployment("embedded", environment={"OPENAI_BASE_URL": provider.openai}) as deployment:
        person = deployment.person()
        person.add_key("openai")
        yield person


@pytest.mark.parametrize("suite", UNSUPPORTED)
def test_everything_supported_complies(person: Person, fake: Fake, suite: Suite) -> None:
    # The tool has wrong names for the events of reasoning, so only this answer has some.
    thought = (Piece("Hm.", "reasoning"), Piece("555"))
    fake.script(Behaviour(pieces=thought, prompt="15 * 37", times=None))
    call = ToolCall("call_1", "get_weather", '{"location": "San Francisco"}')
    reply = encode_reply("openai", ToolReply((call,)))
    fake.script(script_body(reply, prompt="weather in San Francisco", times=None))
    fake.script(Behaviour.of("Hello ", "you ", "there.", times=None))
    found = run_llm_comply(person.base_url, person.create_token("gateway"), MODEL, suite)
    total = len(found.passed) + len(found.failed) + len(found.skipped)
    print(f"\nllm-comply {suite}: {len(found.passed)} of {total}, refused: {found.failed}")
    assert set(found.failed) == UNSUPPORTED[suite], found.errors
    assert not found.skipped
