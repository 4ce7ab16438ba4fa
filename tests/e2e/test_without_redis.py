"""Redis is away or frozen: slower, never wrong. This includes signing in, sending and reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PageErrors, StartDeployment
from tests.e2e.replies import find_newest_reply, read_stream_id, send_message, wait_for_reply
from tools.deployment.deployment import Deployment
from tools.fake_provider import Behaviour, Fake
from tools.waiting import until

WORDS = [f"word{n:03} " for n in range(80)]
MAX_PAUSE_MS = 2_000  # milliseconds that a growing reply may pause

WATCH = """reply => {
    let last = performance.now();
    window.longestPause = 0;
    new MutationObserver(() => {
        window.longestPause = Math.max(window.longestPause, performance.now() - last);
        last = performance.now();
    }).observe(reply, {childList: true, characterData: true, subtree: true});
}"""


@pytest.mark.parametrize(
    ("fault", "moment"),
    [
        ("killed", "before the first token"),
        ("frozen", "in the middle"),
        pytest.param("killed", "in the middle", marks=pytest.mark.prove),
        pytest.param("frozen", "before the first token", marks=pytest.mark.prove),
    ],
)
def test_everything_works_without_redis(
    start_deployment: StartDeployment,
    fake: Fake,
    open_page: Callable[..., Page],
    page_errors: PageErrors,
    fault: Literal["killed", "frozen"],
    moment: str,
) -> None:
    page_errors.allow("ERR_|WebSocket|Failed to (load|fetch)")
    deployment = start_deployment("stack")
    owner = deployment.person("owner")
    owner.add_key("openai")
    page = open_page(owner)
    early = moment == "before the first token"
    hold = 0 if early else 10
    fake.script(Behaviour.of(*WORDS, delay=0.1, hold_after=hold), Behaviour.of("Second."))
    send_message(page, "Count.")
    stream = read_stream_id(page)
    fake.wait_for("held")
    if not early:
        expect(find_newest_reply(page)).to_contain_text("word009")
    break_redis(deployment, fault)
    fake.release()
    expect(find_newest_reply(page)).to_contain_text("word012", timeout=20_000)
    find_newest_reply(page).evaluate(WATCH)

    owner.sign_in()
    second = deployment.send(owner, "And again?", model="gpt-5.5")
    until(lambda: deployment.rows.stream(second)["state"] == "completed", within=20)
    assert deployment.rows.message(second)["content"] == "Second."

    wait_for_reply(page, within=30)
    assert deployment.rows.message(stream)["content"] == "".join(WORDS)
    expect(find_newest_reply(page)).to_contain_text("word079")
    assert page.evaluate("window.longestPause") < MAX_PAUSE_MS


def break_redis(deployment: Deployment, fault: str) -> None:
    assert deployment.redis is not None
    if fault == "killed":
        deployment.redis.kill()
    else:
        deployment.redis.pause()
