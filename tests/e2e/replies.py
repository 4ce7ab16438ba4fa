"""Finds, reads and copies replies on a page, as a person does."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tools.deployment.deployment import Deployment
from tools.services.program import Program
from tools.waiting import until

MODEL = "gpt-5.5"


def send_message(page: Page, text: str, model: str = MODEL) -> Locator:
    """Send a message with the composer. Return the reply that appears at once."""
    page.get_by_role("combobox", name="Model").select_option(model)
    page.get_by_role("textbox", name="Message").fill(text)
    page.get_by_role("button", name="Send").click()
    reply = find_newest_reply(page)
    expect(reply).to_be_visible()
    return reply


def find_newest_reply(page: Page) -> Locator:
    return page.locator("article[data-role=assistant]").last


def read_stream_id(page: Page) -> str:
    """Return the stream that the newest reply is waiting for."""
    name = page.locator("live-reply[data-stream*='-']").last.get_attribute("data-stream")
    assert name
    return name


def read_conversation_path(page: Page) -> str:
    page.wait_for_url("**/c/*/")
    return "/c/" + page.url.rsplit("/c/", 1)[1]


def wait_for_reply(page: Page, *, within: float = 30.0) -> Locator:
    """Return the newest reply, once it grows no more."""
    reply = find_newest_reply(page)
    expect(reply).not_to_have_attribute("aria-busy", "true", timeout=within * 1000)
    return reply


def wait_for_buttons(page: Page) -> Locator:
    """Return the newest reply, once it has its buttons: they arrive a request after the text."""
    reply = wait_for_reply(page)
    expect(reply.get_by_role("button", name="Try another model")).to_be_visible()
    return reply


def copy_newest_reply(page: Page) -> str:
    """Return the Markdown of the newest reply, from its Copy button and the clipboard."""
    page.bring_to_front()
    page.evaluate("navigator.clipboard.writeText('nothing was copied')")
    find_newest_reply(page).get_by_role("button", name="Copy", exact=True).last.click()
    until(lambda: read_clipboard(page) != "nothing was copied", what="something was copied")
    return read_clipboard(page)


def read_clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def find_runner(deployment: Deployment, stream: str) -> Program:
    """Return the process that runs a stream now."""
    if not deployment.workers:
        return deployment.web

    def find_worker() -> Program | None:
        worker_id = deployment.rows.stream(stream)["worker_id"]
        names = [row["name"] for row in deployment.rows.of("streaming_worker", id=worker_id)]
        pids = {name.rsplit(" ", 1)[1] for name in names}
        return next((w for w in deployment.workers if str(w.pid) in pids), None)

    runner = until(find_worker, what="the stream has a worker")
    assert runner is not None
    return runner
