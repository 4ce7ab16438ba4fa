"""People who sign in on a page."""

import re

from playwright.sync_api import Page

from tools.deployment.http_user import Person


def sign_in(page: Page, person: Person) -> None:
    page.goto("/accounts/login/")
    fill_in_sign_in_form(page, person)


def fill_in_sign_in_form(page: Page, person: Person) -> None:
    page.get_by_role("textbox", name=re.compile("mail", re.IGNORECASE)).fill(person.email)
    page.get_by_label("Password").first.fill(person.password)
    page.locator("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login/" not in url)
