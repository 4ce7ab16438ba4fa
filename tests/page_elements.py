"""Elements of a chat's page, found by role and name as a screen reader finds them."""

from playwright.sync_api import Locator, Page


def find_text_box(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message", exact=True)


def find_send_button(page: Page) -> Locator:
    return page.get_by_role("button", name="Send")


def find_stop_button(page: Page) -> Locator:
    return page.get_by_role("button", name="Stop")


def find_questions(page: Page) -> Locator:
    return page.get_by_role("article", name="You")
