"""The stock clients of the AI SDK, with their own transports, through everything that can happen to
a reply. At the end each of them has the text of the database, byte for byte."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.clients.cutting import CuttingLine
from tests.e2e.replies import find_runner
from tests.skipping import skip_or_fail
from tools.deployment.deployment import Deployment
from tools.fake_provider import Behaviour, ErrorAnswer, Fake, Piece
from tools.services import Postgres, ai_sdk, node
from tools.services.ai_sdk import StockClient
from tools.waiting import until

pytestmark = [pytest.mark.prove, pytest.mark.timeout(600)]

MODEL = "openai/gpt-5.5"
OPTIONS = {"body": {"model": MODEL}}
UNLIMITED = {
    "MAX_MESSAGES_PER_MINUTE": "100000",
    "MAX_TOKEN_REQUESTS_PER_MINUTE": "100000",
    "DRAIN_SECONDS": "1",
}
CREATE_TOKEN = """
from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
owner = User.objects.get(email="asker@holdfast.test")
print(create_token(owner, "Front end", [Scope.READ, Scope.WRITE], None)[1])
"""
WORDS = tuple(f"word {n} \N{WATER WAVE}\n" for n in range(120))
HALF = len(WORDS) // 2
CUTS = 20
BYTES = len("".join(WORDS).encode())
"""Less than any answer has."""
TAKEOVER_SECONDS = 30.0
TRANSPORTS = [(6, "http"), (7, "http"), (7, "ws")]


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def deployment(
    request: pytest.FixtureRequest, postgres_server: Postgres, provider: Fake
) -> Iterator[Deployment]:
    environment = UNLIMITED | {"OPENAI_BASE_URL": provider.openai}
    with Deployment(
        "stack",
        server=request.param,
        workers=2,
        environment=environment,
        database_server=postgres_server,
    ) as running:
        yield running


@pytest.fixture(scope="module")
def token(deployment: Deployment) -> str:
    deployment.person("asker").add_key("openai")
    return deployment.manage("shell", "-v", "0", "-c", CREATE_TOKEN).strip().splitlines()[-1]


@pytest.fixture(scope="module", params=TRANSPORTS, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def transport(request: pytest.FixtureRequest) -> tuple[int, str]:
    pair: tuple[int, str] = request.param
    return pair


@pytest.fixture(scope="module")
def client(transport: tuple[int, str]) -> Iterator[StockClient]:
    try:
        with ai_sdk.start_client(transport[0]) as client:
            yield client
    except node.Missing as missing:
        skip_or_fail(str(missing))


@dataclass
class Chat:
    """One chat of a stock client. `name` is the client's own."""

    client: StockClient
    name: str

    def run(self, order: str, **fields: Any) -> dict[str, Any]:
        return self.client.run(order, self.name, **fields)

    def ask(self, text: str = "Tell me of the sea.") -> dict[str, Any]:
        return self.run("send", text=text, options=OPTIONS)

    def begin(self, text: str = "Tell me of the sea.") -> None:
        self.run("begin", text=text, options=OPTIONS)

    def wait_for_words(self, count: int) -> None:
        until(
            lambda: read_parts(self.run("state")).count("\n") == count,
            what=f"{count} words have arrived",
        )

    def recover(self) -> dict[str, Any]:
        """Do what a person does after a failed connection: resume until there is an answer, and
        send the message again if it has not arrived."""
        state: dict[str, Any] = {}

        def has_answer() -> bool:
            nonlocal state
            state = self.run("resume")
            roles = [message["role"] for message in state["messages"]]
            if state["status"] == "ready" and roles[-1:] == ["user"]:
                state = self.run("regenerate", options=OPTIONS)
            return bool(state["status"] == "ready")

        until(has_answer, within=TAKEOVER_SECONDS, what="the answer is whole")
        return state


