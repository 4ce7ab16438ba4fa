"""A very long reply, and a database that is locked for a while."""

import sqlite3
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PageErrors
from tests.e2e.replies import find_newest_reply, send_message, wait_for_reply
from tests.page_elements import find_questions
from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person
from tools.fake_provider import Behaviour, Fake

pytestmark = [
    pytest.mark.page,
    pytest.mark.prove,
    pytest.mark.parametrize("deployment", ["embedded"], indirect=True),
]

LINES = [f"Line {number:04} {'of kelp and tide ' * 60}" for number in range(1000)]
MILLION = "\n\n".join(LINES)


@pytest.mark.timeout(240)
def test_a_reply_of_a_million_characters_is_shown_and_stored_whole(
    deployment: Deployment, person: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(Behaviour.of(*(f"{line}\n\n" for line in LINES)))
    page = open_page(person)
    send_message(page, "All of it")
    wait_for_reply(page, within=180)
    for _ in range(2):  # live, and after a reload
        text = find_newest_reply(page).text_content() or ""
        assert [line for line in LINES if line[:9] not in text] == []
        page.reload()
        expect(find_newest_reply(page)).to_contain_text("Line 0999")
    assert deployment.rows.of("chat_message", content=f"{MILLION}\n\n")


@pytest.mark.timeout(240)
def test_a_lock_of_the_database_loses_no_message_and_no_text(
    deployment: Deployment,
    person: Person,
    fake: Fake,
    open_page: Callable[..., Page],
    page_errors: PageErrors,
) -> None:
    page_errors.allow("503")
    fake.script(Behaviour.of(*(f"w{number} " for number in range(400)), delay=0.1))
    page = open_page(person)
    send_message(page, "Slowly")
    expect(find_newest_reply(page)).to_contain_text("w20 ")
    other = open_page(person, "/")
    lock = sqlite3.connect(deployment.folder / "holdfast.sqlite3", isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
        send_message(other, "During the lock")
        expect(other.get_by_role("alert")).to_contain_text("Not sent.", timeout=60_000)
    finally:
        lock.close()
    fake.script(Behaviour.of("After the lock."))
    other.get_by_role("button", name="Retry").click()
    expect(wait_for_reply(other, within=90)).to_contain_text("After the lock.")
    expect(find_questions(other)).to_have_count(1)
    text = wait_for_reply(page, within=120).locator(".prose").last.inner_text()
    assert text.split() == [f"w{number}" for number in range(400)]
