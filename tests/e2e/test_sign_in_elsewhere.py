"""A sign-in with an OpenID server in a real browser, which enforces the content security policy on
the way there."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.e2e.conftest import PageErrors, StartDeployment
from tools.fake_openid import server
from tools.fake_openid.server import CLIENT_ID, CLIENT_SECRET, FakeOpenID

pytestmark = pytest.mark.page


def configure(work: FakeOpenID) -> dict[str, str]:
    row = {"id": "work", "name": "Work", "url": work.url, "client_id": CLIENT_ID}
    rows = [row | {"client_secret": CLIENT_SECRET}]
    return {"OPENID_SERVERS": json.dumps(rows), "SIGNUP": "open"}


@pytest.mark.still
def test_a_person_signs_up_with_another_server_and_links_one_to_an_older_account(
    start_deployment: StartDeployment,
    browser_context: Callable[..., BrowserContext],
    page_errors: PageErrors,
) -> None:
    page_errors.allow("409")  # Chromium prints the page about an address that has an account
    with server.serve() as work:
        deployment = start_deployment("embedded", environment=configure(work))
        owner = deployment.person("owner")
        work.shows_page = True
        work.person = {"sub": "ann-1", "email": "ann@work.example", "email_verified": True}
        page = browser_context(base_url=deployment.base_url).new_page()
        page.goto("/accounts/login/?next=/settings/linked-accounts/")
        page.get_by_role("button", name="Continue with Work").click()
        page.get_by_role("link", name="Continue").click()  # at the other server
        expect(page.get_by_role("heading", name="Linked accounts")).to_be_visible()
        expect(page.get_by_text("ann@work.example")).to_be_visible()

        page.context.clear_cookies()
        work.person |= {"sub": "owner-1", "email": owner.email}
        work.shows_page = False  # redirects at once, and the policy counts for each redirect
        page.goto("/accounts/login/")
        page.get_by_role("button", name="Continue with Work").click()
        expect(page.get_by_role("heading", name="There is already an account")).to_be_visible()
        page.get_by_role("link", name="Sign in").last.click()
        page.get_by_label("Email").fill(owner.email)
        page.get_by_label("Password").first.fill(owner.password)
        page.locator("main").get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_role("button", name="Link Work").click()
        page.get_by_label("Password").fill(owner.password)
        page.get_by_role("button", name="Confirm").click()
        page.get_by_role("button", name="Link Work").click()
        expect(page.get_by_text(owner.email)).to_be_visible()
        page.get_by_role("button", name="Unlink Work").click()
        expect(page.get_by_text("No account of another server")).to_be_visible()
