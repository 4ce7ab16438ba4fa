"""Linking and unlinking accounts of another server, and confirming a change with one."""

from collections.abc import Iterator

import pytest
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.http import HttpRequest
from django.test import Client
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.models import User
from accounts.social import confirming, openid_documents
from tests.accounts.openid_browser import LOGIN, authorize, build_server, return_to, sign_in, start
from tests.factories import create_signed_in_client
from tools.fake_openid import server
from tools.fake_openid.server import FakeOpenID

pytestmark = pytest.mark.django_db

PAGE = "/settings/linked-accounts/"


@pytest.fixture(scope="module")
def running_server() -> Iterator[FakeOpenID]:
    with server.serve() as fake:
        yield fake


@pytest.fixture
def work(running_server: FakeOpenID, settings: Settings) -> FakeOpenID:
    person = {"sub": "olive-1", "email": "olive@work.example", "email_verified": True}
    running_server.__dict__.update(FakeOpenID(running_server.url, person=person).__dict__)
    openid_documents.forget_documents()
    settings.SIGN_IN_SERVERS = [build_server(running_server)]
    return running_server


@pytest.fixture
def confirmed(as_owner: Client, password: str) -> Client:
    """A browser in which the owner has just typed the password."""
    as_owner.post("/accounts/reauthenticate/", {"password": password})
    return as_owner


def link(client: Client) -> SocialAccount:
    sign_in(client, process="connect")
    return SocialAccount.objects.get(provider="work")


def list_events() -> list[str]:
    return list(
        AuditEvent.objects.filter(kind__in=["account.linked", "account.unlinked"]).values_list(
            "kind", flat=True
        )
    )


def test_linking_needs_a_recent_password(work: FakeOpenID, as_owner: Client) -> None:
    response = as_owner.post(LOGIN, {"process": "connect"})
    assert response.headers["Location"].startswith("/accounts/reauthenticate/")
    assert not work.requests


def test_a_password_that_became_old_on_the_way_links_nothing(
    work: FakeOpenID, confirmed: Client, settings: Settings
) -> None:
    back = authorize(start(confirmed, process="connect"))
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 0
    response = return_to(confirmed, back)
    assert response.headers["Location"].startswith("/accounts/reauthenticate/")
    assert not SocialAccount.objects.exists()
    assert "account_reauthentication_state" not in confirmed.session


def test_linking_tells_the_owner_and_the_audit_trail(
    work: FakeOpenID, confirmed: Client, owner: User
) -> None:
    linked = link(confirmed)
    assert linked.user == owner
    assert list_events() == ["account.linked"]
    [message] = mail.outbox
    assert message.to == [owner.email]
    assert "An account of Work was linked" in message.body
    page = confirmed.get(PAGE).content.decode()
    assert "olive@work.example" in page
    browser = Client()
    sign_in(browser)
    assert browser.session["_auth_user_id"] == str(owner.pk)


