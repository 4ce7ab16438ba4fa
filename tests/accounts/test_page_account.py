"""A page belongs to the account it was made for: it neither acts for another account, nor shows the
text typed for it."""

from __future__ import annotations

import re
from html import unescape
from uuid import uuid4

import pytest
from django.test import Client

from accounts.api_keys import keys
from accounts.models import User
from accounts.page_account import get_opaque_account_id
from chat.models import Conversation
from tests.chat.factories import HTMX
from tests.factories import create_signed_in_client, sign_in


def build_message_form(user: User | None, text: str = "Half a thought") -> dict[str, str]:
    """Build the fields that the form on a page of this account sends; None is a visitor's page."""
    form = {"text": text, "model": "demo", "request_id": str(uuid4())}
    return form | ({"account": get_opaque_account_id(user)} if user else {})


def read_draft(client: Client, path: str = "/") -> str:
    html = client.get(path).content.decode()
    match = re.search(r'<textarea id="text"[^>]*>\n(.*?)</textarea>', html, re.DOTALL)
    assert match, html
    return unescape(match[1])


def test_an_account_has_its_own_opaque_token(owner: User, stranger: User) -> None:
    page = create_signed_in_client(owner).get("/").content.decode()
    assert f'<meta name="account" content="{get_opaque_account_id(owner)}">' in page
    assert f'name="account" value="{get_opaque_account_id(owner)}"' in page
    assert get_opaque_account_id(owner) != get_opaque_account_id(stranger)
    assert re.fullmatch(r"[0-9a-f]{32}", get_opaque_account_id(owner))


@pytest.mark.parametrize("path", ["/c/", "/m/{0}/versions/", "/c/{0}/deletion/"])
@pytest.mark.parametrize("method", ["field", "header"])
def test_a_form_of_another_accounts_page_is_refused_and_returns_the_text(
    owner: User, stranger: User, path: str, method: str
) -> None:
    form = build_message_form(owner if method == "field" else None)
    headers = HTMX | {"X-Account": get_opaque_account_id(owner)} if method == "header" else {}
    browser = create_signed_in_client(stranger)
    answer = browser.post(path.format(uuid4()), form, headers=headers)
    assert answer.status_code == 409
    assert answer.headers["X-Account"] == get_opaque_account_id(stranger)
    assert "You’re signed in to another account" in answer.content.decode()
    assert "\nHalf a thought</textarea>" in answer.content.decode()
    assert not Conversation.objects.exists()
    assert read_draft(browser) == ""


FORMS = [
    ("/settings/keys/", ["/settings/keys/openai/", "/settings/keys/openai/remove/"]),
    ("/settings/replies/", ["/settings/replies/", "/type/"]),
    ("/accounts/email/", ["/accounts/email/"]),
    ("/accounts/password/change/", ["/accounts/password/change/"]),
    ("/", ["/accounts/logout/", "/theme/", "/c/"]),
]


@pytest.mark.parametrize(("path", "actions"), FORMS)
def test_every_form_names_the_account_of_its_page(
    owner: User, stranger: User, path: str, actions: list[str]
) -> None:
    """The field also protects browsers without scripts, in every form."""
    for user in (owner, stranger):
        keys.save(user, "openai", f"sk-of-{user.pk}")
    page = create_signed_in_client(owner).get(path).content.decode()
    forms = re.findall(r'<form[^>]*method="post".*?</form>', page, re.DOTALL)
    assert forms
    for form in forms:
        assert f'name="account" value="{get_opaque_account_id(owner)}"' in form
    browser = create_signed_in_client(stranger)
    for action in actions:
        answer = browser.post(
            action, {"account": get_opaque_account_id(owner), "key": "sk-another"}
        )
        assert answer.status_code == 409, action
        assert "sk-another" not in answer.content.decode()
    assert keys.decrypt_for_call(stranger, "openai") == f"sk-of-{stranger.pk}"


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_form_of_the_accounts_own_page_is_accepted(owner: User, headers: dict[str, str]) -> None:
    answer = create_signed_in_client(owner).post("/c/", build_message_form(owner), headers=headers)
    assert answer.status_code in {200, 302}
    assert Conversation.objects.get().user == owner


def test_a_draft_of_one_account_is_not_shown_to_the_next(owner: User, stranger: User) -> None:
    browser = Client()
    browser.post("/c/", build_message_form(owner))  # the session has expired
    sign_in(browser, stranger)
    assert read_draft(browser) == ""
    assert "Half a thought" not in str(dict(browser.session))


def test_a_draft_is_restored_when_its_account_signs_in(owner: User) -> None:
    browser = Client()
    browser.post("/c/", build_message_form(owner))
    sign_in(browser, owner)
    assert read_draft(browser) == "Half a thought"


def test_a_draft_does_not_keep_the_demo_once_there_is_a_key(owner: User) -> None:
    browser = Client()
    browser.post("/c/", build_message_form(owner) | {"default_model": "demo"})
    keys.save(owner, "openai", "sk-of-the-owner")
    sign_in(browser, owner)
    html = browser.get("/").content.decode()
    assert "Half a thought" in html
    assert not re.search(r'<option value="demo"[^>]* selected', html)
    assert re.search(r"<option [^>]* selected", html)


def test_a_visitors_draft_goes_to_the_next_account_only(owner: User, stranger: User) -> None:
    browser = Client()
    browser.post("/c/", build_message_form(None))
    sign_in(browser, owner)
    assert read_draft(browser) == "Half a thought"
    browser.post("/accounts/logout/")
    sign_in(browser, stranger)
    assert read_draft(browser) == ""


@pytest.mark.parametrize(
    ("origin", "is_kept"), [("http://testserver", True), ("http://elsewhere.test", False)]
)
def test_a_token_of_an_older_session_loses_no_text(owner: User, origin: str, is_kept: bool) -> None:
    browser = Client(enforce_csrf_checks=True)
    sign_in(browser, owner)
    browser.get("/")
    form = build_message_form(owner) | {"csrfmiddlewaretoken": "x" * 32}
    answer = browser.post("/c/", form, headers={"Origin": origin})
    assert answer.status_code == 403
    assert ("\nHalf a thought</textarea>" in answer.content.decode()) is is_kept
