"""A new secret key of the server gives each account another id. Texts move to it."""

from typing import Any

from playwright.sync_api import Page

from tools.static_site import Files

PAGE = """<!doctype html><html lang=en><title>Form</title><link rel=icon href=/img/favicon.svg>
<meta name=account content={account} data-earlier="{earlier}">
<script type=module src="/js/forms.js"></script>"""
DRAFT = '{"fields":{"text":"Half a thought"},"version":0,"attempt":0,"isSaved":false,"at":1}'
TAKE_TEXTS = "import('/js/composer/drafts.js').then((drafts) => drafts.takeAccountTexts().unsaved)"


def open_page(page: Page, account: str, earlier: str = "") -> None:
    Files.pages["/form/"] = PAGE.format(account=account, earlier=earlier).encode()
    page.goto("/form/")
    Files.pages.clear()


def read_keys(page: Page) -> list[str]:
    return sorted(page.evaluate("Object.keys(localStorage)"))


def store_draft(page: Page, account: str) -> None:
    page.evaluate(f"localStorage.setItem('draft {account} /c/ 1', '{DRAFT}')")


def test_texts_of_the_earlier_id_move_to_the_new_one(page: Page) -> None:
    open_page(page, "old")
    store_draft(page, "old")
    store_draft(page, "another")
    open_page(page, "new", earlier="old older")
    assert read_keys(page) == ["draft another /c/ 1", "draft new /c/ 1", "new-id old"]


def test_signing_out_on_a_page_of_the_earlier_id_takes_all_texts_of_the_account(page: Page) -> None:
    open_page(page, "old")
    store_draft(page, "old")
    open_page(page, "new", earlier="old")
    open_page(page, "old")
    taken: list[Any] = page.evaluate(TAKE_TEXTS)
    assert [text["fields"]["text"] for text in taken] == ["Half a thought"]
    assert read_keys(page) == ["new-id old", "signed-out new", "signed-out old"]
