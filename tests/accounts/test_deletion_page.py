"""The page that deletes an account asks for the password and the address, and spares the last
administrator."""

import pytest
from django.core import mail
from django.test import Client

from accounts.deletion import erasure
from accounts.models import AccountDeletion, AuditEvent, User
from tests.factories import create_signed_in_client

PATH = "/settings/data/deletion/"


@pytest.fixture
def as_owner(owner: User, password: str) -> Client:
    """A browser in which the owner has just typed the password."""
    client = create_signed_in_client(owner)
    client.post("/accounts/reauthenticate/", {"password": password})
    return client


def test_a_session_alone_deletes_no_account(owner: User) -> None:
    client = create_signed_in_client(owner)
    for answer in (client.get(PATH), client.post(PATH, {"email": owner.email})):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert not AccountDeletion.objects.exists()


@pytest.mark.parametrize("typed", ["", "colleague@holdfast.test", "owner"])
def test_another_address_deletes_nothing(as_owner: Client, typed: str) -> None:
    assert as_owner.post(PATH, {"email": typed}).status_code == 422
    assert not AccountDeletion.objects.exists()


def test_a_visitor_has_to_sign_in(client: Client) -> None:
    answer = client.post(PATH, {"email": "owner@holdfast.test"})
    assert answer["Location"].startswith("/accounts/login/")


@pytest.mark.usefixtures("transactional_db")
def test_the_account_is_signed_out_everywhere_at_once(
    owner: User, as_owner: Client, password: str
) -> None:
    other = create_signed_in_client(owner)
    answer = as_owner.post(PATH, {"email": " Owner@Holdfast.test "}, follow=True)
    assert "Your account is being deleted" in answer.content.decode()
    for browser in (as_owner, other):
        assert browser.get("/settings/keys/").status_code == 302
    other.post("/accounts/login/", {"login": owner.email, "password": password})
    assert other.get("/settings/keys/").status_code == 302
    assert mail.outbox[0].subject == "[Holdfast] Your account is being deleted"


def test_the_last_administrator_is_told_why_the_account_stays(
    administrator: User, as_administrator: Client
) -> None:
    answer = as_administrator.post(PATH, {"email": administrator.email})
    assert answer.status_code == 422
    assert "Make somebody else an administrator first" in answer.content.decode()
    administrator.refresh_from_db()
    assert administrator.is_active
    User.objects.create_superuser("second@holdfast.test")
    assert as_administrator.post(PATH, {"email": administrator.email}).status_code == 302


def test_an_account_that_is_activated_again_meanwhile_is_deleted_all_the_same(owner: User) -> None:
    erasure.request_deletion(owner, actor=owner)
    User.objects.update(is_active=True)
    erasure.erase_accounts()
    assert not User.objects.exists()


def test_events_before_and_after_name_the_account_and_the_actor(
    owner: User, administrator: User
) -> None:
    erasure.request_deletion(owner, actor=administrator)
    erasure.request_deletion(owner, actor=owner)  # changes nothing
    erasure.erase_accounts()
    events = AuditEvent.objects.order_by("id").values_list("kind", "account_id", "actor_id")
    assert list(events) == [
        ("deletion.requested", owner.pk, administrator.pk),
        ("deletion.completed", owner.pk, administrator.pk),
    ]
