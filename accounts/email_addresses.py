"""Finds the account of an e-mail address: the one that signed up with it, or that confirmed it.

An address that was added later and is not confirmed belongs to no account: it can't be used
to sign in or to reset a password, and others may sign up with it. Without a mail server no address
can be confirmed, so the sign-up address (`User.email`) counts in any case.
"""

from __future__ import annotations

import unicodedata

from allauth.account.models import EmailAddress

from accounts.models import User, UserManager


def find_user_by_email(address: str) -> User | None:
    """Case and surrounding blanks do not matter."""
    email = UserManager.normalize_email(address)
    if not email or "\0" in email:
        return None
    if user := User.objects.filter(email=email).first():
        return user
    confirmed = EmailAddress.objects.filter(email=email, verified=True)
    address_of = confirmed.select_related("user").first()
    return address_of.user if address_of else None


def is_email_taken(address: str, *, exclude: User | None = None) -> bool:
    account = find_user_by_email(address)
    return account is not None and account != exclude


def list_user_emails(user: User) -> list[str]:
    """Every notice to the owner goes to all of them."""
    confirmed = EmailAddress.objects.filter(user=user, verified=True)
    return list(dict.fromkeys([user.email, *confirmed.values_list("email", flat=True)]))


def list_all_emails(user_id: int) -> list[str]:
    """Return every address that is stored for the account, also unconfirmed ones."""
    own = User.objects.filter(pk=user_id).values_list("email", flat=True)
    added = EmailAddress.objects.filter(user_id=user_id).values_list("email", flat=True)
    return [address.lower() for address in (*own, *added)]


def canonicalize_email(address: str) -> str:
    """Return the same text for all spellings of an address, whether or not it has an account."""
    return unicodedata.normalize("NFKC", address).strip().casefold()


def ensure_primary_email(user: User) -> None:
    """Add the sign-up address to allauth's table, as the primary one if there is none. An account
    that was created by a command or in the admin has no row there."""
    if EmailAddress.objects.filter(user=user, primary=True).exists():
        return
    own, _ = EmailAddress.objects.get_or_create(user=user, email=user.email)
    own.primary = True
    own.save(update_fields=["primary"])
