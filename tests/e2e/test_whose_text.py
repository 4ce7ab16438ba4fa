"""One browser, one after the other two people: what one of them wrote is not the other's. And the
same person, signed in anew: an open page goes on."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Complaints
from tests.e2e.replies import ask, finished
from tests.e2e.routes import intercept
from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person

pytestmark = pytest.mark.parametrize("deployment", ["embedded"], indirect=True)

SECRET = "The owner's private draft"
UNSENT = "The owner's private half-written words"
KEPT = """() => Object.keys(localStorage).filter((key) => /^(draft|unsent)/.test(key))
    .map((key) => localStorage[key]).join()"""


@pytest.fixture
def owner(deployment: Deployment) -> Person:
    return deployment.person(f"owner-{uuid4().hex[:8]}")


@pytest.fixture
def stranger(deployment: Deployment) -> Person:
    return deployment.person(f"stranger-{uuid4().hex[:8]}")


@pytest.fixture(autouse=True)
def allowed(complaints: Complaints) -> None:
    complaints.allow("WebSocket|401|403|409|ERR_|Failed to (load|fetch)")


def box(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message", exact=True)


def sign_in(page: Page, person: Person) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Password").fill(person.password)
    page.locator("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login/" not in url)


def end_the_session(page: Page) -> None:
    """As when it runs out: nobody has signed out on purpose."""
    page.context.clear_cookies(name="sessionid")


def leave_texts(page: Page) -> None:
    """A message that could not be sent, and a draft."""
    intercept(page, "**/c/", lambda route: route.abort())
    box(page).fill(UNSENT)
    box(page).press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Not sent.")
    page.unroute("**/c/")
    box(page).fill(SECRET)


@pytest.mark.parametrize("path", ["/", "/settings/keys/", "/accounts/email/", "/admin/"])
def test_signing_out_anywhere_leaves_nothing_behind(
    deployment: Deployment, owner: Person, open_page: Callable[..., Page], path: str
) -> None:
    staff = f"User.objects.filter(email='{owner.email}').update(is_staff=True)"
    if path == "/admin/":
        deployment.manage("shell", "-c", f"from accounts.models import User; {staff}")
    page = open_page(owner)
    leave_texts(page)
    page.goto(path)
    assert SECRET in page.evaluate(KEPT)
    page.get_by_role("button", name="Log out" if path == "/admin/" else "Sign out").click()
    page.wait_for_load_state()
    page.goto("/accounts/login/")
    assert page.evaluate(KEPT) == ""


def test_the_next_person_at_a_browser_sees_nothing_of_the_last_one_who_finds_it_again(
    owner: Person, stranger: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(owner)
    leave_texts(page)
    page.evaluate("localStorage.setItem('draft /c/', JSON.stringify({ text: 'Of whom?' }))")
    end_the_session(page)
    sign_in(page, stranger)
    expect(box(page)).to_have_value("")
    expect(page.get_by_role("article")).to_have_count(0)
    assert page.evaluate("'draft /c/' in localStorage") is False
    end_the_session(page)
    sign_in(page, owner)
    expect(box(page)).to_have_value(SECRET)
    expect(page.get_by_role("article", name="You")).to_contain_text(UNSENT)


def test_an_open_page_sends_nothing_in_the_name_of_who_signed_in_in_another_tab(
    deployment: Deployment, owner: Person, stranger: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(owner)
    page.route_web_socket("**/ws/", lambda socket: None)  # nobody tells this page
    page.reload()
    end_the_session(page)
    other = page.context.new_page()
    sign_in(other, stranger)
    box(page).fill(SECRET)
    box(page).press("Enter")
    dialog = page.get_by_role("dialog", name="You are signed in as someone else")
    expect(dialog).to_be_visible()
    expect(box(page)).to_have_value(SECRET)
    assert deployment.rows.of("chat_message", content=SECRET) == []
    other.reload()
    expect(box(other)).to_have_value("")


def test_a_page_from_before_a_new_sign_in_goes_on_in_every_way(
    owner: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(owner)
    ask(page, "Be brief", "demo-fast")
    finished(page)
    intercept(page, "**/messages/", lambda route: route.abort())
    box(page).fill("Not sent before. Be brief")
    box(page).press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Not sent.")
    page.unroute("**/messages/")
    end_the_session(page)
    sign_in(page.context.new_page(), owner)
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("article", name="demo-fast")).to_have_count(2)
    finished(page)
    box(page).fill("A reply. Be brief")
    box(page).press("Enter")
    expect(page.get_by_role("article", name="demo-fast")).to_have_count(3)
    finished(page)
    page.get_by_role("button", name="Regenerate").last.click()
    expect(page.get_by_text("2/2")).to_be_visible()
    finished(page)
    page.get_by_role("button", name="Dark").click()  # a form that the browser sends
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_what_cannot_be_sent_is_taken_back_into_the_box(
    owner: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(owner)
    leave_texts(page)
    page.reload()
    page.get_by_role("article", name="You").get_by_role("button", name="Edit").click()
    expect(page.get_by_role("article")).to_have_count(0)
    expect(box(page)).to_have_value(f"{UNSENT}\n\n{SECRET}")
    expect(box(page)).to_be_focused()
    page.reload()
    expect(page.get_by_role("article")).to_have_count(0)


def test_a_password_given_in_one_tab_signs_out_no_other(
    owner: Person, open_page: Callable[..., Page]
) -> None:
    page = open_page(owner)
    ask(page, "Be brief", "demo-fast")
    finished(page)
    other = page.context.new_page()
    other.goto("/accounts/reauthenticate/?next=/accounts/email/")
    other.get_by_label("Password").fill(owner.password)
    with page.expect_event("websocket"):
        other.get_by_role("button", name="Confirm").click()
    other.wait_for_url("**/accounts/email/")
    box(page).fill("A reply. Be brief")
    box(page).press("Enter")
    expect(page.get_by_role("article", name="demo-fast")).to_have_count(2)
    finished(page)
    expect(page.get_by_role("dialog")).to_have_count(0)
