"""Text and settings survive every event before they are sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.conftest import PageErrors
from tests.e2e.people import fill_in_sign_in_form
from tests.e2e.replies import wait_for_reply
from tests.e2e.routes import intercept
from tests.page_elements import find_questions, find_text_box, wait_for_drafts
from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person
from tools.deployment.tcp_proxy import Line
from tools.waiting import until

pytestmark = pytest.mark.page

FULL = """Storage.prototype.setItem = () => {
    throw new DOMException("", "QuotaExceededError"); };"""

embedded = pytest.mark.parametrize("deployment", ["embedded"], indirect=True)


@pytest.fixture
def writer(deployment: Deployment) -> Person:
    return deployment.person(f"writer-{uuid4().hex[:8]}")


def choose_fast_model(page: Page) -> None:
    page.get_by_role("combobox", name="Model").select_option("demo-fast")


def list_saved_texts(deployment: Deployment, writer: Person) -> list[str]:
    """Return the drafts that the server has."""
    user_id = deployment.rows.one("accounts_user", email=writer.email)["id"]
    rows = deployment.rows.of("chat_draft", user_id=user_id)
    return [row["text"] for row in rows if row["text"]]


def count_stored_messages(deployment: Deployment, text: str) -> int:
    """Return the number of stored copies."""
    return len(deployment.rows.of("chat_message", content=text))


def test_an_unsent_message_survives_a_reload_and_can_be_discarded(
    deployment: Deployment,
    writer: Person,
    open_page: Callable[..., Page],
    page_errors: PageErrors,
) -> None:
    page_errors.allow("WebSocket|ERR_|Failed to (load|fetch)")
    text = f"Hold fast, {writer.name}. Be brief."
    with Line(deployment.web.port) as line:
        page = open_page(writer, base_url=line.url)
        choose_fast_model(page)
        line.cut()
        find_text_box(page).fill(text)
        find_text_box(page).press("Enter")
        expect(find_questions(page)).to_contain_text(text)
        expect(find_questions(page).get_by_role("alert")).to_have_text("Not sent.")
        expect(find_text_box(page)).to_have_value("")
        line.mend()
        page.reload()
        expect(find_questions(page)).to_contain_text(text)
        assert count_stored_messages(deployment, text) == 0
        find_questions(page).get_by_role("button", name="Retry").click()
        expect(wait_for_reply(page).locator(".prose").last).not_to_be_empty()
        assert count_stored_messages(deployment, text) == 1


@embedded
def test_a_message_whose_response_was_lost_is_repeated_and_answered_once(
    deployment: Deployment, writer: Person, open_page: Callable[..., Page], page_errors: PageErrors
) -> None:
    page_errors.allow("ERR_|Failed to (load|fetch)")

    def deliver_and_drop(route: Route) -> None:
        route.fetch()
        route.abort()

    text = f"Once, {writer.name}. Be brief."
    page = open_page(writer)
    choose_fast_model(page)
    intercept(page, "**/c/", deliver_and_drop)
    find_text_box(page).fill(text)
    find_text_box(page).press("Enter")
    expect(find_questions(page).get_by_role("alert")).to_have_text("Not sent.")
    page.unroute("**/c/")
    find_questions(page).get_by_role("button", name="Retry").click()
    expect(wait_for_reply(page).locator(".prose").last).not_to_be_empty()
    expect(find_questions(page)).to_have_count(1)
    assert count_stored_messages(deployment, text) == 1


@embedded
def test_a_text_that_is_continued_right_after_a_reload_is_one_draft(
    deployment: Deployment, writer: Person, open_page: Callable[..., Page]
) -> None:
    """The page before it saved the text and never got the response."""
    page = open_page(writer)
    find_text_box(page).fill("Half")
    page.reload()
    expect(find_text_box(page)).to_have_value("Half")
    find_text_box(page).press("End")
    with page.expect_response("**/drafts/*/"):
        find_text_box(page).press_sequentially(" a thought")
    until(lambda: page.title() and list_saved_texts(deployment, writer) == ["Half a thought"])
    wait_for_drafts(page)
    expect(page.get_by_role("group", name="Another draft")).to_have_count(0)


# Browsers that refuse to store anything

REFUSE = """() => { throw new DOMException("", "SecurityError"); }"""
REFUSALS = {
    "storage": f"""for (const name of ["localStorage", "sessionStorage"])
        Object.defineProperty(window, name, {{ get: {REFUSE} }});""",
    "locks": f"""for (const name of ["request", "query"])
        LockManager.prototype[name] = async {REFUSE};""",
    "space": FULL,
}


@embedded
@pytest.mark.parametrize(
    "refused",
    [
        "storage",
        pytest.param("locks", marks=pytest.mark.prove),
        pytest.param("space", marks=pytest.mark.prove),
    ],
)
def test_text_is_saved_and_sent_where_the_browser_stores_nothing(
    deployment: Deployment, writer: Person, open_page: Callable[..., Page], refused: str
) -> None:
    page = open_page(writer)
    page.context.add_init_script(REFUSALS[refused])
    page.reload()
    with page.expect_response("**/drafts/*/"):
        find_text_box(page).fill("Half a thought.")
    page.reload()
    expect(find_text_box(page)).to_have_value("Half a thought.")
    choose_fast_model(page)
    find_text_box(page).press("End")
    find_text_box(page).press_sequentially(" Be brief")
    find_text_box(page).press("Enter")
    expect(wait_for_reply(page).locator(".prose").last).not_to_be_empty()
    until(lambda: page.title() and list_saved_texts(deployment, writer) == [])


@embedded
@pytest.mark.prove
def test_a_browser_that_is_full_restores_no_older_text_than_the_server_has(
    deployment: Deployment, writer: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(writer)
    find_text_box(page).fill("Half")
    page.evaluate(f"() => {{ {FULL} }}")
    with page.expect_response("**/drafts/*/"):
        find_text_box(page).fill("Half a thought")
    until(lambda: page.title() and list_saved_texts(deployment, writer) == ["Half a thought"])
    page.reload()
    expect(find_text_box(page)).to_have_value("Half a thought")
    wait_for_drafts(page)
    expect(page.get_by_role("group", name="Another draft")).to_have_count(0)


# A session that ends meanwhile


def write_with_settings(page: Page) -> None:
    """Write half a message, for a model and with a setting that are not the default."""
    page.get_by_role("combobox", name="Model").select_option("demo-slow")
    page.get_by_role("button", name=re.compile("^Chat settings")).click()
    page.get_by_role("textbox", name="System prompt").fill("You are a patient teacher.")
    page.get_by_role("button", name="Done").click()
    find_text_box(page).fill("Half a thought")


def expect_text_and_settings(page: Page) -> None:
    expect(find_text_box(page)).to_have_value("Half a thought")
    expect(page.get_by_role("combobox", name="Model")).to_have_value("demo-slow")
    page.get_by_role("button", name="system prompt").click()
    prompt = page.get_by_role("textbox", name="System prompt")
    expect(prompt).to_have_value("You are a patient teacher.")


@embedded
def test_a_draft_its_model_and_its_settings_survive_a_reload(
    writer: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(writer)
    write_with_settings(page)
    page.reload()
    expect_text_and_settings(page)


@embedded
def test_a_draft_survives_being_signed_out_in_another_tab(
    writer: Person, open_page: Callable[..., Page], page_errors: PageErrors
) -> None:
    page_errors.allow("WebSocket|401|Failed to (load|fetch)")
    page = open_page(writer)
    write_with_settings(page)
    writer.post("/accounts/logout/", {})
    dialog = page.get_by_role("dialog", name="You’re signed out")
    expect(dialog).to_contain_text("Your draft is saved")
    dialog.get_by_role("link", name="Sign in").click()
    fill_in_sign_in_form(page, writer)
    expect_text_and_settings(page)


@embedded
def test_a_message_sent_after_the_session_ended_is_not_lost(
    writer: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(writer)
    page.route_web_socket("**/ws/", lambda socket: None)  # nothing notifies this page
    page.reload()
    write_with_settings(page)
    writer.post("/accounts/logout/", {})
    find_text_box(page).press("Enter")
    page.wait_for_url("**/accounts/login/?next=/")
    fill_in_sign_in_form(page, writer)
    expect_text_and_settings(page)
    expect(find_questions(page)).to_have_count(0)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("article", name="demo-slow")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("article", name="demo-slow")).to_contain_text("Stopping…")
