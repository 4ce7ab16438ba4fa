"""Passkeys in a real Chromium, whose virtual authenticator creates and uses real keys."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from tests.e2e.people import fill_in_sign_in_form
from tools.deployment.deployment import Deployment

pytestmark = [pytest.mark.page, pytest.mark.parametrize("deployment", ["embedded"], indirect=True)]

INDEX = "/accounts/2fa/"


def get_localhost_url(deployment: Deployment) -> str:
    """Passkeys need a host name."""
    return f"http://localhost:{urlsplit(deployment.base_url).port}"


def add_authenticator(page: Page) -> CDPSession:
    """Give the page's browser a device that verifies its user, as by a fingerprint."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session


def test_a_passkey_is_added_signs_in_and_confirms(
    deployment: Deployment, browser_context: Callable[..., BrowserContext]
) -> None:
    person = deployment.person("passkey-owner")
    page = browser_context(base_url=get_localhost_url(deployment)).new_page()
    add_authenticator(page)
    page.goto(f"/accounts/login/?next={INDEX}")
    fill_in_sign_in_form(page, person)

    page.get_by_role("link", name="Add passkey").click()
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("Name").fill("Virtual key")
    page.get_by_role("button", name="Create passkey").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    expect(page.locator("#codes code")).to_have_count(10)
    page.get_by_role("link", name="I have kept them").click()
    expect(page.locator("li strong")).to_have_text("Virtual key")

    page.context.clear_cookies()
    page.goto(f"/accounts/login/?next={INDEX}")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"**{INDEX}")

    page.get_by_role("link", name="Rename Virtual key").click()
    expect(page.get_by_role("heading", name="Confirm it’s you")).to_be_visible()
    page.get_by_role("link", name="Use a passkey").click()
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_label("Name").fill("Blue key")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("li strong")).to_have_text("Blue key")

    page.context.clear_cookies()
    page.goto(f"/accounts/login/?next={INDEX}")
    fill_in_sign_in_form(page, person)
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"**{INDEX}")


def test_a_bare_address_names_the_address_for_passkeys(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"), INDEX)
    address = f"{get_localhost_url(deployment)}{INDEX}"
    expect(page.get_by_role("link", name=address)).to_have_attribute("href", address)
    expect(page.get_by_role("link", name="Add passkey")).to_have_count(0)