@pytest.fixture
def open_chat(
    deployment: Deployment, token: str, client: StockClient, transport: tuple[int, str]
) -> Callable[..., Chat]:
    """`open_chat(other, name, url)`: of another client, of an older name, at another address."""

    def open_new(other: StockClient | None = None, name: str = "", url: str = "") -> Chat:
        chat = Chat(other or client, name or f"chat {uuid4()}")
        address = url or deployment.base_url
        chat.run("open", url=address, token=token, transport=transport[1])
        return chat

    return open_new


def read_parts(state: dict[str, Any], kind: str = "text") -> str:
    parts = state["messages"][-1]["parts"]
    return "".join(part["text"] for part in parts if part["type"] == kind)


def read_answer(deployment: Deployment, state: dict[str, Any]) -> dict[str, Any]:
    """The row of the last message, as soon as its stream has ended."""
    id = UUID(state["messages"][-1]["id"])
    row = deployment.rows.one("chat_message", id=id)
    stream = deployment.rows.one("streaming_stream", id=row["stream_id"])
    until(
        lambda: (
            deployment.rows.stream(UUID(str(stream["uuid"])))["state"] not in ("queued", "running")
        ),
        within=TAKEOVER_SECONDS,
        what="the reply ends",
    )
    answer: dict[str, Any] = deployment.rows.one("chat_message", id=id)
    return answer


def assert_whole(deployment: Deployment, state: dict[str, Any]) -> None:
    """The client has the text of the database, once."""
    answer = read_answer(deployment, state)
    assert read_parts(state) == answer["content"]
    assert read_parts(state, "reasoning") == answer["reasoning"]
    assert [message["role"] for message in state["messages"]] == ["user", "assistant"]
    states = {part["state"] for part in state["messages"][-1]["parts"] if "state" in part}
    assert states == {"done"}


def script_answer(fake: Fake, **fields: Any) -> Behaviour:
    behaviour = Behaviour(pieces=tuple(map(Piece, WORDS)), **({"delay": 0.005} | fields))
    fake.script(behaviour)
    return behaviour


def test_a_message_is_answered(
    deployment: Deployment, fake: Fake, open_chat: Callable[..., Chat]
) -> None:
    behaviour = script_answer(fake)
    state = open_chat().ask()
    assert (state["status"], state["error"]) == ("ready", "")
    assert state["finishes"][-1]["finishReason"] == "stop"
    assert state["messages"][-1]["metadata"]["usage"]["outputTokens"] > 0
    assert read_parts(state) == behaviour.text
    assert_whole(deployment, state)


def test_a_reply_goes_on_from_the_one_before(
    deployment: Deployment, fake: Fake, open_chat: Callable[..., Chat]
) -> None:
    chat = open_chat()
    fake.script(Behaviour.of("One."), Behaviour.of("Two."), Behaviour.of("Three."))
    first = chat.ask()["messages"][-1]["id"]
    state = chat.ask("And the wind?")
    assert [read["role"] for read in state["messages"]] == ["user", "assistant"] * 2
    question = deployment.rows.one("chat_message", id=UUID(state["messages"][-1]["id"]))
    parent = deployment.rows.one("chat_message", id=question["parent_id"])
    assert UUID(str(parent["parent_id"])) == UUID(first)
    again = chat.run("regenerate")
    assert read_parts(again) == "Three."
    assert len(again["messages"]) == 4
    fake.script(Behaviour.of("Four."))
    edited = chat.run("edit", messageId=again["messages"][0]["id"], text="Tell me of the sky.")
    assert [read_parts(edited), len(edited["messages"])] == ["Four.", 2]


@pytest.mark.parametrize("number", range(CUTS))
def test_a_connection_is_cut_anywhere(
    deployment: Deployment, fake: Fake, open_chat: Callable[..., Chat], number: int
) -> None:
    """At twenty places, the same in every run; then the connection that resumes is cut as well.
    Some of the replies have ended by then."""
    places = random.Random(number)
    script_answer(fake, delay=places.choice([0.0, 0.005]))
    limits = [places.randrange(1, BYTES), places.randrange(1, BYTES)]
    with CuttingLine(deployment.web.port, limits) as line:
        chat = open_chat(url=line.url)
        assert chat.ask()["status"] == "error"
        assert_whole(deployment, chat.recover())
        assert line.cuts == 2


