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


def message(user: User | None, text: str = "Half a thought") -> dict[str, str]:
    """Build the fields that the form on a page of this account sends; None is a visitor's page."""
    form = {"text": text, "model": "demo", "request_id": str(uuid4())}
    return form | ({"account": get_opaque_account_id(user)} if user else {})


def in_box(client: Client, path: str = "/") -> str:
    shown = client.get(path).content.decode()
    found = re.search(r'<textarea id="text"[^>]*>\n(.*?)</textarea>', shown, re.DOTALL)
    assert found, shown
    return unescape(found[1])


def test_an_account_has_its_own_opaque_token(owner: User, stranger: User) -> None:
    page = create_signed_in_client(owner).get("/").content.decode()
    assert f'<meta name="account" content="{get_opaque_account_id(owner)}">' in page
    assert f'name="account" value="{get_opaque_account_id(owner)}"' in page
    assert get_opaque_account_id(owner) != get_opaque_account_id(stranger)
    assert re.fullmatch(r"[0-9a-f]{32}", get_opaque_account_id(owner))


@pytest.mark.parametrize("path", ["/c/", "/m/{0}/versions/", "/c/{0}/deletion/"])
@pytest.mark.parametrize("way", ["field", "header"])
def test_a_form_of_another_accounts_page_is_refused_and_returns_the_text(
    owner: User, stranger: User, path: str, way: str
) -> None:
    form = message(owner if way == "field" else None)
    headers = HTMX | {"X-Account": get_opaque_account_id(owner)} if way == "header" else {}
    browser = create_signed_in_client(stranger)
    answer = browser.post(path.format(uuid4()), form, headers=headers)
    assert answer.status_code == 409
    assert answer.headers["X-Account"] == get_opaque_account_id(stranger)
    assert "You’re signed in to another account" in answer.content.decode()
    assert "\nHalf a thought</textarea>" in answer.content.decode()
    assert not Conversation.objects.exists()
    assert in_box(browser) == ""


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
    """So a browser without scripts is refused as well, whatever the form does."""
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
    answer = create_signed_in_client(owner).post("/c/", message(owner), headers=headers)
    assert answer.status_code in {200, 302}
    assert Conversation.objects.get().user == owner


def test_a_draft_of_one_account_is_not_shown_to_the_next(owner: User, stranger: User) -> None:
    browser = Client()
    browser.post("/c/", message(owner))  # the session has expired
    sign_in(browser, stranger)
    assert in_box(browser) == ""
    assert "Half a thought" not in str(dict(browser.session))


def test_a_draft_is_restored_when_its_account_signs_in(owner: User) -> None:
    browser = Client()
    browser.post("/c/", message(owner))
    sign_in(browser, owner)
    assert in_box(browser) == "Half a thought"


def test_a_draft_does_not_keep_the_demo_once_there_is_a_key(owner: User) -> None:
    browser = Client()
    browser.post("/c/", message(owner) | {"default_model": "demo"})
    keys.save(owner, "openai", "sk-of-the-owner")
    sign_in(browser, owner)
    shown = browser.get("/").content.decode()
    assert "Half a thought" in shown
    assert not re.search(r'<option value="demo"[^>]* selected', shown)
    assert re.search(r"<option [^>]* selected", shown)


def test_a_visitors_draft_goes_to_the_next_account_only(owner: User, stranger: User) -> None:
    browser = Client()
    browser.post("/c/", message(None))
    sign_in(browser, owner)
    assert in_box(browser) == "Half a thought"
    browser.post("/accounts/logout/")
    sign_in(browser, stranger)
    assert in_box(browser) == ""


@pytest.mark.parametrize(
    ("origin", "shown"), [("http://testserver", True), ("http://elsewhere.test", False)]
)
def test_a_token_of_an_older_session_loses_no_text(owner: User, origin: str, shown: bool) -> None:
    browser = Client(enforce_csrf_checks=True)
    sign_in(browser, owner)
    browser.get("/")
    form = message(owner) | {"csrfmiddlewaretoken": "x" * 32}
    answer = browser.post("/c/", form, headers={"Origin": origin})
    assert answer.status_code == 403
    assert ("\nHalf a thought</textarea>" in answer.content.decode()) is shown