def test_linking_does_not_undo_a_deactivation_on_the_way(
    work: FakeOpenID, confirmed: Client, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deactivate(request: HttpRequest, login: object) -> None:
        assert request.user.is_authenticated  # the row is read
        User.objects.filter(pk=owner.pk).update(is_active=False)

    monkeypatch.setattr(confirming, "stop_unless_confirmed", deactivate)
    link(confirmed)
    assert not User.objects.get(pk=owner.pk).is_active


def test_linking_adds_no_address_to_the_account(
    work: FakeOpenID, confirmed: Client, owner: User
) -> None:
    link(confirmed)
    assert "olive@work.example" not in confirmed.get("/accounts/email/").content.decode()
    owner.refresh_from_db()
    assert owner.email == "owner@holdfast.test"


def test_an_unconfirmed_address_may_be_linked_because_the_password_proves_the_owner(
    work: FakeOpenID, confirmed: Client, owner: User
) -> None:
    work.person |= {"email": owner.email, "email_verified": False}
    assert link(confirmed).user == owner


def test_an_account_of_somebody_else_is_not_linked_twice(
    work: FakeOpenID, confirmed: Client, colleague: User
) -> None:
    SocialAccount.objects.create(user=colleague, provider="work", uid="olive-1")
    sign_in(confirmed, process="connect")
    assert SocialAccount.objects.get().user == colleague
    assert list_events() == []


def test_nobody_links_without_being_signed_in(work: FakeOpenID, client: Client) -> None:
    assert client.post(LOGIN, {"process": "connect"}).headers["Location"] == "/accounts/login/"
    assert not work.requests


def test_unlinking_needs_a_recent_password_and_tells_the_owner(
    work: FakeOpenID, confirmed: Client, owner: User
) -> None:
    linked = link(confirmed)
    mail.outbox.clear()
    other_browser = create_signed_in_client(owner)
    response = other_browser.post(PAGE, {"linked": linked.pk})
    assert response.headers["Location"].startswith("/accounts/reauthenticate/")
    assert SocialAccount.objects.exists()
    confirmed.post(PAGE, {"linked": linked.pk})
    assert not SocialAccount.objects.exists()
    assert sorted(list_events()) == ["account.linked", "account.unlinked"]
    assert "was unlinked" in mail.outbox[0].body


@pytest.mark.parametrize("id", ["", "0", "x", "-1", "²", "1" * 30, "9" * 18])
def test_an_unknown_account_can_not_be_unlinked(
    work: FakeOpenID, confirmed: Client, id: str
) -> None:
    link(confirmed)
    assert confirmed.post(PAGE, {"linked": id}).status_code == 302
    assert SocialAccount.objects.exists()


def test_an_account_of_somebody_else_can_not_be_unlinked(
    work: FakeOpenID, confirmed: Client, colleague: User
) -> None:
    theirs = SocialAccount.objects.create(user=colleague, provider="work", uid="colin-1")
    confirmed.post(PAGE, {"linked": theirs.pk})
    assert SocialAccount.objects.filter(pk=theirs.pk).exists()


@pytest.fixture
def without_password(work: FakeOpenID, settings: Settings, owner: User) -> Client:
    """A person who signed up with the other server, and can sign in with nothing else."""
    settings.SIGNUP = "open"
    client = Client()
    sign_in(client)
    return client


def test_the_last_way_to_sign_in_stays(without_password: Client, work: FakeOpenID) -> None:
    sign_in(without_password, process="confirm")
    linked = SocialAccount.objects.get()
    response = without_password.post(PAGE, {"linked": linked.pk}, follow=True)
    assert "You could not sign in any more" in response.content.decode()
    SocialAccount.objects.create(user=linked.user, provider="gone", uid="1")
    without_password.post(PAGE, {"linked": linked.pk})
    assert SocialAccount.objects.filter(pk=linked.pk).exists()


def test_an_account_of_a_server_that_is_gone_can_be_unlinked(
    confirmed: Client, owner: User, settings: Settings
) -> None:
    old = SocialAccount.objects.create(user=owner, provider="gone", uid="1")
    settings.SIGN_IN_SERVERS = []
    assert "gone" in confirmed.get(PAGE).content.decode()
    confirmed.post(PAGE, {"linked": old.pk})
    assert not SocialAccount.objects.exists()


# Confirming a change


def test_a_session_alone_confirms_nothing_without_a_password(without_password: Client) -> None:
    """allauth would count a person who has no password as confirmed."""
    response = without_password.post(LOGIN, {"process": "connect"})
    assert response.headers["Location"].startswith("/accounts/3rdparty/confirm/?next=")
    page = without_password.get(response.headers["Location"]).content.decode()
    assert "Confirm with Work" in page


def test_the_other_server_confirms_who_entered_the_password_there_just_now(
    without_password: Client, work: FakeOpenID
) -> None:
    old_key = without_password.session.session_key
    response = sign_in(without_password, process="confirm", next=PAGE)
    assert response.headers["Location"] == PAGE
    [asked] = [params for path, params in work.requests if params.get("max_age")]
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    assert without_password.session.session_key != old_key
    assert without_password.post(LOGIN, {"process": "connect"}).status_code == 302
    assert len([path for path, _ in work.requests if path == "/authorize"]) == 2


@pytest.mark.parametrize(
    "auth_time", [None, 1_700_000_000, "now", True, float(2**40), float("nan"), 10**400, -(10**400)]
)
def test_an_old_password_at_the_other_server_confirms_nothing(
    without_password: Client, work: FakeOpenID, auth_time: object
) -> None:
    work.person["auth_time"] = auth_time
    assert sign_in(without_password, process="confirm", next=PAGE).status_code == 302
    response = without_password.post(LOGIN, {"process": "connect"})
    assert "/3rdparty/confirm/" in response.headers["Location"]


def test_an_account_of_somebody_else_confirms_nothing(
    without_password: Client, work: FakeOpenID, colleague: User
) -> None:
    SocialAccount.objects.create(user=colleague, provider="work", uid="colin-1")
    for subject in ("colin-1", "nobody-1"):
        work.person["sub"] = subject
        sign_in(without_password, process="confirm", next=PAGE)
        response = without_password.post(LOGIN, {"process": "connect"})
        assert "/3rdparty/confirm/" in response.headers["Location"]
    assert SocialAccount.objects.count() == 2


def test_an_ordinary_sign_in_confirms_nothing(without_password: Client, work: FakeOpenID) -> None:
    sign_in(without_password)
    response = without_password.post(LOGIN, {"process": "connect"})
    assert "/3rdparty/confirm/" in response.headers["Location"]


# Pages


def test_only_pages_with_buttons_may_lead_to_the_other_server(
    work: FakeOpenID, confirmed: Client, client: Client
) -> None:
    for page in ("/accounts/login/", "/accounts/signup/", LOGIN):
        policy = client.get(page).headers["Content-Security-Policy"]
        assert f"form-action 'self' {work.url};" in policy
    assert work.url in confirmed.get(PAGE).headers["Content-Security-Policy"]
    for page in ("/settings/account/", "/accounts/email/", "/", "/accounts/password/change/"):
        policy = confirmed.get(page).headers["Content-Security-Policy"]
        assert "form-action 'self';" in policy


def test_the_account_page_has_a_row_where_a_server_is_configured(
    work: FakeOpenID, as_owner: Client, settings: Settings
) -> None:
    assert "Linked accounts" in as_owner.get("/settings/account/").content.decode()
    settings.SIGN_IN_SERVERS = []
    assert "Linked accounts" not in as_owner.get("/settings/account/").content.decode()


def test_the_admin_shows_links_without_data_and_no_tokens(
    work: FakeOpenID, confirmed: Client, as_administrator: Client
) -> None:
    linked = link(confirmed)
    path = f"/admin/socialaccount/socialaccount/{linked.pk}/change/"
    page = as_administrator.get(path).content.decode()
    assert "olive-1" in page
    assert "olive@work.example" not in page
    assert as_administrator.post(path, {"uid": "eve-1"}).status_code == 403
    for gone in ("socialapp", "socialtoken"):
        assert as_administrator.get(f"/admin/socialaccount/{gone}/").status_code == 404
