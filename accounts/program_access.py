"""Ends the access that programs have to an account: its tokens, and what other parts of the project
register, such as webhooks."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction

from accounts.models import User
from accounts.tokens.tokens import revoke_all_tokens

AccessEnd = Callable[[User], None]

_ends: list[AccessEnd] = []


def register_access_end(end: AccessEnd) -> None:
    """Call this for whatever a token can create and what works without a token afterwards. `end`
    runs in the transaction that revokes the tokens."""
    _ends.append(end)


def end_program_access(user: User) -> None:
    """For a new password, and for an account whose sessions end: a thief may have created
    tokens, and more with them."""
    with transaction.atomic():
        revoke_all_tokens(user)
        for end in _ends:
            end(user)
