"""Passkeys in a real Chromium, whose virtual authenticator creates and uses real keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from tests.accounts.mail_server import MailServer, run_mail_server
from tests.e2e.conftest import StartDeployment
from tests.e2e.people import fill_in_sign_in_form
from tools.deployment.deployment import Deployment
from tools.waiting import until

pytestmark = pytest.mark.page
on_one_process = pytest.mark.parametrize("deployment", ["embedded"], indirect=True)

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


@on_one_process
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


@pytest.mark.still
@on_one_process
def test_a_bare_address_names_the_address_for_passkeys(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"), INDEX)
    address = f"{get_localhost_url(deployment)}{INDEX}"
    expect(page.get_by_role("link", name=address)).to_have_attribute("href", address)
    expect(page.get_by_role("link", name="Add passkey")).to_have_count(0)


@pytest.mark.prove
def test_a_person_signs_up_with_a_passkey(
    start_deployment: StartDeployment, browser_context: Callable[..., BrowserContext]
) -> None:
    with run_mail_server() as mail_server:
        environment = {"EMAIL_URL": f"smtp://127.0.0.1:{mail_server.port}", "SIGNUP": "open"}
        environment["EMAIL_VERIFICATION"] = "mandatory"
        mailing = start_deployment("embedded", environment=environment)
        page = browser_context(base_url=get_localhost_url(mailing)).new_page()
        add_authenticator(page)
        page.goto("/accounts/signup/")
        page.get_by_role("link", name="Sign up with a passkey").click()
        page.get_by_label("Email").fill("newcomer@holdfast.test")
        page.get_by_role("button", name="Continue").click()

        page.get_by_label("Code").fill(read_mailed_code(mail_server))
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name="Create passkey").click()
        expect(page.locator("#codes code")).to_have_count(10)
        page.get_by_role("link", name="I have kept them").click()
        expect(page.get_by_role("textbox", name="Message", exact=True)).to_be_visible()

        page.context.clear_cookies()
        page.goto(f"/accounts/login/?next={INDEX}")
        page.get_by_role("button", name="Use a passkey").click()
        page.wait_for_url(f"**{INDEX}")
        page.get_by_role("link", name="Remove Passkey").click()
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_text("is your only way to sign in")).to_be_visible()


def read_mailed_code(mail_server: MailServer) -> str:
    until(lambda: mail_server.mails, what="the mail with the code arrives")
    [code] = re.findall(r"^[A-Z0-9]{3,5}-[A-Z0-9]{3,5}\s*$", mail_server.mails[0], re.MULTILINE)
    return str(code).strip()
