"""Linked accounts and re-authentication: who links an account, or confirms with one, has to be
known."""

from __future__ import annotations

import time

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.account.internal.flows.login import record_authentication
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base import AuthProcess
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from accounts.allauth_views import has_recent_confirmation, redirect_to_reauthenticate
from accounts.decorators import UserRequest, sign_in_and_return, signed_in
from accounts.social.confirming_servers import list_confirming_servers
from accounts.social.form_origins import build_button
from accounts.social.oauth2 import CONFIRM


@signed_in(sign_in_and_return)
@never_cache
def confirmation_page(request: UserRequest) -> HttpResponse:
    """For people without a password, a passkey and a code here."""
    next_url = request.GET.get("next", "")
    context = {
        "next_url": next_url if get_account_adapter().is_safe_url(next_url) else "",
        "buttons": [build_button(server) for server in list_confirming_servers(request.user)],
    }
    return render(request, "socialaccount/confirmation.html", context)


def find_refusal(request: HttpRequest, process: str | None) -> HttpResponse | None:
    """Return a redirect if the person may not link an account now. It is asked before the person
    is sent to the other server, and again when they come back."""
    if process == AuthProcess.LOGIN:
        return None
    if not request.user.is_authenticated:
        return redirect("account_login")
    if process == AuthProcess.CONNECT and not has_recent_confirmation(request):
        return redirect_to_reauthenticate(request, reverse("socialaccount_connections"))
    return None


def stop_unless_confirmed(request: HttpRequest, sociallogin: SocialLogin) -> None:
    """Raises ImmediateHttpResponse. allauth would keep the sign-in in the session until somebody
    types the password."""
    process = sociallogin.state.get("process")
    if response := find_refusal(request, process):
        raise ImmediateHttpResponse(response)
    if process == CONFIRM:
        raise ImmediateHttpResponse(_confirm(request, sociallogin))


def _confirm(request: HttpRequest, sociallogin: SocialLogin) -> HttpResponse:
    """The account must be one of this person, who has just entered the password there. An open
    session at the other server is not enough: the browser may be in the wrong hands."""
    asked_at = getattr(sociallogin, "authenticated_at", None)
    if not sociallogin.is_existing or sociallogin.user != request.user:
        messages.error(request, _("This account is not linked to yours. Nothing was changed."))
    elif not isinstance(asked_at, int | float) or not _is_recent(asked_at):
        messages.error(
            request,
            _("The other server did not ask for your password again. Confirm in another way."),
        )
    else:
        record_authentication(
            request,
            request.user,
            method="socialaccount",
            reauthenticated=True,
            provider=sociallogin.account.provider,
        )
        request.session.cycle_key()
    return redirect(sociallogin.get_redirect_url(request) or reverse("account"))


def _is_recent(seconds: float) -> bool:
    """Only compare: the server may have sent a number that is too large for a sum."""
    latest = time.time() + 60
    return latest - settings.ACCOUNT_REAUTHENTICATION_TIMEOUT < seconds <= latest
