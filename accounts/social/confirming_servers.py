"""The servers with which a person can confirm a change of the account."""

from __future__ import annotations

from allauth.socialaccount.models import SocialAccount
from django.conf import settings

from accounts.models import User
from accounts.social.configuration import SignInServer


def list_confirming_servers(user: User) -> list[SignInServer]:
    """Only OpenID servers say when the person entered the password there."""
    linked = set(SocialAccount.objects.filter(user=user).values_list("provider", flat=True))
    return [
        server
        for server in settings.SIGN_IN_SERVERS
        if server.id in linked and server.kind == "openid_connect"
    ]


def has_confirming_server(user: User) -> bool:
    return bool(list_confirming_servers(user))
