"""Programs that follow a response while a worker dies or a web process is replaced."""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
from openai import OpenAI

from streaming.providers.tools import ToolCall
from tests.e2e.conftest import StartDeployment
from tests.e2e.response_reader import ResponseReader
from tests.providers.tool_replies import ToolReply, encode_reply, script_body
from tools.deployment.deployment import Deployment, Server
from tools.fake_provider import Behaviour, Fake
from tools.waiting import until

pytestmark = pytest.mark.prove

MODEL = "gpt-5.5"
FIRST, SECOND = "High tide comes ", "hours after the moon."
TAKEOVER_SECONDS = 40


def connect(deployment: Deployment) -> OpenAI:
    person = deployment.person("programmer")
    person.add_key("openai")
    token = person.create_token("gateway")
    return OpenAI(base_url=f"{deployment.base_url}/v1", api_key=token, max_retries=0, timeout=60)


def read_in_thread(reader: ResponseReader) -> Thread:
    thread = Thread(target=reader.read_once, daemon=True)
    thread.start()
    until(lambda: reader.text == FIRST, what="the first half")
    return thread


def test_a_reader_notices_nothing_of_a_killed_worker(
    start_deployment: StartDeployment, fake: Fake
) -> None:
    fake.script(Behaviour.of(FIRST, "never", hold_after=(1,)), Behaviour.of(SECOND))
    deployment = start_deployment("stack", workers=1)
    with connect(deployment) as client:
        reader = ResponseReader(client, model=MODEL, input="Tell me.")
        thread = read_in_thread(reader)
        deployment.add_worker()
        deployment.workers[0].kill()
        thread.join(TAKEOVER_SECONDS)
        assert reader.has_ended
        assert (reader.text, reader.broken) == (FIRST + SECOND, 0)
        assert client.responses.retrieve(reader.id).output_text == FIRST + SECOND


def test_a_worker_that_is_killed_within_a_call_leaves_no_half_of_it(
    start_deployment: StartDeployment, fake: Fake
) -> None:
    call = ToolCall("call_1", "get_weather", '{"city": "Paris"}')
    whole = encode_reply("openai", ToolReply((call,), text=FIRST))
    half = whole[: whole.index(b"\n\n", whole.index(b'\\"Pa')) + 2]
    fake.script(script_body(half, end_after=None, stall_after=0), script_body(whole))
    deployment = start_deployment("stack", workers=1)
    with connect(deployment) as client:
        tool: Any = {"type": "function", "name": "get_weather", "parameters": {}}
        reader = ResponseReader(client, model=MODEL, input="Tell me.", tools=[tool])
        thread = read_in_thread(reader)
        deployment.add_worker()
        deployment.workers[0].kill()
        thread.join(TAKEOVER_SECONDS)
        assert reader.has_ended
        kinds = [event.type for event in reader.events]
        assert kinds.count("response.function_call_arguments.done") == 1
        items = client.responses.retrieve(reader.id).output
        assert [item.type for item in items] == ["message", "function_call"]
        assert items[1].to_dict()["arguments"] == call.arguments


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
@pytest.mark.parametrize("is_background", [True, False], ids=["background", "foreground"])
def test_a_drained_web_process_ends_each_body_in_its_own_way(
    start_deployment: StartDeployment, fake: Fake, server: Server, is_background: bool
) -> None:
    """A proper end lets some clients of a background response resume by themselves. Any other
    client has to notice that the answer is not complete."""
    fake.script(Behaviour.of(FIRST, SECOND, hold_after=(1,)))
    deployment = start_deployment("stack", server=server)
    with connect(deployment) as client:
        reader = ResponseReader(client, model=MODEL, input="Tell me.", background=is_background)
        thread = read_in_thread(reader)
        deployment.web.stop()
        thread.join(TAKEOVER_SECONDS)
        assert not reader.has_ended
        assert reader.broken == (0 if is_background else 1)
        deployment.web.start()
        fake.release()
        reader.read()
        assert reader.text == FIRST + SECOND
        assert reader.connections == 2
