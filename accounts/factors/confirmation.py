"""Pages that need a recent confirmation of the person: a password, a passkey or a code. They are
the same for all accounts, also for those without a password."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.internal.flows.reauthentication import STATE_SESSION_KEY
from allauth.account.models import EmailAddress
from allauth.account.utils import get_next_redirect_url
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from accounts.allauth_views import has_recent_confirmation, redirect_to_reauthenticate
from accounts.decorators import UserRequest
from accounts.devices import remember_device
from accounts.factors.use import record_use

View = Callable[..., HttpResponse]


def recently_confirmed(view: View) -> View:
    """Ask for a confirmation before the page is shown, and before its form is accepted. A form that
    was sent too late is not stored."""

    @wraps(view)
    def wrapper(request: UserRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not has_recent_confirmation(request):
            return redirect_to_reauthenticate(request, request.get_full_path())
        return view(request, *args, **kwargs)

    return wrapper


def email_confirmed(view: View) -> View:
    """Where mails can be sent, only the owner of the address adds a factor. Otherwise somebody who
    signed up with the address of another person would keep that person out: a new password by mail
    does not remove a factor."""

    @wraps(view)
    def wrapper(request: UserRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        own = EmailAddress.objects.filter(user=request.user, email=request.user.email)
        if settings.HAS_MAIL_SERVER and not own.filter(verified=True).exists():
            messages.error(request, _("Confirm your email address first."))
            return redirect("account_email")
        return view(request, *args, **kwargs)

    return wrapper


def finish_confirmation(request: UserRequest, factor: Authenticator) -> HttpResponse | None:
    """The session gets a new key, so that a copied cookie becomes void. Return None if the factor
    was removed meanwhile."""
    factor.user = request.user
    if not record_use(request, factor, reauthenticated=True):
        return None
    request.session.pop(STATE_SESSION_KEY, None)
    response = redirect(get_next_redirect_url(request) or "mfa_index")
    request.session.cycle_key()
    remember_device(request, response, request.user)
    return response
