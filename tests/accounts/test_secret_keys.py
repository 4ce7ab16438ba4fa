"""A change of SECRET_KEY signs nobody out and makes nothing void, as long as the older key is
listed. Without it, everything that it signed is void."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.core import mail
from django.db import connections
from django.test import Client
from pytest_django import Settings

from accounts import devices, setup
from accounts.models import User
from accounts.page_account import get_opaque_account_id, list_opaque_account_ids
from streaming.doors import sessions
from tests.chat.factories import HTMX

LOGIN = "/accounts/login/"
RESET = "/accounts/password/reset/"
OLD_KEY = "the key of last year, long and random enough"
NEW_KEY = "the key of this year, long and random enough"
PAGE = "/settings/keys/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def use_old_key(settings: Settings) -> None:
    settings.SECRET_KEY = OLD_KEY


@pytest.fixture
def change_key(settings: Settings) -> Callable[..., None]:
    def change(*, is_old_listed: bool = True) -> None:
        settings.SECRET_KEY = NEW_KEY
        settings.SECRET_KEY_FALLBACKS = [OLD_KEY] if is_old_listed else []

    return change


def sign_in(user: User, password: str) -> Client:
    client = Client()
    assert client.post(LOGIN, {"login": user.email, "password": password}).status_code == 302
    return client


def is_signed_in(client: Client) -> bool:
    return client.get(PAGE).status_code == 200


def can_open_socket(client: Client) -> bool:
    key = client.cookies["sessionid"].value
    return key in sessions._load_session_users([key])


@pytest.mark.parametrize("is_old_listed", [True, False])
def test_a_session_and_its_sockets_live_on_only_if_the_old_key_is_listed(
    owner: User, password: str, change_key: Callable[..., None], is_old_listed: bool
) -> None:
    client = sign_in(owner, password)
    change_key(is_old_listed=is_old_listed)
    assert can_open_socket(client) == is_old_listed
    assert is_signed_in(client) == is_old_listed


def test_a_used_session_outlives_the_old_key(
    owner: User, password: str, change_key: Callable[..., None]
) -> None:
    client = sign_in(owner, password)
    change_key()
    assert is_signed_in(client)
    change_key(is_old_listed=False)
    assert is_signed_in(client)
    assert can_open_socket(client)


def test_a_change_of_the_key_leaves_the_session_key_to_other_requests_and_sockets(
    owner: User, password: str, change_key: Callable[..., None]
) -> None:
    """Django would make another session key for the first of several requests of one page."""
    client = sign_in(owner, password)
    before = client.cookies["sessionid"].value
    change_key()
    assert is_signed_in(client)
    other = Client()
    other.cookies["sessionid"] = before
    assert is_signed_in(other)
    assert can_open_socket(other)


def test_requests_of_one_page_at_once_stay_signed_in(
    transactional_db: None, password: str, change_key: Callable[..., None]
) -> None:
    owner = User.objects.create_user("owner@holdfast.test", password)
    key = sign_in(owner, password).cookies["sessionid"].value
    change_key()

    def request(_: int) -> int:
        try:
            client = Client()
            client.cookies["sessionid"] = key
            return client.get(PAGE).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as threads:
        assert set(threads.map(request, range(12))) == {200}


def test_a_new_sign_in_still_makes_a_new_session_key(owner: User, password: str) -> None:
    client = Client()
    client.post("/c/", {"text": "a draft", "model": ""})
    before = client.cookies["sessionid"].value
    client.post(LOGIN, {"login": owner.email, "password": password})
    assert client.cookies["sessionid"].value != before


def test_a_new_password_ends_sessions_of_an_older_key(
    owner: User, password: str, change_key: Callable[..., None]
) -> None:
    client = sign_in(owner, password)
    change_key()
    owner.set_password("stipe-and-frond-8")
    owner.save()
    assert not can_open_socket(client)
    assert not is_signed_in(client)


@pytest.mark.parametrize("is_old_listed", [True, False])
def test_a_known_browser_stays_known(
    owner: User, password: str, change_key: Callable[..., None], is_old_listed: bool
) -> None:
    client = sign_in(owner, password)
    request = Client().get("/").wsgi_request
    request.COOKIES[devices.COOKIE_NAME] = client.cookies[devices.COOKIE_NAME].value
    change_key(is_old_listed=is_old_listed)
    assert (devices.find_device_id(request, owner) is not None) == is_old_listed


@pytest.mark.parametrize("is_old_listed", [True, False])
def test_an_open_page_goes_on_working(
    owner: User, password: str, change_key: Callable[..., None], is_old_listed: bool
) -> None:
    client = sign_in(owner, password)
    page_account = get_opaque_account_id(owner)
    assert is_signed_in(client)
    change_key()
    assert is_signed_in(client)  # its session is renewed; the page is older
    change_key(is_old_listed=is_old_listed)
    answer = client.post("/theme/", headers=HTMX | {"X-Account": page_account})
    assert (answer.status_code == 409) != is_old_listed


def test_a_new_page_names_the_older_ids_of_its_account(
    owner: User, stranger: User, password: str, change_key: Callable[..., None]
) -> None:
    before = get_opaque_account_id(owner)
    client = sign_in(owner, password)
    change_key()
    html = client.get("/").content.decode()
    assert f'content="{get_opaque_account_id(owner)}" data-earlier="{before}"' in html
    assert list_opaque_account_ids(owner)[1] == before
    assert not {*list_opaque_account_ids(owner)} & {*list_opaque_account_ids(stranger)}


@pytest.mark.parametrize("is_old_listed", [True, False])
def test_a_link_to_a_new_password_works(
    owner: User, change_key: Callable[..., None], is_old_listed: bool
) -> None:
    Client().post(RESET, {"email": owner.email})
    [link] = re.findall(r"http\S+/password/reset/key/\S+", str(mail.outbox[-1].body))
    change_key(is_old_listed=is_old_listed)
    page = Client().get(link, follow=True).content.decode()
    assert ('name="password1"' in page) == is_old_listed


@pytest.mark.parametrize("is_old_listed", [True, False])
def test_a_link_that_confirms_an_address_works(
    owner: User, change_key: Callable[..., None], is_old_listed: bool
) -> None:
    address = EmailAddress.objects.create(user=owner, email="second@holdfast.test")
    key = EmailConfirmationHMAC.create(address).key
    change_key(is_old_listed=is_old_listed)
    assert (EmailConfirmationHMAC.from_key(key) is not None) == is_old_listed


def test_the_setup_code_of_an_older_key_is_accepted(change_key: Callable[..., None]) -> None:
    code = setup.compute_setup_code()
    change_key()
    assert setup.is_valid_setup_code(code)
    assert setup.is_valid_setup_code(setup.compute_setup_code())
    assert setup.compute_setup_code() != code
    change_key(is_old_listed=False)
    assert not setup.is_valid_setup_code(code)


def test_a_draft_of_a_visitor_and_a_notice_survive(
    owner: User, password: str, change_key: Callable[..., None]
) -> None:
    client = Client()
    client.post("/c/", {"text": "half a thought", "model": ""})
    change_key()
    client.post(LOGIN, {"login": owner.email, "password": password})
    assert "half a thought" in client.get("/").content.decode()


def test_the_draft_of_an_older_page_belongs_to_its_account(
    owner: User, password: str, change_key: Callable[..., None]
) -> None:
    client = Client()
    form = {"text": "half a thought", "model": "", "account": get_opaque_account_id(owner)}
    client.post("/c/", form)
    change_key()
    client.post(LOGIN, {"login": owner.email, "password": password})
    assert "half a thought" in client.get("/").content.decode()