def test_a_client_that_was_killed_reads_on_after_a_reload(
    deployment: Deployment, fake: Fake, open_chat: Callable[..., Chat], transport: tuple[int, str]
) -> None:
    behaviour = script_answer(fake, hold_after=(HALF,))
    with ai_sdk.start_client(transport[0]) as killed:
        chat = open_chat(killed)
        chat.begin()
        chat.wait_for_words(HALF)
    fake.release()
    reloaded = open_chat(name=chat.name)
    state = reloaded.recover()
    assert read_parts(state) == behaviour.text == read_answer(deployment, state)["content"]


def test_a_worker_is_killed(
    deployment: Deployment, fake: Fake, open_chat: Callable[..., Chat]
) -> None:
    fake.script(
        Behaviour.of(*WORDS, hold_after=(HALF,)), Behaviour.of(*WORDS[HALF - 1 :], delay=0.005)
    )
    chat = open_chat()
    chat.begin()
    chat.wait_for_words(HALF)
    stream = UUID(chat.run("state")["messages"][-1]["metadata"]["streamId"])
    runner = find_runner(deployment, str(stream))
    runner.kill()
    runner.start()
    state = chat.run("finish")
    assert state["status"] == "ready"
    assert_whole(deployment, state)


def test_a_web_process_is_drained(
    deployment: Deployment, fake: Fake, open_chat: Callable[..., Chat]
) -> None:
    """The client takes it for a failure of the connection, and not for the end of the answer."""
    behaviour = script_answer(fake, hold_after=(HALF,))
    chat = open_chat()
    chat.begin()
    chat.wait_for_words(HALF)
    deployment.web.stop(by=signal.SIGTERM)
    state = chat.run("finish")
    assert state["status"] == "error"
    assert state["finishes"][-1]["isError"]
    deployment.web.start()
    fake.release()
    state = chat.recover()
    assert read_parts(state) == behaviour.text
    assert_whole(deployment, state)


def test_an_answer_is_stopped(
    deployment: Deployment,
    fake: Fake,
    open_chat: Callable[..., Chat],
    token: str,
    transport: tuple[int, str],
) -> None:
    """Over HTTP with a request of its own. Over the socket the client says so itself."""
    script_answer(fake, hold_after=(3,))
    chat = open_chat()
    chat.begin()
    chat.wait_for_words(3)
    if transport[1] == "http":
        path = f"{deployment.base_url}/api/chat/{chat.name}/stop"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        assert deployment.person("asker").http.post(path, headers=headers).status_code == 204
    else:
        chat.run("stop")
    state = chat.run("finish")
    assert (state["status"], read_parts(state)) == ("ready", "".join(WORDS[:3]))
    answer = read_answer(deployment, state)
    assert answer["content"] == "".join(WORDS[:3])
    stream = deployment.rows.one("streaming_stream", id=answer["stream_id"])
    assert stream["state"] == "stopped"


def test_a_failure_is_told_with_a_sentence(
    deployment: Deployment, fake: Fake, open_chat: Callable[..., Chat]
) -> None:
    fake.script(Behaviour.of("Half. ", error_after=1, error=ErrorAnswer(0)))
    state = open_chat().ask()
    assert state["status"] == "error"
    answer = read_answer(deployment, state)
    stream = deployment.rows.one("streaming_stream", id=answer["stream_id"])
    assert state["error"] == stream["error"] != ""
    assert read_parts(state) == answer["content"] == "Half. "


def test_a_refusal_is_told_with_a_sentence(open_chat: Callable[..., Chat]) -> None:
    chat = open_chat()
    state = chat.run("send", text="Hm?", options={"body": {"model": "anthropic/claude-x"}})
    assert state["status"] == "error"
    assert "claude-x" in state["error"]


def test_there_is_nothing_to_resume(open_chat: Callable[..., Chat]) -> None:
    state = open_chat().run("resume")
    assert (state["status"], state["messages"], state["error"]) == ("ready", [], "")
