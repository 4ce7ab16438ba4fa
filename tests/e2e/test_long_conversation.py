"""A conversation of a thousand messages: its newest ones first, older ones as they are asked for,
and nothing moves under the reader."""

from collections.abc import Callable
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.deployment import Deployment
from tests.waiting import until

MESSAGES = 1000

READ_NOW = """() => [...document.querySelectorAll("article")]
    .find((article) => article.getBoundingClientRect().bottom > 0)"""

GROW = """
from chat.models import Conversation, Message
from streaming.providers.demo import compose
chat = Conversation.objects.get(pk="{chat}")
made, parent = [], chat.messages.get(pk=chat.leaf_id)
for number in range({count}):
    role = ("user", "assistant")[number % 2]
    text = compose(f"number {{number}}")[:1500] if number % 2 else f"Question {{number}}?"
    parent = Message(conversation=chat, parent=parent, role=role, content=text, model="demo",
                     is_complete=True)
    made.append(parent)
Message.objects.bulk_create(made)
Conversation.objects.filter(pk=chat.pk).update(leaf=parent)
"""


@pytest.fixture
def address(deployment: Deployment) -> str:
    """Of a conversation that long."""
    stream = deployment.send(deployment.person("reader"), "Begin.")
    until(lambda: deployment.rows.stream(stream)["state"] == "completed", within=30)
    chat = UUID(str(deployment.rows.message(stream)["conversation_id"]))
    deployment.manage("shell", "-c", GROW.format(chat=chat, count=MESSAGES - 2))
    return f"/c/{chat}/"


def test_older_messages_come_above_and_move_nothing(
    deployment: Deployment, address: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("reader"), address)
    articles = page.locator("#messages article")
    expect(articles).to_have_count(50)
    expect(articles.last).to_be_in_viewport()
    page.evaluate("scrollTo(0, 700)")  # nearer than a screen to what is older
    reading = page.evaluate_handle(READ_NOW)
    expect(articles).to_have_count(100)
    top = reading.evaluate("(article) => article.getBoundingClientRect().top")
    assert -1500 < top < 300, "still in sight, or just above"
    expect(page.get_by_role("link", name="Load older messages")).to_be_attached()
    expect(page.locator(".older pre.code button").first).to_be_attached()
    reading.evaluate("(article) => { article.tabIndex = -1; article.focus(); }")
    for _ in range(2):
        page.keyboard.press("k")
    expect(page.locator(".older > article:focus")).to_have_count(1)


@pytest.mark.prove
def test_what_the_first_screen_of_a_thousand_messages_takes(
    deployment: Deployment, address: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("reader"))
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(address)
    expect(page.get_by_role("button", name="Copy code").last).to_be_visible()
    metrics = session.send("Performance.getMetrics")["metrics"]
    spent = {one["name"]: round(one["value"] * 1000) for one in metrics}
    ours = spent["TaskDuration"] - spent["DevToolsCommandDuration"]
    print(f"\nThe first screen of 1,000 messages: {ours} ms of the main thread (200 at most)")
    assert page.locator("#messages article").count() == 50
