"""Stores a new password, and nothing else of the account.

Hashing takes a good part of a second, in which an administrator may deactivate the account or take
its rights away, or its deletion may be requested. A save of the whole row would undo that.
"""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from accounts.models import AccountDeletion, User
from accounts.program_access import end_program_access


class AccountChanged(Exception):
    """The account was changed while its new password was hashed. The password is not stored."""


def store_password(user: AbstractBaseUser, password: str | None, *, inactive: bool = False) -> None:
    """Without a password the account gets an unusable one. The access of programs ends.
    `inactive` also accepts a deactivated account. Raises AccountChanged."""
    before = user.password
    user.set_password(password)
    with transaction.atomic():
        stored = User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
        if (
            stored is None
            or stored.password != before
            or not (stored.is_active or inactive)
            or AccountDeletion.objects.filter(user_id=user.pk).exists()
        ):
            user.password = before
            raise AccountChanged
        user.is_active = stored.is_active  # the signal of this save reads it
        user.save(update_fields=["password"])
        end_program_access(stored)  # the signal of this save notices no unusable password
