"""The ways in which a person can sign in to an account. Removing the last one is refused."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db.models import Model, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import User

LAST_WAY = _("You could not sign in any more. Set a password or add a passkey first.")


def can_sign_in_without(user: User, removed: Model) -> bool:
    """Return whether the account keeps a way to sign in without this passkey, linked account or
    address. Lock the user's row before: two requests at once must not remove the last two ways."""
    return user.has_usable_password() or any(
        rows.exclude(pk=removed.pk if isinstance(removed, rows.model) else None).exists()
        for rows in (_find_passkeys(user), _find_linked_accounts(user), _find_addresses(user))
    )


def _find_passkeys(user: User) -> QuerySet[Any]:
    return Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN)


def _find_linked_accounts(user: User) -> QuerySet[Any]:
    """A server that is not configured any more signs nobody in."""
    usable = [server.id for server in settings.SIGN_IN_SERVERS]
    return SocialAccount.objects.filter(user=user, provider__in=usable)


def _find_addresses(user: User) -> QuerySet[Any]:
    """A code by mail signs in where a mail server is set up. Mails to an address that was never
    confirmed may reach somebody else."""
    if not settings.ACCOUNT_LOGIN_BY_CODE_ENABLED:
        return EmailAddress.objects.none()
    return EmailAddress.objects.filter(user=user, verified=True)
