"""The differences from allauth's sign-in with other servers."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import setup
from accounts.email_addresses import ensure_primary_email
from accounts.models import User
from accounts.outbound.requests_session import GuardedSession
from accounts.sign_up import save_under_sign_up_lock
from accounts.social import confirming, signing_up
from accounts.social.configuration import SignInServer

logger = logging.getLogger(__name__)


class SocialAdapter(DefaultSocialAccountAdapter):
    # Servers

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """The servers of the environment. Rows of the database do not count, so write access to
        the database adds no server."""
        return [
            build_app(server)
            for server in settings.SIGN_IN_SERVERS
            if provider in (None, server.id, server.kind) and client_id in (None, server.client_id)
        ]

    def get_requests_session(self) -> GuardedSession:
        return GuardedSession()

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        """Only our own sentences are logged. Others may contain what the server sent."""
        is_ours = type(exception).__module__.startswith("accounts.")
        reason = str(exception) if is_ours else type(exception).__name__
        logger.warning("A sign-in with %s failed: %s", provider.sub_id, reason)

    # Addresses

    def is_email_verified(self, provider: Any, email: str) -> bool:
        """Only what the server says about the address counts."""
        return False

    def can_authenticate_by_email(self, login: SocialLogin, email: str) -> bool:
        """An address alone never signs in: its owner at the other server may be somebody else."""
        return False

    # Signing in and up

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        sociallogin.token = None  # the session of a sign-up would keep it
        confirming.stop_unless_confirmed(request, sociallogin)
        if request.user.is_authenticated:
            # Linking changes nothing in the row of the person, but allauth saves the whole row as
            # it was before the server answered. That would undo a deactivation meanwhile.
            request.user.save = partial(request.user.save, update_fields=[])  # type: ignore[method-assign]

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """The setup code is asked for by the form of the sign-up page."""
        if setup.needs_setup_code(request):
            messages.info(
                request,
                _(
                    "The first account needs the setup code. Sign up here, and link the other "
                    "account in the settings afterwards."
                ),
            )
            raise ImmediateHttpResponse(redirect("account_signup"))
        return bool(get_account_adapter().is_open_for_signup(request))

    def is_auto_signup_allowed(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Sign up at once if there is an address; the form asks for one otherwise. allauth would
        refuse an address that somebody else has added and not confirmed."""
        if not sociallogin.user.email:
            return False
        raise ImmediateHttpResponse(signing_up.sign_up(request, sociallogin))

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """As for every new account, the first one is the administrator's, and sign-up may have
        closed meanwhile."""
        user: User = sociallogin.user
        user.set_unusable_password()
        with transaction.atomic():
            if form:
                get_account_adapter().save_user(request, user, form)
            else:
                save_under_sign_up_lock(request, user)
            sociallogin.save(request)
            ensure_primary_email(user)
        return user

    def populate_user(
        self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]
    ) -> User:
        user: User = super().populate_user(request, sociallogin, data)
        user.name = data.get("name") or ""
        return user

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: Any) -> str:
        return reverse("socialaccount_connections")


def build_app(server: SignInServer) -> SocialApp:
    return SocialApp(
        provider=server.kind,
        provider_id=server.id,
        name=server.name,
        client_id=server.client_id,
        secret=server.client_secret.reveal(),
        settings={"server_url": server.url, "scopes": server.scopes},
    )
