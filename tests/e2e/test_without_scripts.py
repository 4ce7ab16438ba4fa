"""Without JavaScript everything can be read and written; live text needs a reload, which the page
does by itself while a reply runs."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.replies import find_newest_reply, send_message
from tests.page_elements import find_questions
from tools.deployment.deployment import Deployment
from tools.deployment.http_user import PASSWORD, Person
from tools.fake_provider import Behaviour, Fake

pytestmark = [
    pytest.mark.page,
    pytest.mark.still,
    pytest.mark.parametrize("deployment", ["embedded"], indirect=True),
]


@pytest.fixture
def page(person: Person, open_page: Callable[..., Page]) -> Page:
    """A new chat in a browser that runs no script."""
    return open_page(person, java_script_enabled=False)


def test_a_visitor_signs_up_adds_a_key_and_sends_a_message(
    deployment: Deployment, fake: Fake, browser_context: Callable[..., BrowserContext]
) -> None:
    deployment.person("owner")
    page = browser_context(base_url=deployment.base_url, java_script_enabled=False).new_page()
    page.goto("/")
    page.get_by_role("main").get_by_role("link", name="Sign up").click()
    page.get_by_label("Email").fill(f"plain-{uuid4().hex[:8]}@holdfast.test")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    page.get_by_role("link", name="Add an API key").click()
    openai = page.get_by_role("region", name="OpenAI", exact=True)
    openai.get_by_label("Key").fill("sk-e2e-0123456789abcdef")
    openai.get_by_role("button", name="Add key").click()
    expect(openai.get_by_text("…cdef")).to_be_visible()
    page.get_by_role("link", name="Chats").click()
    fake.script(Behaviour.of("It *lags*."))
    send_message(page, "Why do tides lag?")
    expect(find_newest_reply(page).locator("em")).to_have_text("lags")


def test_a_running_reply_can_be_read_as_it_grows(page: Page, fake: Fake) -> None:
    fake.script(Behaviour.of("One, ", "two, ", "three.", hold_after=(1, 2)))
    send_message(page, "Count.")
    for so_far in ("One,", "One, two,"):
        expect(find_newest_reply(page)).to_contain_text(so_far)
        expect(find_newest_reply(page)).to_contain_text("Writing")
        fake.wait_for("held")
        fake.release()
    expect(find_newest_reply(page)).to_contain_text("One, two, three.")
    expect(find_newest_reply(page).get_by_role("button", name="Regenerate")).to_be_visible()


def test_a_reply_is_stopped_and_continued(page: Page, fake: Fake) -> None:
    fake.script(Behaviour.of("One, ", "never", hold_after=(1,)))
    send_message(page, "Count.")
    expect(find_newest_reply(page)).to_contain_text("One,")
    page.get_by_role("button", name="Stop").click()
    expect(find_newest_reply(page).get_by_text("Stopped", exact=True)).to_be_visible()
    fake.script(Behaviour.of("two."))
    find_newest_reply(page).get_by_role("button", name="Continue").click()
    expect(find_newest_reply(page)).to_contain_text("One,")
    expect(find_newest_reply(page)).to_contain_text("two.")
    expect(find_newest_reply(page).get_by_role("note")).to_contain_text("reply continued")


@pytest.mark.prove
def test_a_message_waits_for_the_reply_before_it(page: Page, fake: Fake) -> None:
    fake.script(Behaviour.of("First.", hold_after=(0,)), Behaviour.of("Second."))
    send_message(page, "One")
    fake.wait_for("held")
    send_message(page, "Two")
    expect(find_newest_reply(page)).to_contain_text("Queued after the previous one")
    fake.release()
    expect(find_newest_reply(page)).to_contain_text("Second.")


def test_messages_have_versions_and_nothing_is_lost(page: Page, fake: Fake) -> None:
    fake.script(*(Behaviour.of(f"Answer {number}.") for number in (1, 2, 3)))
    send_message(page, "First words")
    expect(find_newest_reply(page)).to_contain_text("Answer 1.")
    find_newest_reply(page).get_by_role("button", name="Regenerate").click()
    expect(find_newest_reply(page)).to_contain_text("Answer 2.")
    find_questions(page).hover()
    find_questions(page).get_by_role("link", name="Edit").click()
    page.get_by_role("textbox", name="Edit your message").fill("Second words")
    page.locator("form.edit").get_by_role("button", name="Send").click()
    expect(find_newest_reply(page)).to_contain_text("Answer 3.")
    expect(find_questions(page).get_by_text("2/2")).to_be_visible()
    find_questions(page).get_by_role("link", name="Previous version").click()
    expect(find_questions(page)).to_contain_text("First words")
    expect(find_newest_reply(page)).to_contain_text("Answer 2.")
    find_newest_reply(page).get_by_role("link", name="Previous version").click()
    expect(find_newest_reply(page)).to_contain_text("Answer 1.")


@pytest.mark.prove
def test_settings_are_stored_with_the_chat(page: Page, fake: Fake) -> None:
    page.get_by_role("button", name="Chat settings", exact=True).click()
    page.get_by_role("textbox", name="System prompt").fill("Be a gull.")
    page.get_by_role("button", name="Done").click()
    fake.script(Behaviour.of("Caw."))
    send_message(page, "Who are you?")
    expect(find_newest_reply(page)).to_contain_text("Caw.")
    expect(page.get_by_role("button", name="system prompt")).to_be_visible()
    assert "Be a gull." in str(fake.requests()[0].body)


def test_a_conversation_is_renamed_pinned_deleted_and_restored(page: Page, fake: Fake) -> None:
    fake.script(Behaviour.of("Once."))
    send_message(page, "A name")
    expect(find_newest_reply(page)).to_contain_text("Once.")
    chats = page.get_by_role("list", name="Chats")
    open_menu(page, "A name")
    page.get_by_role("textbox", name="Title").fill("Another name")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Another name")
    open_menu(page, "Another name")
    page.get_by_role("button", name="Pin").click()
    expect(chats.get_by_role("heading", name="Pinned")).to_be_visible()
    open_menu(page, "Another name")
    page.get_by_role("button", name="Delete").click()
    expect(chats.get_by_text("Another name")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(find_questions(page)).to_contain_text("A name")


def open_menu(page: Page, title: str) -> None:
    page.get_by_role("listitem").filter(has_text=title).hover()
    page.get_by_role("link", name=f"More: {title}").click()


def test_a_message_survives_signing_in(page: Page, person: Person) -> None:
    page.get_by_role("textbox", name="Message", exact=True).fill("Half a thought")
    page.get_by_role("combobox", name="Model").select_option("demo-slow")
    person.post("/accounts/logout/", {})
    page.get_by_role("button", name="Send").click()
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("textbox", name="Message", exact=True)).to_have_value("Half a thought")
    expect(page.get_by_role("combobox", name="Model")).to_have_value("demo-slow")


def test_features_that_need_scripts_are_not_offered(page: Page, fake: Fake) -> None:
    fake.script(Behaviour.of("```py\nprint()\n```"))
    send_message(page, "Some code")
    expect(find_newest_reply(page).locator("pre")).to_contain_text("print()")
    for name in ("Copy", "Copy code", "Try another model", "Keyboard shortcuts"):
        expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)


@pytest.mark.prove
def test_the_dark_theme_is_chosen_and_stays(page: Page) -> None:
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_css("color-scheme", "dark")
    page.goto("/settings/keys/")
    expect(page.locator("html")).to_have_css("background-color", "rgb(17, 22, 19)")
