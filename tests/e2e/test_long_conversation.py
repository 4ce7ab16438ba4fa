"""A conversation of a thousand messages: the newest ones first, older ones on request, and nothing
moves for the reader."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from benchmarks.page import history
from tools.deployment.deployment import Deployment
from tools.waiting import until

pytestmark = pytest.mark.page

READ_NOW = """() => [...document.querySelectorAll("article")]
    .find((article) => article.getBoundingClientRect().bottom > 0)"""

IS_LAID_OUT = (
    "(article) => article.firstElementChild.checkVisibility({contentVisibilityAuto: true})"
)


@pytest.fixture
def address(deployment: Deployment) -> str:
    """Return the address of a conversation of a thousand messages."""
    return history.create_conversation(deployment, deployment.person("reader"))


def test_older_messages_load_above_without_moving_the_page(
    deployment: Deployment, address: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("reader"), address)
    articles = page.locator("#messages article")
    expect(articles).to_have_count(50)
    expect(articles.last).to_be_in_viewport()
    page.evaluate("scrollTo(0, 700)")  # nearer than a screen to the older messages
    reading = page.evaluate_handle(READ_NOW)
    expect(articles).to_have_count(100)
    top = reading.evaluate("(article) => article.getBoundingClientRect().top")
    assert -1500 < top < 300, "still in sight, or just above"
    expect(page.get_by_role("link", name="Load older messages")).to_be_attached()
    expect(page.locator(".earlier-messages pre.code button").first).to_be_attached()
    oldest = page.locator(f"[id='{articles.nth(1).get_attribute('id')}']")  # older ones load
    assert not oldest.evaluate(IS_LAID_OUT), "far from what is read"
    page.evaluate("scrollTo(0, 0)")
    expect(articles).to_have_count(150)
    until(lambda: oldest.evaluate(IS_LAID_OUT), what="the message in sight is laid out")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(oldest).to_be_in_viewport()
    reading.evaluate("(article) => article.scrollIntoView()")
    reading.evaluate("(article) => { article.tabIndex = -1; article.focus(); }")
    for _ in range(2):
        page.keyboard.press("Alt+k")
    expect(page.locator(".earlier-messages > article:focus")).to_have_count(1)


@pytest.mark.parametrize("deployment", ["embedded"], indirect=True)
@pytest.mark.prove
def test_an_older_question_can_be_edited(
    deployment: Deployment, address: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("reader"), address)
    page.evaluate("scrollTo(0, 700)")
    older = page.locator(".earlier-messages > [data-role=user]").last
    older.scroll_into_view_if_needed()
    page.get_by_role("combobox", name="Model").select_option("demo-fast")
    older.hover()
    older.get_by_role("link", name="Edit").click(position={"x": 10, "y": 12})
    page.get_by_role("textbox", name="Edit your message").fill("Be brief, and different.")
    page.locator("form.edit").get_by_role("button", name="Send").click()
    expect(page.get_by_role("article", name="You").last).to_contain_text("Be brief, and different.")
    expect(page.locator("#messages article").last).to_have_attribute("aria-label", "demo-fast")


@pytest.mark.prove
def test_the_first_screen_of_a_thousand_messages_shows_fifty(
    deployment: Deployment, address: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("reader"))
    spent = history.measure_first_screen(page, address)
    print(f"\nThe first screen of 1,000 messages: {spent} ms of the main thread (200 at most)")
    assert page.locator("#messages article").count() == 50
