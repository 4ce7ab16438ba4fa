"""Two people use one browser one after the other, and neither sees the other's text. After a new
sign-in of the same person, an open page continues."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.e2e.conftest import PageErrors
from tests.e2e.people import sign_in
from tests.e2e.replies import send_message, wait_for_reply
from tests.e2e.routes import intercept
from tests.page_elements import find_text_box, wait_for_drafts
from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person

pytestmark = pytest.mark.parametrize("deployment", ["embedded"], indirect=True)

SECRET = "The owner's private draft"
UNSENT_TEXT = "The owner's private half-written words"
READ_STORED_TEXTS = """() => Object.keys(localStorage).filter((key) => /^(draft|unsent)/.test(key))
    .map((key) => localStorage[key]).join()"""


@pytest.fixture
def owner(deployment: Deployment) -> Person:
    return deployment.person(f"owner-{uuid4().hex[:8]}")


@pytest.fixture
def stranger(deployment: Deployment) -> Person:
    return deployment.person(f"stranger-{uuid4().hex[:8]}")


@pytest.fixture(autouse=True)
def allow_expected_errors(page_errors: PageErrors) -> None:
    page_errors.allow("WebSocket|401|403|409|ERR_|Failed to (load|fetch)")


def drop_session_cookie(page: Page) -> None:
    """End the session as if it had expired, without a sign-out."""
    page.context.clear_cookies(name="sessionid")


def leave_texts(page: Page) -> None:
    """Leave a message that could not be sent, and a draft."""
    intercept(page, "**/c/", lambda route: route.abort())
    find_text_box(page).fill(UNSENT_TEXT)
    find_text_box(page).press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Not sent.")
    page.unroute("**/c/")
    find_text_box(page).fill(SECRET)


@pytest.mark.parametrize("path", ["/", "/settings/keys/", "/accounts/email/", "/admin/"])
def test_signing_out_on_any_page_deletes_the_stored_text(
    deployment: Deployment, owner: Person, open_page: Callable[..., Page], path: str
) -> None:
    staff = f"User.objects.filter(email='{owner.email}').update(is_staff=True)"
    if path == "/admin/":
        deployment.manage("shell", "-c", f"from accounts.models import User; {staff}")
    page = open_page(owner)
    leave_texts(page)
    page.goto(path)
    assert SECRET in page.evaluate(READ_STORED_TEXTS)
    button = page.get_by_role("button", name="Log out" if path == "/admin/" else "Sign out")
    button.click()
    expect(button).to_have_count(0)
    page.goto("/accounts/login/")
    assert page.evaluate(READ_STORED_TEXTS) == ""
    user_id = deployment.rows.one("accounts_user", email=owner.email)["id"]
    drafts = [row["text"] for row in deployment.rows.of("chat_draft", user_id=user_id)]
    assert sorted(filter(None, drafts)) == sorted([SECRET, UNSENT_TEXT]), "the server has them"


def test_a_draft_is_hidden_from_the_next_user_and_restored_for_its_own(
    owner: Person, stranger: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(owner)
    leave_texts(page)
    page.evaluate("localStorage.setItem('draft /c/', JSON.stringify({ text: 'Of whom?' }))")
    drop_session_cookie(page)
    sign_in(page, stranger)
    wait_for_drafts(page)
    expect(find_text_box(page)).to_have_value("")
    expect(page.get_by_role("article")).to_have_count(0)
    assert page.evaluate("'draft /c/' in localStorage") is False
    drop_session_cookie(page)
    sign_in(page, owner)
    expect(find_text_box(page)).to_have_value(SECRET)
    expect(page.get_by_role("article", name="You")).to_contain_text(UNSENT_TEXT)


def test_a_draft_is_there_again_after_signing_out_and_in(
    owner: Person, stranger: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(owner)
    with page.expect_response("**/drafts/*/"):
        find_text_box(page).fill(SECRET)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)
    assert page.evaluate(READ_STORED_TEXTS) == ""
    sign_in(page, stranger)
    expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    wait_for_drafts(page)
    expect(find_text_box(page)).to_have_value("")
    drop_session_cookie(page)
    sign_in(page, owner)
    expect(find_text_box(page)).to_have_value(SECRET)


def test_a_long_text_written_right_before_signing_out_is_saved(
    owner: Person, open_page: Callable[..., Page]
) -> None:
    """A request that outlives its page has at most 64 KiB."""
    text = "语" * 12_000
    page = open_page(owner)
    find_text_box(page).fill(text)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)
    assert page.evaluate(READ_STORED_TEXTS) == ""
    sign_in(page, owner)
    expect(find_text_box(page)).to_have_value(text)


def test_a_text_that_the_server_cannot_take_is_lost_only_by_consent(
    owner: Person, open_page: Callable[..., Page]
) -> None:
    text = "Hold fast. " * 5_000
    questions: list[str] = []
    page = open_page(owner)
    find_text_box(page).fill(text)
    for is_agreed in (False, True):

        def answer(dialog: Dialog, is_agreed: bool = is_agreed) -> None:
            questions.append(dialog.message)
            dialog.accept() if is_agreed else dialog.dismiss()

        page.once("dialog", answer)
        with page.expect_navigation():
            page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("button", name="Sign out")).to_have_count(int(not is_agreed))
        if not is_agreed:
            expect(find_text_box(page)).to_have_value(text)
    assert questions == ["An unsent text would be lost. Sign out anyway?"] * 2
    assert page.evaluate(READ_STORED_TEXTS) == ""


def test_a_system_prompt_without_a_message_is_lost_only_by_consent(
    owner: Person, open_page: Callable[..., Page]
) -> None:
    questions: list[str] = []

    def cancel(dialog: Dialog) -> None:
        questions.append(dialog.message)
        dialog.dismiss()

    page = open_page(owner)
    page.get_by_role("button", name="Chat settings").click()
    page.get_by_role("textbox", name="System prompt").fill(SECRET)
    page.get_by_role("button", name="Done").click()
    page.once("dialog", cancel)
    with page.expect_navigation():
        page.get_by_role("button", name="Sign out").click()
    assert questions == ["An unsent text would be lost. Sign out anyway?"]
    page.get_by_role("button", name="system prompt").click()
    expect(page.get_by_role("textbox", name="System prompt")).to_have_value(SECRET)


def test_signing_out_in_one_tab_leaves_no_text_of_another(
    owner: Person, open_page: Callable[..., Page], page_errors: PageErrors
) -> None:
    page_errors.allow("500")
    page = open_page(owner)
    intercept(page, "**/drafts/*/", lambda route: route.fulfill(status=500))
    with page.expect_response("**/drafts/*/"):
        find_text_box(page).fill(SECRET)
    other = page.context.new_page()
    other.goto("/settings/keys/")
    other.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("dialog", name="You’re signed out")).to_be_visible()
    page.close(run_before_unload=True)  # it saves what is unsaved
    other.goto("/accounts/login/")
    assert other.evaluate(READ_STORED_TEXTS) == ""
    sign_in(other, owner)
    expect(find_text_box(other)).to_have_value(SECRET)


@pytest.mark.parametrize("end", ["elsewhere", "account deleted"])
def test_the_text_of_a_session_that_ended_elsewhere_is_hidden_from_the_next_user(
    deployment: Deployment,
    owner: Person,
    stranger: Person,
    open_page: Callable[..., Page],
    end: str,
) -> None:
    page = open_page(owner)
    with page.expect_response("**/drafts/*/"):
        leave_texts(page)
    user_id = deployment.rows.one("accounts_user", email=owner.email)["id"]
    if end == "elsewhere":
        owner.post("/accounts/logout/", {})
    else:
        delete = f"User.objects.get(email='{owner.email}').delete()"
        deployment.manage("shell", "-c", f"from accounts.models import User; {delete}")
    sign_in(page, stranger)
    expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    wait_for_drafts(page)
    expect(find_text_box(page)).to_have_value("")
    expect(page.get_by_role("article")).to_have_count(0)
    expect(page.get_by_role("group", name="Another draft")).to_have_count(0)
    if end == "account deleted":
        assert deployment.rows.of("chat_draft", user_id=user_id) == []


def test_an_open_page_sends_nothing_for_a_user_who_signed_in_in_another_tab(
    deployment: Deployment, owner: Person, stranger: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(owner)
    page.route_web_socket("**/ws/", lambda socket: None)  # nothing notifies this page
    page.reload()
    drop_session_cookie(page)
    other = page.context.new_page()
    sign_in(other, stranger)
    find_text_box(page).fill(SECRET)
    find_text_box(page).press("Enter")
    dialog = page.get_by_role("dialog", name="You’re signed in to another account")
    expect(dialog).to_be_visible()
    expect(find_text_box(page)).to_have_value(SECRET)
    assert deployment.rows.of("chat_message", content=SECRET) == []
    other.reload()
    wait_for_drafts(other)
    expect(find_text_box(other)).to_have_value("")


def test_a_page_opened_before_a_new_sign_in_still_works(
    owner: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(owner)
    send_message(page, "Be brief", "demo-fast")
    wait_for_reply(page)
    intercept(page, "**/messages/", lambda route: route.abort())
    find_text_box(page).fill("Not sent before. Be brief")
    find_text_box(page).press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Not sent.")
    page.unroute("**/messages/")
    drop_session_cookie(page)
    sign_in(page.context.new_page(), owner)
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("article", name="demo-fast")).to_have_count(2)
    wait_for_reply(page)
    find_text_box(page).fill("A reply. Be brief")
    find_text_box(page).press("Enter")
    expect(page.get_by_role("article", name="demo-fast")).to_have_count(3)
    wait_for_reply(page)
    page.get_by_role("button", name="Regenerate").last.click()
    expect(page.get_by_text("2/2")).to_be_visible()
    wait_for_reply(page)
    page.get_by_role("button", name="Dark").click()  # a form that the browser sends
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_an_unsent_message_can_be_moved_back_into_the_box(
    owner: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(owner)
    leave_texts(page)
    page.reload()
    page.get_by_role("article", name="You").get_by_role("button", name="Edit").click()
    expect(page.get_by_role("article")).to_have_count(0)
    expect(find_text_box(page)).to_have_value(f"{UNSENT_TEXT}\n\n{SECRET}")
    expect(find_text_box(page)).to_be_focused()
    page.reload()
    expect(page.get_by_role("article")).to_have_count(0)


def test_confirming_the_password_in_one_tab_signs_out_no_other(
    owner: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(owner)
    send_message(page, "Be brief", "demo-fast")
    wait_for_reply(page)
    other = page.context.new_page()
    other.goto("/accounts/reauthenticate/?next=/accounts/email/")
    other.get_by_label("Password").fill(owner.password)
    with page.expect_event("websocket"):
        other.get_by_role("button", name="Confirm").click()
    other.wait_for_url("**/accounts/email/")
    find_text_box(page).fill("A reply. Be brief")
    find_text_box(page).press("Enter")
    expect(page.get_by_role("article", name="demo-fast")).to_have_count(2)
    wait_for_reply(page)
    expect(page.get_by_role("dialog")).to_have_count(0)
