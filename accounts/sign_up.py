"""Saves a new account: the first one is the administrator's, and others may need an invitation."""

from __future__ import annotations

from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest

from accounts import setup
from accounts.audit.events import record_event
from accounts.email_addresses import is_email_taken
from accounts.invitations.links import SIGNED_UP, find_usable_invitation, use_invitation
from accounts.models import User

SIGN_UP_LOCK_ID = 0x686F6C64  # any number that no other lock uses


class SignUpClosed(Exception):
    """Another sign-up has created the first account, and further sign-ups are closed."""


class AddressTaken(IntegrityError):
    """Another account has the address: it signed up with it, or has confirmed it."""


def lock_sign_up() -> None:
    """Until the transaction ends, no other process creates an account or confirms an address. On
    SQLite the transaction itself is the lock, because it began as IMMEDIATE."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SIGN_UP_LOCK_ID])


def lock_address(email: str, *, exclude: User | None = None) -> None:
    """Until the transaction ends, no other account gets the address. Raises AddressTaken, also if
    another account got it since a form was checked."""
    lock_sign_up()
    if is_email_taken(email, exclude=exclude):
        raise AddressTaken("Another account has the address.")


def save_under_sign_up_lock(request: HttpRequest, user: User) -> None:
    """Without the lock, two simultaneous sign-ups would both find no account. Raises
    AddressTaken."""
    with transaction.atomic():
        lock_address(user.email)
        if setup.has_any_account():
            if not setup.is_sign_up_open(request):
                raise SignUpClosed
            invitation = find_usable_invitation(request)
        else:
            setup.demote_unconfirmed_admins()
            user.is_staff = user.is_superuser = True
            invitation = None
        user.save()
        if invitation:
            use_invitation(invitation, user, request)
        record_event(
            SIGNED_UP, user, request=request, invitation=invitation.pk if invitation else None
        )
