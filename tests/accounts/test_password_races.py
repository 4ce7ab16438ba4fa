"""A new password is stored without undoing what happened to the account while it was hashed."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client

from accounts.deletion.erasure import request_deletion
from accounts.models import AccountDeletion, User
from tests.factories import create_signed_in_client

pytestmark = pytest.mark.django_db

NEW = "a long sentence of mine"
Change = Callable[[User], object]


def deactivate(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)


def take_rights(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_superuser=False, is_staff=False)


def delete(person: User) -> None:
    request_deletion(User.objects.get(pk=person.pk), actor=person)


def reset_password(person: User, set_new: Callable[[], object]) -> None:
    client = Client()
    client.post("/accounts/password/reset/", {"email": person.email})
    [link] = re.findall(r"/accounts/password/reset/key/\S+", str(mail.outbox[-1].body))
    page = client.get(link, follow=True).redirect_chain[-1][0]
    set_new()
    assert client.post(page, {"password1": NEW, "password2": NEW}).status_code == 302


@pytest.fixture
def during_hashing(monkeypatch: pytest.MonkeyPatch) -> Callable[[User, Change], None]:
    """Make a change of the account when a new password is hashed and not yet stored."""

    def prepare(person: User, change: Change) -> None:
        real = User.set_password

        def hash_slowly(self: User, raw: str | None) -> None:
            monkeypatch.setattr(User, "set_password", real)
            real(self, raw)
            change(person)

        monkeypatch.setattr(User, "set_password", hash_slowly)

    return prepare


@pytest.fixture
def strong(owner: User, administrator: User) -> User:
    """An owner with rights, who is not the last administrator."""
    User.objects.filter(pk=owner.pk).update(is_superuser=True, is_staff=True)
    return User.objects.get(pk=owner.pk)


WAYS = ["change", "reset", "admin"]


def set_password(way: str, person: User, password: str, admin: Client, arm: Change) -> None:
    if way == "reset":
        reset_password(person, lambda: arm(person))
        return
    form = {"password1": NEW, "password2": NEW}
    client, path = admin, f"/admin/accounts/user/{person.pk}/password/"
    if way == "change":
        client, path = create_signed_in_client(person), "/accounts/password/change/"
        form["oldpassword"] = password
    arm(person)
    assert client.post(path, form).status_code == 302


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("change", [deactivate, take_rights, delete])
def test_a_new_password_undoes_nothing(
    strong: User,
    password: str,
    as_administrator: Client,
    during_hashing: Callable[[User, Change], None],
    way: str,
    change: Change,
) -> None:
    set_password(way, strong, password, as_administrator, lambda p: during_hashing(p, change))
    after = User.objects.get(pk=strong.pk)
    if change is take_rights:
        assert (after.is_superuser, after.is_staff) == (False, False)
        assert after.check_password(NEW)
        return
    assert not after.is_active
    # An administrator may give a deactivated person a password.
    assert after.check_password(NEW) == (change is deactivate and way == "admin")
    assert AccountDeletion.objects.exists() == (change is delete)
    assert after.has_usable_password() == (change is deactivate)


@pytest.mark.parametrize("way", WAYS)
def test_the_earlier_of_two_new_passwords_stays(
    owner: User,
    password: str,
    as_administrator: Client,
    during_hashing: Callable[[User, Change], None],
    way: str,
) -> None:
    def change(person: User) -> None:
        other = User.objects.get(pk=person.pk)
        other.set_password("the sentence that was first")
        other.save(update_fields=["password"])

    set_password(way, owner, password, as_administrator, lambda p: during_hashing(p, change))
    assert User.objects.get(pk=owner.pk).check_password("the sentence that was first")
    assert Session.objects.exists()
