"""Ends the access that programs have to an account: its tokens, and what other parts of the project
register, such as webhooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver

from accounts.models import User
from accounts.tokens.tokens import revoke_all_tokens

AccessEnd = Callable[[User], None]

_ends: list[AccessEnd] = []


def register_access_end(end: AccessEnd) -> None:
    """Call this for whatever a token can create and what works without a token afterwards. `end`
    runs in the transaction that revokes the tokens."""
    _ends.append(end)


@receiver(post_save, sender=User)
def on_password_saved(instance: User, created: bool, **kwargs: Any) -> None:
    """Also if a command or a shell saves a new password. Django forgets it after this."""
    if not created and getattr(instance, "_password", None) is not None:
        end_program_access(instance)


def end_program_access(user: User) -> None:
    """For a new password, and for an account whose sessions end: a thief may have created
    tokens, and more with them."""
    with transaction.atomic():
        revoke_all_tokens(user)
        for end in _ends:
            end(user)
