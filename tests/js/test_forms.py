"""The page adds fields to a form that the browser sends by itself."""

from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Page, Route, expect

from tools.static_site import Files

PAGE = """<!doctype html><html lang=en><title>Form</title><link rel=icon href=/img/favicon.svg>
<meta name=account content=the-owner><script type=module src="/js/forms.js"></script>
<body><form method=post action="/done/"><input type=hidden name=csrfmiddlewaretoken value=old>
{field}<input name=key value=sk-1><button>Save</button></form>"""


@pytest.mark.parametrize("field", ["", "<input type=hidden name=account value=nobody>"])
def test_a_form_with_a_refreshed_token_names_the_account_of_its_page(
    page: Page, field: str
) -> None:
    """This includes forms of the admin and of allauth, which contain only the token."""
    Files.pages["/form/"] = PAGE.format(field=field).encode()
    page.route("**/done/", lambda route: route.fulfill(body="Done"))
    page.goto("/form/")
    page.evaluate("document.cookie = 'csrftoken=of-today'")
    with page.expect_request("**/done/") as sent:
        page.get_by_role("button", name="Save").click()
    Files.pages.clear()
    assert parse_qs(sent.value.post_data or "") == {
        "csrfmiddlewaretoken": ["of-today"],
        "account": ["the-owner"],
        "key": ["sk-1"],
    }


def test_a_password_can_be_shown_and_is_hidden_again_when_it_is_sent(page: Page) -> None:
    Files.pages["/form/"] = PAGE.format(
        field="<input type=password id=secret><input type=checkbox data-reveals=secret>"
    ).encode()
    page.route("**/done/", lambda route: route.fulfill(status=204))
    page.goto("/form/")
    field, checkbox = page.locator("#secret"), page.get_by_role("checkbox")
    for checked, shown in ((True, "text"), (False, "password"), (True, "text")):
        checkbox.set_checked(checked)
        assert field.get_attribute("type") == shown
    page.get_by_role("button", name="Save").click()
    assert field.get_attribute("type") == "password"
    Files.pages.clear()


@pytest.mark.parametrize(
    ("answer", "is_shown"),
    [
        ({"status": 200}, True),
        ({"status": 401}, False),
        ({"status": 409, "headers": {"X-Account": "another"}}, False),
    ],
)
def test_a_page_from_the_back_button_is_shown_only_to_its_account(
    page: Page, page_errors: list[str], answer: dict[str, Any], is_shown: bool
) -> None:
    """A test can't put a page into the back/forward cache, but it can send the event."""
    Files.pages["/form/"] = PAGE.format(field="").encode()
    page.route("**/sidebar/", lambda route: route.fulfill(**answer))
    page.goto("/form/")
    Files.pages["/form/"] = b"<!doctype html><title>Sign in</title>Sign in"
    with page.expect_response("**/sidebar/"):
        page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    if is_shown:
        expect(page.get_by_role("button", name="Save")).to_be_visible()
        expect(page.locator("body")).not_to_have_attribute("hidden", "")
    else:
        expect(page.get_by_text("Sign in")).to_be_visible()
    Files.pages.clear()
    page_errors.clear()


@pytest.mark.parametrize("failure", [503, "no network"])
def test_a_page_from_the_back_button_stays_hidden_while_its_check_fails(
    page: Page, page_errors: list[str], failure: int | str
) -> None:
    Files.pages["/form/"] = PAGE.format(field="").encode()
    was_hidden = []

    def answer(route: Route) -> None:
        was_hidden.append(page.locator("body").get_attribute("hidden") == "")
        if len(was_hidden) > 1:
            route.fulfill(status=200)
        elif isinstance(failure, int):
            route.fulfill(status=failure)
        else:
            route.abort()

    page.route("**/sidebar/", answer)
    page.goto("/form/")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect(page.get_by_role("button", name="Save")).to_be_visible()
    assert was_hidden == [True, True], "the second check began with a hidden page"
    Files.pages.clear()
    page_errors.clear()
