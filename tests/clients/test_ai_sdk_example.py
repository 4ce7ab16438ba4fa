"""The example front end, as its README says, in a browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.clients.test_ai_sdk import CREATE_TOKEN
from tests.skipping import skip_or_fail
from tools.deployment.deployment import Deployment
from tools.fake_provider import Behaviour, Fake
from tools.services import ai_sdk, node
from tools.services.program import Program, free_port, is_listening, scratch_folder

pytestmark = [pytest.mark.prove, pytest.mark.page, pytest.mark.timeout(300)]

WORDS = tuple(f"word {n}, " for n in range(40))
HALF = len(WORDS) // 2


@pytest.fixture
def deployment(provider: Fake) -> Iterator[Deployment]:
    with Deployment("embedded", environment={"OPENAI_BASE_URL": provider.openai}) as running:
        yield running


@pytest.fixture
def front_end(deployment: Deployment) -> Iterator[Program]:
    deployment.person("asker").add_key("openai")
    token = deployment.manage("shell", "-v", "0", "-c", CREATE_TOKEN).strip().splitlines()[-1]
    try:
        executable = ai_sdk.EXAMPLE.install()
    except node.Missing as missing:
        skip_or_fail(str(missing))
    folder = ai_sdk.EXAMPLE.copy_programs()
    shutil.copy(ai_sdk.EXAMPLE.pinned / "app.jsx", folder)
    port = free_port()
    program = Program(
        "example",
        [str(executable), str(folder / "server.mjs")],
        log=scratch_folder("example") / "log",
        ready=lambda: is_listening(port),
        environment=node.environment()
        | {"HOLDFAST_URL": deployment.base_url, "HOLDFAST_TOKEN": token, "PORT": str(port)},
        cwd=Path(folder),
    )
    program.start()
    yield program
    program.stop()


def get_address(front_end: Program) -> str:
    assert front_end.environment
    return f"http://127.0.0.1:{front_end.environment['PORT']}"


@pytest.fixture
def page(browser: Browser, front_end: Program) -> Iterator[Page]:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(get_address(front_end))
        yield page


def ask(page: Page, text: str) -> None:
    page.get_by_label("Message").fill(text)
    page.get_by_role("button", name="Send").click()


def test_a_reload_in_the_middle_of_a_reply_loses_nothing(fake: Fake, page: Page) -> None:
    fake.script(Behaviour.of(*WORDS, hold_after=(HALF,)))
    ask(page, "Tell me of the sea.")
    answer = page.locator('[data-role="assistant"]')
    expect(answer).to_contain_text(WORDS[HALF - 1].strip())
    page.reload()
    expect(answer).to_contain_text(WORDS[HALF - 1].strip())
    fake.release()
    expect(answer.locator("p")).to_have_text("".join(WORDS).strip())
    expect(page.locator("output")).to_have_text("ready")
    expect(page.locator("article")).to_have_count(2)
    page.reload()
    expect(answer.locator("p")).to_have_text("".join(WORDS).strip())
    expect(page.locator("article")).to_have_count(2)


def test_a_reply_is_stopped(fake: Fake, page: Page) -> None:
    fake.script(Behaviour.of(*WORDS, hold_after=(3,)))
    ask(page, "Tell me of the sea.")
    expect(page.locator('[data-role="assistant"]')).to_contain_text("word 2,")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("output")).to_have_text("ready")
    expect(page.locator('[data-role="assistant"] p')).to_have_text("word 0, word 1, word 2,")


def test_pages_of_other_sites_get_nothing(page: Page, front_end: Program) -> None:
    request = page.context.request
    own = get_address(front_end)
    for headers in ({"Origin": "http://127.0.0.1:9"}, {"Host": "rebound.example.org"}, {}):
        answer = request.post(f"{own}/api/chat/x/stop", headers=headers)
        assert answer.status == 403, headers
