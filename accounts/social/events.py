"""Audit events of linked accounts."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.signals import social_account_added
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.audit.events import record_event
from accounts.audit.kinds import register_kind

ACCOUNT_LINKED = register_kind("account.linked", _("Linked an account of another server"))
ACCOUNT_UNLINKED = register_kind("account.unlinked", _("Unlinked an account of another server"))


@receiver(social_account_added)
def on_account_linked(request: HttpRequest, sociallogin: SocialLogin, **kwargs: Any) -> None:
    record_event(
        ACCOUNT_LINKED, sociallogin.user, request=request, server=sociallogin.account.provider
    )
