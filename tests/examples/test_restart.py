"""examples/holdfast_client.py while the server restarts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from uuid import UUID

import pytest

from examples.holdfast_client import Holdfast, SoFar
from tools.deployment.deployment import Deployment
from tools.fake_provider import Behaviour, Fake
from tools.services import Postgres
from tools.waiting import until

pytestmark = [pytest.mark.prove, pytest.mark.timeout(180)]

MODEL = "gpt-5.5"
CREATE_TOKEN = """
from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
print(create_token(User.objects.get(), "Program", [Scope.WRITE], None)[1])
"""


@pytest.fixture
def deployment(provider: Fake, postgres_server: Postgres) -> Iterator[Deployment]:
    environment = {"OPENAI_BASE_URL": provider.openai}
    with Deployment(
        "stack", environment=environment, database_server=postgres_server
    ) as deployment:
        yield deployment


def create_token(deployment: Deployment) -> str:
    found = re.search(r"hft_[\w-]+", deployment.manage("shell", "-v", "0", "-c", CREATE_TOKEN))
    assert found
    return found[0]


def test_a_reply_arrives_whole_over_a_stop_and_a_kill_of_the_server(
    deployment: Deployment, fake: Fake
) -> None:
    deployment.person("owner").add_key("openai")
    behaviour = Behaviour.of(*(f"word {number}, " for number in range(100)), delay=0.1)
    fake.script(behaviour)

    def restart(stream: str) -> None:
        """Once by SIGTERM and once by SIGKILL, each time in the middle of the text."""
        until(lambda: "word 10," in deployment.rows.text(stream))
        deployment.web.stop()
        deployment.web.start()
        until(lambda: "word 50," in deployment.rows.text(stream))
        deployment.web.kill()
        deployment.web.start()

    async def ask(holdfast: Holdfast) -> tuple[str, SoFar]:
        reply = await holdfast.send("Why do tides lag the moon?", model=MODEL)
        restarting = asyncio.create_task(asyncio.to_thread(restart, reply["stream"]))
        last = SoFar()
        async for last in holdfast.follow(reply["stream"]):
            assert behaviour.text.startswith(last.text)
        await restarting
        return reply["stream"], last

    stream, so_far = asyncio.run(ask(Holdfast(deployment.base_url, create_token(deployment))))
    assert so_far.text == behaviour.text
    assert so_far.cursor == deployment.rows.chunks(UUID(stream))[-1]["index"]
    assert len(fake.requests()) == 1
