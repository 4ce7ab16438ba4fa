"""allauth's pages that can change the owner of an account. They ask for the password again, and
recognise known browsers.

A thief of a session, with a copied cookie or at an open laptop, can't take over the account. A form
that was sent without a recent password is not stored for later: the session would hold it until
somebody types the password, and the thief could have filled it in.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

from allauth.account import views
from allauth.account.adapter import get_adapter
from allauth.account.decorators import secure_admin_login
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import (
    STATE_SESSION_KEY,
    get_reauthentication_flows,
)
from allauth.account.models import EmailAddress
from allauth.account.signals import password_changed
from django.conf import settings
from django.contrib import messages
from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, re_path, reverse
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import setup
from accounts.devices import remember_device
from accounts.email_addresses import ensure_primary_email, is_email_taken, list_user_emails
from accounts.factors.addresses import find_passkey_obstacle
from accounts.invitations.links import find_opened_invitation
from accounts.invitations.views import open_invitation
from accounts.mails.middleware import refuse_mail
from accounts.mails.queue import mail_queue
from accounts.models import User
from accounts.sign_in_ways import LAST_WAY, can_sign_in_without
from accounts.social.confirming_servers import has_confirming_server

REAUTHENTICATE_FIRST = gettext_lazy("Nothing has changed yet. Confirm it’s you, then try again.")


def has_recent_confirmation(request: HttpRequest) -> bool:
    """Return whether the person has just entered the password or, with the same weight, a passkey
    or a code, or the password of a linked account. allauth counts an account that has none of them
    as confirmed."""
    records = get_authentication_records(request, _require_user(request))
    times = [record["at"] for record in records if record.get("reauthenticated")]
    return bool(times) and time.time() - times[-1] < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT


def redirect_to_reauthenticate(request: HttpRequest, next_url: str) -> HttpResponse:
    user = _require_user(request)
    if not get_reauthentication_flows(user):
        if has_confirming_server(user):
            confirmation = reverse("socialaccount_confirmation")
            return redirect(f"{confirmation}?{urlencode({'next': next_url})}")
        messages.info(request, _("Your account has no password yet. Request a link to set one."))
        return redirect("account_reset_password")
    if request.method == "POST":
        messages.info(request, REAUTHENTICATE_FIRST)
    return redirect(f"{reverse('account_reauthenticate')}?{urlencode({'next': next_url})}")


def _require_user(request: HttpRequest) -> User:
    if not request.user.is_authenticated:
        raise PermissionDenied
    return request.user


class LoginView(views.LoginView):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"passkey_obstacle": find_passkey_obstacle(self.request)}


class MailingViewMixin:
    """For a page that sends a mail to some people and not to others. A full queue refuses all of
    them, before it is known whether there is an account. The mail's template reads the session,
    which would add a header to the answer for known addresses alone."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST" and mail_queue.is_full():
            return refuse_mail(request)
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        patch_vary_headers(response, ["Cookie"])
        return response


class PasswordResetView(MailingViewMixin, views.PasswordResetView):
    """Requests a link for a new password."""


class SignUpView(MailingViewMixin, views.SignupView):
    """Says why somebody can't sign up: without an invitation, with one that was used, or at all."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        can_use_passkey = settings.MFA_PASSKEY_SIGNUP_ENABLED and not find_passkey_obstacle(
            self.request
        )
        url = reverse("account_signup_by_passkey") if can_use_passkey else ""
        return context | {"signup_by_passkey_url": url}

    def closed(self) -> HttpResponse:
        invitation = find_opened_invitation(self.request)
        mode = setup.find_sign_up_mode(self.request)
        refusal = invitation.find_refusal() if invitation and mode != "closed" else ""
        context = {"refusal": refusal, "is_by_invitation": mode == "invite"}
        return render(self.request, self.template_name_signup_closed, context)


class SignUpByPasskeyView(SignUpView):
    """The sign-up without a password. A passkey is created after the address is confirmed."""

    template_name = "account/signup_by_passkey.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.MFA_PASSKEY_SIGNUP_ENABLED:
            raise Http404
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"by_passkey": True}


class RequestLoginCodeView(MailingViewMixin, views.RequestLoginCodeView):
    """Requests a code to sign in with, where a mail server is set up."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.ACCOUNT_LOGIN_BY_CODE_ENABLED:
            raise Http404
        return super().dispatch(request, *args, **kwargs)


class ReauthenticateView(views.ReauthenticateView):
    """The session gets a new key, so that a copied cookie becomes void."""

    def form_valid(self, form: BaseForm) -> HttpResponse:
        self.request.session.pop(STATE_SESSION_KEY, None)
        response = super().form_valid(form)
        self.request.session.cycle_key()
        remember_device(self.request, response, self.request.user)
        return response


