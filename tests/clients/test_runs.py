"""The stock clients of the doors for runs, unmodified, against running servers: LangGraph's SDKs in
both languages, which go on by themselves, and AG-UI's HttpAgent. Whatever breaks, the client's text
is that of the journal in the end, byte for byte."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.replies import find_runner
from tests.skipping import skip_or_fail
from tools.deployment.deployment import ROOT, Deployment
from tools.deployment.stream_cutter import StreamCutter
from tools.fake_provider import Behaviour, ErrorAnswer, Fake, Piece
from tools.services import Postgres, node, run_clients
from tools.services.python_environment import Missing
from tools.services.run_clients import KINDS, Kind, RunClient
from tools.waiting import until

pytestmark = [pytest.mark.prove, pytest.mark.timeout(900)]

MODELS = {
    "openai": "openai/gpt-5.5",
    "anthropic": "anthropic/claude-sonnet-4-6",
    "google": "google/gemini-2.5-pro",
}
MODEL = MODELS["openai"]
WORDS = tuple(f"tide {number} \N{WATER WAVE}\r\n" for number in range(60))
CUTS = 20
MAX_CUT_BYTES = 3_000
LONG = tuple(f"word {number}, " for number in range(900))
CONTINUATION = "cut off by a technical fault"
"""A part of the prompt of a second attempt."""
IDLE_SECONDS = 35.0
"""Longer than the time after which LangGraph's client takes a silent connection for a dead one."""
CREATE_TOKEN = """
from accounts.models import User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token
owner = User.objects.get(email="owner@holdfast.test")
print("token", create_token(owner, "Stock clients", [Scope.WRITE], None)[1])
"""
UNLIMITED = {
    "MAX_MESSAGES_PER_MINUTE": "1000000",
    "MAX_TOKEN_REQUESTS_PER_MINUTE": "1000000",
    "MAX_UNFINISHED_REPLIES_PER_USER": "1000",
}


@pytest.fixture(scope="module", autouse=True)
def install_clients() -> None:
    try:
        run_clients.install()
    except (Missing, node.Missing) as missing:
        skip_or_fail(str(missing))


class Site:
    """A deployment with a person who has keys of all providers and a token."""

    def __init__(self, deployment: Deployment, fake: Fake) -> None:
        self.deployment, self.fake = deployment, fake
        person = deployment.person("owner")
        for provider in MODELS:
            person.add_key(provider)
        output = deployment.manage("shell", "-v", "0", "-c", CREATE_TOKEN)
        self.token = output.rpartition("token ")[2].strip()
        self._clients = ExitStack()

    def script(self, question: str, *pieces: str, **fields: Any) -> str:
        """Script the answer to a question, and return its whole text."""
        behaviour = Behaviour(tuple(map(Piece, pieces)), prompt=question, **fields)
        self.fake.script(behaviour)
        return behaviour.text

    def open(self, kind: Kind, **task: Any) -> RunClient:
        # An AG-UI client names its thread and its run.
        names = {"thread": f"t {uuid4()}", "run": f"r {uuid4()}"} if kind == "ag-ui" else {}
        given = {"url": self.deployment.base_url, "token": self.token, "model": MODEL}
        return self._clients.enter_context(RunClient(kind, given | names | task))

    def close(self) -> None:
        self._clients.close()

    def read_answer(self, question: str) -> dict[str, Any]:
        """The answer to a question, as the database has it, with its stream."""
        [asked] = self.deployment.rows.query(
            "SELECT id FROM chat_message WHERE role = 'user' AND content = %s", question
        )
        [answer] = self.deployment.rows.query(
            "SELECT m.content, s.uuid, s.state, s.epoch FROM chat_message m "
            "JOIN streaming_stream s ON s.id = m.stream_id WHERE m.parent_id = %s",
            asked["id"],
        )
        return dict(answer)

    def check(self, client: RunClient, question: str, text: str) -> None:
        """The client, the journal and the provider have the same text."""
        last = client.wait_for_end()
        answer = self.read_answer(question)
        assert "error" not in last, last
        assert last["text"] == answer["content"] == text, client.kind
        assert last["values"] == text, client.kind
        assert answer["state"] == "completed"


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def deployment(
    request: pytest.FixtureRequest, postgres_server: Postgres, provider: Fake
) -> Iterator[Deployment]:
    environment = UNLIMITED | {
        "OPENAI_BASE_URL": provider.openai,
        "ANTHROPIC_BASE_URL": provider.anthropic,
        "GOOGLE_GEMINI_BASE_URL": provider.google,
    }
    with Deployment(
        "stack",
        server=request.param,
        workers=2,
        environment=environment,
        database_server=postgres_server,
    ) as running:
        yield running


@pytest.fixture
def site(deployment: Deployment, fake: Fake) -> Iterator[Site]:
    site = Site(deployment, fake)
    yield site
    site.close()


def run_all(site: Site, name: str, *pieces: str, **fields: Any) -> list[tuple[RunClient, str, str]]:
    """Start each client with a question of its own. Return them with question and text."""
    running = []
    for kind in KINDS:
        question = f"{name} of {kind} {uuid4()}"
        text = site.script(question, *pieces, **fields)
        running.append((site.open(kind, question=question), question, text))
    return running


