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

from tests.clients.site import CONTINUATION, MODELS, ClientSite, create_owner_token, open_deployment
from tests.e2e.replies import find_runner
from tests.skipping import skip_or_fail
from tools.deployment.deployment import ROOT, Deployment
from tools.deployment.stream_cutter import StreamCutter
from tools.fake_provider import ErrorAnswer, Fake
from tools.services import Postgres, node, run_clients
from tools.services.python_environment import Missing
from tools.services.run_clients import KINDS, Kind, RunClient
from tools.waiting import until

pytestmark = [pytest.mark.prove, pytest.mark.timeout(900)]

MODEL = MODELS["openai"]
WORDS = tuple(f"tide {number} \N{WATER WAVE}\r\n" for number in range(60))
CUTS = 20
MAX_CUT_BYTES = 3_000
LONG = tuple(f"word {number}, " for number in range(900))
IDLE_SECONDS = 35.0
"""Longer than the time after which LangGraph's client takes a silent connection for a dead one."""


@pytest.fixture(scope="module", autouse=True)
def install_clients() -> None:
    try:
        run_clients.install()
    except (Missing, node.Missing) as missing:
        skip_or_fail(str(missing))


class Site(ClientSite):
    def open(self, kind: Kind, **task: Any) -> RunClient:
        # An AG-UI client names its thread and its run.
        names = {"thread": f"t {uuid4()}", "run": f"r {uuid4()}"} if kind == "ag-ui" else {}
        given = {"url": self.deployment.base_url, "token": self.token, "model": MODEL}
        return self.clients.enter_context(RunClient(kind, given | names | task))

    def has_text(self, question: str) -> bool:
        rows = self.deployment.rows.query(
            "SELECT s.next_index FROM streaming_stream s JOIN chat_message a ON a.stream_id = s.id "
            "JOIN chat_message q ON q.id = a.parent_id WHERE q.content = %s AND s.next_index > 5",
            question,
        )
        return bool(rows)

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
    with open_deployment(request.param, postgres_server, provider) as running:
        yield running


@pytest.fixture(scope="module")
def token(deployment: Deployment) -> str:
    return create_owner_token(deployment, "write")


@pytest.fixture
def site(deployment: Deployment, fake: Fake, token: str) -> Iterator[Site]:
    site = Site(deployment, fake, token)
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


def test_a_client_that_waits_comes_back_after_the_web_process_was_drained(site: Site) -> None:
    """Of the stock clients only the SDK for Python goes on by itself when it waits."""
    question = f"wait {uuid4()}"
    text = site.script(question, *WORDS, delay=0.2)
    client = site.open("langgraph-python", question=question, wait=True)
    until(lambda: site.has_text(question), what="the run has text")
    site.deployment.web.stop()
    site.deployment.web.start()
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
        assert site.wait_for_completion(question)["content"] == text
