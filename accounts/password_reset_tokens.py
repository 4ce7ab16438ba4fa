"""The tokens of links for a new password. They end with a new password, sign-in or address."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.tokens import PasswordResetTokenGenerator

from accounts.models import User


class AddressTokenGenerator(PasswordResetTokenGenerator):
    """As allauth's own, which also stores the address of an account that has no row of it: anybody
    could cause that write with a made-up link."""

    def _make_hash_value(self, user: AbstractBaseUser, timestamp: int) -> str:
        assert isinstance(user, User)
        rows = EmailAddress.objects.filter(user_id=user.pk).values_list("email", flat=True)
        addresses = sorted({user.email, *rows} - {""})
        return super()._make_hash_value(user, timestamp) + "|".join(addresses)
