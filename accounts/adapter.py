"""Where Holdfast differs from allauth: who becomes the administrator."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.db import connection, transaction
from django.forms import BaseForm
from django.http import HttpRequest

from accounts.models import User

ONE_SIGN_UP_AT_A_TIME = 0x686F6C64  # any number, as long as nothing else locks it


class AccountAdapter(DefaultAccountAdapter):
    def save_user(
        self, request: HttpRequest, user: User, form: BaseForm, commit: bool = True
    ) -> User:
        """Save who has just signed up. On an installation without any account this is its
        administrator."""
        # Hashing the password takes a good part of a second: done before the lock is held.
        super().save_user(request, user, form, commit=False)
        if commit:
            _save_one_at_a_time(user)
        return user


def _save_one_at_a_time(user: User) -> None:
    """Without the lock two people who sign up at once would both find nobody there."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ONE_SIGN_UP_AT_A_TIME])
        # On SQLite the transaction itself is the lock: it began as IMMEDIATE.
        if not User.objects.exists():
            user.is_staff = user.is_superuser = True
        user.save()