class EmailView(views.EmailView):
    """A person's addresses. Adding, confirming, removing or using one needs the password."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            ensure_primary_email(request.user)
            if request.method == "POST" and not has_recent_confirmation(request):
                typed = urlencode({"email": request.POST.get("email", "")})
                return redirect_to_reauthenticate(request, f"{reverse('account_email')}?{typed}")
        return super().dispatch(request, *args, **kwargs)

    def get_initial(self) -> dict[str, Any]:
        """Restore the address that was typed before the page asked for the password."""
        return super().get_initial() | {"email": self.request.GET.get("email", "")}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        chosen = self.request.GET.get("email")
        radios = context["emailaddress_radios"]
        if any(radio["emailaddress"].email == chosen for radio in radios):
            for radio in radios:
                radio["checked"] = radio["emailaddress"].email == chosen
            context["form"].initial.pop("email")
        return context

    def form_valid(self, form: BaseForm) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        if not settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED:
            # With a code, the address is added when it is confirmed.
            user, adapter = self.request.user, get_adapter()
            about = {"added": form.cleaned_data["email"]}
            adapter.send_notification_mail("account/email/email_added", user, about)
        return response

    # allauth has no public methods for the buttons of its view.

    def _action_primary(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Accept only a confirmed address, because it signs in and resets the password."""
        user, address = _require_user(request), self._get_email_address(request)
        if address and not address.verified and address.email != user.email:
            by_mail = _("Confirm this address first, with the email that we sent to it.")
            by_person = _("Your administrator has to confirm this address first.")
            messages.error(request, by_mail if settings.HAS_MAIL_SERVER else by_person)
            return None
        if address and is_email_taken(address.email, exclude=user):
            messages.error(request, _("Another account already uses this address."))
            return None
        return super()._action_primary(request, *args, **kwargs)

    def _action_remove(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Notify the removed address as well, unless it was never confirmed."""
        user = _require_user(request)
        address: EmailAddress | None = self._get_email_address(request)
        before = list_user_emails(user)
        with transaction.atomic():
            User.objects.select_for_update().get(pk=user.pk)
            if address and address.verified and not can_sign_in_without(user, address):
                messages.error(request, LAST_WAY)
                return None
            response = super()._action_remove(request, *args, **kwargs)
        if response and address and address.email in before:
            get_adapter().notify_addresses(
                "account/email/email_deleted", [address.email], {"deleted_email": address.email}
            )
        return response


class PasswordChangeView(views.PasswordChangeView):
    """A new password makes the cookies of known browsers void; this browser stays known."""

    def form_valid(self, form: BaseForm) -> HttpResponse:
        user: User = form.user  # type: ignore[attr-defined]
        try:
            response: HttpResponse = super().form_valid(form)
        except SessionInterrupted:
            # allauth reports the password after the session has its new key. It is stored by then.
            get_adapter().send_notification_mail("account/email/password_changed", user)
            password_changed.send(sender=User, request=self.request, user=user)
            raise
        remember_device(self.request, response, user)
        return response


class PasswordResetFromKeyView(views.PasswordResetFromKeyView):
    """The link in the mail makes this browser a known one for passwords, which strangers can't
    lock out. It proves no second factor."""

    def form_valid(self, form: BaseForm) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        remember_device(self.request, response, self.reset_user, has_signed_in=False)
        return response


def redirect_password_set(request: HttpRequest) -> HttpResponse:
    """An account without a password gets one by a link in a mail; a session alone is not enough."""
    if request.user.is_authenticated and request.user.has_usable_password():
        return redirect("account_change_password")
    return redirect("account_reset_password")


@secure_admin_login
def admin_login(request: HttpRequest, extra_context: object = None) -> HttpResponse:
    target = request.GET.get("next", "")
    safe = url_has_allowed_host_and_scheme(target, allowed_hosts=None)
    return redirect(target if safe and target.startswith("/") else reverse("admin:index"))


def admin_password_change(request: HttpRequest, extra_context: object = None) -> HttpResponse:
    """Redirects to the site's own page, which counts wrong passwords."""
    return redirect("account_change_password")


urlpatterns = [
    path("login/", LoginView.as_view(), name="account_login"),
    path("login/code/", RequestLoginCodeView.as_view(), name="account_request_login_code"),
    path("signup/", SignUpView.as_view(), name="account_signup"),
    path("signup/passkey/", SignUpByPasskeyView.as_view(), name="account_signup_by_passkey"),
    path("invitation/<str:token>/", open_invitation, name="invitation"),
    path("reauthenticate/", ReauthenticateView.as_view(), name="account_reauthenticate"),
    path("email/", EmailView.as_view(), name="account_email"),
    path("password/change/", PasswordChangeView.as_view(), name="account_change_password"),
    path("password/reset/", PasswordResetView.as_view(), name="account_reset_password"),
    path("password/set/", redirect_password_set, name="account_set_password"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        PasswordResetFromKeyView.as_view(),
        name="account_reset_password_from_key",
    ),
]
