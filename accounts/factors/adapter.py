"""The differences from allauth's second factors: names, and no secret that is stored without its
owner."""

from __future__ import annotations

from typing import NoReturn

from allauth.core import context as current
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.utils.translation import gettext as _

from accounts.factors.addresses import get_host_name
from accounts.models import User


class MFAAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> NoReturn:
        """allauth does not say whose secret it is, so that the secret could not be bound to its
        owner. accounts/factors/totp.py seals secrets, and nothing else stores one."""
        raise NotImplementedError("Secrets of factors are sealed for their owner.")

    def decrypt(self, encrypted_text: str) -> NoReturn:
        raise NotImplementedError("Secrets of factors are sealed for their owner.")

    def get_totp_issuer(self) -> str:
        return f"Holdfast ({get_host_name(current.request)})"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """A passkey belongs to the host name of the page that creates it."""
        return {"id": get_host_name(current.request), "name": "Holdfast"}

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        """Return a name that this person does not use yet."""
        count = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return _("Passkey") if count == 0 else _("Passkey %(number)s") % {"number": count + 1}
