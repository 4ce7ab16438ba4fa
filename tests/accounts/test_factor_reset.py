"""Administrators remove the factors of people who have lost them, and never see a secret."""

from __future__ import annotations

from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.audit.models import AuditEvent
from accounts.factors.recovery_codes import create_recovery_codes
from accounts.factors.totp import build_data
from accounts.models import User

USERS = "/admin/accounts/user/"


def add_factors(user: User) -> None:
    data = build_data(user.pk, "A" * 32, 0)
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data=data)
    create_recovery_codes(user)


def test_a_command_removes_all_factors(owner: User, stranger: User) -> None:
    add_factors(owner)
    add_factors(stranger)
    call_command("reset_factors", "Owner@Holdfast.test", stdout=StringIO())
    assert not Authenticator.objects.filter(user=owner).exists()
    assert Authenticator.objects.filter(user=stranger).count() == 2
    event = AuditEvent.objects.get(kind="factors.reset")
    assert (event.account_id, event.actor_id, event.facts) == (owner.pk, None, {"removed": 2})
    [notice] = mail.outbox
    assert notice.to == [owner.email]
    assert "An administrator removed the passkeys" in notice.body
    assert "From:" not in notice.body


def test_a_command_says_how_to_get_a_password(owner: User) -> None:
    owner.set_unusable_password()
    owner.save()
    add_factors(owner)
    output = StringIO()
    call_command("reset_factors", owner.email, stdout=output)
    assert "changepassword" in output.getvalue()


@pytest.mark.parametrize("email", ["nobody@holdfast.test", "owner@holdfast.test"])
def test_a_command_without_anything_to_remove_fails(owner: User, email: str) -> None:
    with pytest.raises(CommandError):
        call_command("reset_factors", email)


def test_an_administrator_removes_all_factors(
    as_administrator: Client, administrator: User, owner: User
) -> None:
    add_factors(owner)
    form = {"action": "remove_factors", "_selected_action": [owner.pk, administrator.pk]}
    html = as_administrator.post(USERS, form, follow=True).content.decode()
    assert "Removed for 1 person." in html
    assert not Authenticator.objects.exists()
    event = AuditEvent.objects.get(kind="factors.reset")
    assert (event.account_id, event.actor_id) == (owner.pk, administrator.pk)
    assert [one.to for one in mail.outbox] == [[owner.email]]


def test_the_admin_has_no_page_of_secrets() -> None:
    assert not admin.site.is_registered(Authenticator)
