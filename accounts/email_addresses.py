"""Which account an e-mail address stands for: the one that signed up with it, or that confirmed it.

An address that was added later and is not confirmed stands for no account: it signs nobody in,
resets no password, and keeps nobody from signing up with it. Without a mail server nothing can
be confirmed, so the address of the sign-up (`User.email`) counts in any case.
"""

from __future__ import annotations

import unicodedata

from allauth.account.models import EmailAddress

from accounts.models import User, UserManager


def find_user_by_email(address: str) -> User | None:
    """The account that this address signs in. Case and blanks around it do not matter."""
    email = UserManager.normalize_email(address)
    if not email or "\0" in email:
        return None
    if user := User.objects.filter(email=email).first():
        return user
    confirmed = EmailAddress.objects.filter(email=email, verified=True)
    address_of = confirmed.select_related("user").first()
    return address_of.user if address_of else None


def is_email_taken(address: str, *, exclude: User | None = None) -> bool:
    """Whether it stands for an account, other than that of `exclude`."""
    account = find_user_by_email(address)
    return account is not None and account != exclude


def list_user_emails(user: User) -> list[str]:
    """Those that stand for this account: what is told to its owner is told to all of them."""
    confirmed = EmailAddress.objects.filter(user=user, verified=True)
    return list(dict.fromkeys([user.email, *confirmed.values_list("email", flat=True)]))


def canonicalize_email(address: str) -> str:
    """What all spellings of an address have in common, whether it has an account or not."""
    return unicodedata.normalize("NFKC", address).strip().casefold()


def ensure_primary_email(user: User) -> None:
    """Have the address of the sign-up in allauth's table, as the one in use if there is none. An
    account that was made by a command or in the admin has no row there."""
    if EmailAddress.objects.filter(user=user, primary=True).exists():
        return
    own, _ = EmailAddress.objects.get_or_create(user=user, email=user.email)
    own.primary = True
    own.save(update_fields=["primary"])
