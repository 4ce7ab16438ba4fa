"""Commands that change an account record it, and name nobody as the one who did it."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.management import call_command

from accounts.mails.queue import mail_queue
from accounts.models import AccessToken, AuditEvent, User
from accounts.tokens.models import Scope
from accounts.tokens.tokens import create_token

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "the-late-tide-8"


def change_password(user: User) -> None:
    call_command("changepassword", user.email, stdout=StringIO())


def make_link(user: User) -> None:
    call_command("password_link", user.email, stdout=StringIO(), stderr=StringIO())


def remove_factors(user: User) -> None:
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={})
    call_command("reset_factors", user.email, stdout=StringIO())


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        (change_password, "password.changed"),
        (make_link, "password.link_made"),
        (remove_factors, "factors.reset"),
    ],
)
def test_a_command_is_recorded_as_done_by_nobody(
    owner: User, monkeypatch: pytest.MonkeyPatch, run: Callable[[User], None], kind: str
) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda prompt: NEW_PASSWORD)
    run(owner)
    event = AuditEvent.objects.get(account_id=owner.pk)
    assert (event.kind, event.actor_id) == (kind, None)


def test_a_new_password_by_a_command_revokes_tokens_and_is_reported(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda prompt: NEW_PASSWORD)
    create_token(owner, "Stolen", [Scope.WRITE], None)
    change_password(owner)
    assert not AccessToken.objects.exists()
    assert AuditEvent.objects.get(kind="token.revoked").actor_id is None
    mail_queue.finish()
    [notice] = mail.outbox
    assert (notice.to, "was changed" in notice.body) == ([owner.email], True)


def test_a_new_administrator_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", NEW_PASSWORD)
    email = "ann@holdfast.test"
    call_command("createsuperuser", "--noinput", "--email", email, stdout=StringIO())
    user = User.objects.get(email=email)
    event = AuditEvent.objects.get(account_id=user.pk)
    assert (event.kind, event.actor_id) == ("account.administrator_created", None)
