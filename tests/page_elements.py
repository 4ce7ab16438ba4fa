"""Elements of a chat's page, found by role and name as a screen reader finds them."""

from playwright.sync_api import Locator, Page

WAIT_FOR_DRAFTS = """async () => {
    await import(document.querySelector("script[src*='/js/main.']").src);
    const urls = performance.getEntriesByType("resource").map(({ name }) => name);
    const { enqueue } = await import(urls.find((url) => url.includes("/draft-saving.")));
    await enqueue(() => {});
}"""


def find_text_box(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message", exact=True)


def find_send_button(page: Page) -> Locator:
    return page.get_by_role("button", name="Send")


def find_stop_button(page: Page) -> Locator:
    return page.get_by_role("button", name="Stop")


def find_questions(page: Page) -> Locator:
    return page.get_by_role("article", name="You")


def wait_for_drafts(page: Page) -> None:
    """Wait until the page has compared its text with that of other tabs and of the server. Before,
    an empty box proves nothing."""
    page.evaluate(WAIT_FOR_DRAFTS)
