"""The account page: a person's name, and a row for each part of the account."""

import pytest
from django.test import Client

from accounts.account_page import rows
from accounts.models import User

PATH = "/settings/account/"


def test_a_person_changes_their_name(owner: User, as_owner: Client) -> None:
    page = as_owner.post(PATH, {"name": "Olivia", "is_staff": "on"}, follow=True).content.decode()
    assert "Your name is saved." in page
    owner.refresh_from_db()
    assert (owner.name, owner.is_staff) == ("Olivia", False)


def test_a_name_that_is_too_long_is_not_saved(owner: User, as_owner: Client) -> None:
    assert "at most 150 characters" in as_owner.post(PATH, {"name": "x" * 151}).content.decode()
    owner.refresh_from_db()
    assert owner.name == "Olive Owner"


def test_the_page_links_to_the_address_and_the_password(as_owner: Client) -> None:
    page = as_owner.get(PATH).content.decode()
    assert "owner@holdfast.test" in page
    assert 'href="/accounts/email/"' in page
    assert 'href="/accounts/password/change/"' in page


def test_an_account_without_a_password_can_request_a_link(owner: User, as_owner: Client) -> None:
    owner.set_unusable_password()
    owner.save()
    as_owner.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
    assert 'href="/accounts/password/reset/"' in as_owner.get(PATH).content.decode()


@pytest.mark.parametrize("path", ["/accounts/email/", "/accounts/password/change/"])
def test_a_page_of_the_account_marks_the_account_as_current(as_owner: Client, path: str) -> None:
    page = as_owner.get(path).content.decode()
    assert '<a href="/settings/account/" aria-current="true">Account</a>' in page
    assert page.count("aria-current") == 1


def test_a_stranger_has_to_sign_in(client: Client) -> None:
    assert client.post(PATH, {"name": "Eve"}).status_code == 302


@pytest.mark.parametrize("name", ["email", "no such row"])
def test_a_row_has_a_known_name_and_one_builder(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        rows.register_row(name)(lambda request: None)