@pytest.mark.parametrize("provider_name", MODELS)
def test_each_client_gets_a_whole_reply_of_each_provider(site: Site, provider_name: str) -> None:
    for kind in KINDS:
        question = f"send of {kind} {uuid4()}"
        text = site.script(question, *WORDS, delay=0.01)
        client = site.open(kind, question=question, model=MODELS[provider_name])
        site.check(client, question, text)


def test_the_programs_of_the_documents_work(site: Site, tmp_path: Path) -> None:
    question = "Why do tides lag the moon?"
    for name, suffix in (("doors-langgraph", "python"), ("doors-ag-ui", "js")):
        page = (ROOT / "docs" / f"{name}.md").read_text()
        [code] = re.findall(rf"```{suffix}\n(.*?)```", page, re.DOTALL)
        code = code.replace("https://chat.example.org", site.deployment.base_url)
        text = site.script(question, *WORDS)
        output = run_clients.run_program(suffix, code.replace("hft_…", site.token), tmp_path)
        assert output.rstrip("\n").encode() == text.rstrip("\n").encode()


def test_each_client_survives_a_connection_that_is_cut_at_twenty_places(site: Site) -> None:
    proxies: list[StreamCutter] = []
    with ExitStack() as stack:
        running = []
        for number, kind in enumerate(KINDS):
            places = random.Random(number)
            lengths = [places.randint(1, MAX_CUT_BYTES) for _ in range(CUTS)]
            proxy = stack.enter_context(StreamCutter(site.deployment.web.port, lengths))
            proxies.append(proxy)
            question = f"cut of {kind} {uuid4()}"
            text = site.script(question, *LONG, delay=0.08)
            running.append((site.open(kind, question=question, url=proxy.url), question, text))
        for client, question, text in running:
            site.check(client, question, text)
    print("\ncuts:", dict(zip(KINDS, [proxy.cut_count for proxy in proxies], strict=True)))
    assert all(proxy.cut_count == CUTS for proxy in proxies)


def test_another_process_goes_on_for_a_client_that_was_killed(site: Site) -> None:
    for client, question, text in run_all(site, "kill", *WORDS, delay=0.05):
        client.wait_for_text(20)
        names = {"thread": client.get("thread"), "run": client.get("run")}
        last = client.reports[-1]
        client.kill()
        held = {} if client.kind == "ag-ui" else {"text": last["text"], "after": last["id"]}
        for state in ({}, held):
            site.check(site.open(client.kind, **names, **state), question, text)


def test_no_client_notices_that_the_worker_was_killed(site: Site) -> None:
    half, rest = "High tide comes hours after the moon ", "because the ocean cannot follow."
    for kind in KINDS:
        question = f"worker of {kind} {uuid4()}"
        site.script(question, half, "and never this.", hold_after=(1,))
        site.script(CONTINUATION, rest, delay=0.05)
        client = site.open(kind, question=question)
        client.wait_for_text(len(half))
        worker = find_runner(site.deployment, site.read_answer(question)["uuid"])
        worker.kill()
        site.check(client, question, half + rest)
        assert site.read_answer(question)["epoch"] == 2
        worker.start()


def test_each_client_comes_back_after_the_web_process_was_drained(site: Site) -> None:
    running = run_all(site, "drain", *WORDS, delay=0.2)
    for client, _, _ in running:
        client.wait_for_text(20)
    site.deployment.web.stop()
    site.deployment.web.start()
    for client, question, text in running:
        site.check(client, question, text)


def test_each_client_can_stop_its_run(site: Site) -> None:
    for client, question, text in run_all(site, "stop", *WORDS, hold_after=(3,)):
        client.wait_for_text(20)
        names = {"thread": client.get("thread"), "run": client.get("run")}
        site.open(client.kind, **names, stop=True).wait_for_end()
        last = client.wait_for_end()
        answer = site.read_answer(question)
        assert answer["state"] == "stopped"
        assert last["text"] == last["values"] == answer["content"]
        assert text.startswith(last["text"])
        assert last["end"] == ("cancelled" if client.kind == "ag-ui" else "interrupted")


def test_each_client_gets_the_reason_of_a_failure(site: Site) -> None:
    error = ErrorAnswer(401)
    for client, question, _ in run_all(site, "failure", error=error, times=None):
        last = client.wait_for_end()
        assert site.read_answer(question)["state"] == "failed"
        assert last["error"] == "invalid_key", last


def test_each_client_waits_as_long_as_the_model_does(site: Site) -> None:
    for client, question, text in run_all(site, "idle", *WORDS, first_delay=IDLE_SECONDS):
        site.check(client, question, text)


def test_an_aborted_request_stops_nothing(site: Site) -> None:
    for client, question, text in run_all(site, "abort", *WORDS, delay=0.05):
        client.wait_for_text(20)
        client.kill()
        completed = wait_for_completion(site, question)
        assert completed["content"] == text


def wait_for_completion(site: Site, question: str) -> dict[str, Any]:
    def read_completed() -> dict[str, Any] | None:
        answer = site.read_answer(question)
        return answer if answer["state"] == "completed" else None

    answer = until(read_completed, what="the reply is complete")
    assert answer is not None
    return answer
