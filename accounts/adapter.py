"""The differences from allauth: the first administrator, the address of an account, limits of wrong
passwords, and mails about changes."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.core import context as current
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal.httpkit import HTTP_USER_AGENT_MAX_LENGTH
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.core.mail import EmailMessage
from django.db import transaction
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import notification_mails, setup
from accounts.absolute_urls import build_absolute_url, get_site_host, guess_site_origin
from accounts.code_mails import ADDRESS_CODES_LIMIT
from accounts.devices import remember_device
from accounts.email_addresses import ensure_primary_email, is_email_taken, list_user_emails
from accounts.factors.methods import describe_methods
from accounts.failed_sign_ins import log_failed_sign_in
from accounts.invitations.links import find_opened_invitation
from accounts.login_attempts import LoginAttempt
from accounts.login_stages import replace_verification_stage
from accounts.models import User
from accounts.password_change import AccountChanged, store_password
from accounts.password_check import check_password
from accounts.rate_limits import RateLimit
from accounts.sessions.new_device import KNOWN_ATTRIBUTE, report_new_device
from accounts.sign_up import lock_sign_up, save_under_sign_up_lock
from streaming.doors.client_identity import parse_client_address

UNREQUESTED_MAIL_LIMIT = RateLimit("unasked-mails", 3, 10 * 60)
"""Mails of one kind to one person, which strangers can cause."""
AUTH_BACKEND = "django.contrib.auth.backends.ModelBackend"


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _("That email and password don’t match."),
        "too_many_login_attempts": _(
            "Too many attempts. Wait a few minutes and try again, or reset your password."
        ),
    }

    # Signing up

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return setup.is_sign_up_open(request)

    def is_email_verified(self, request: HttpRequest, email: str) -> bool:
        """The link of a mailed invitation proves the address that it was sent to."""
        invitation = find_opened_invitation(request)
        is_proven = invitation is not None and invitation.is_mailed and invitation.email == email
        return is_proven or bool(super().is_email_verified(request, email))

    def is_safe_url(self, url: str | None) -> bool:
        """Return False for text that is no URL at all, such as `http://[`, instead of raising.
        Django's redirect would take a word without a slash for the name of a page."""
        if not (url or "").startswith(("/", "http://", "https://")):
            return False
        try:
            return bool(super().is_safe_url(url))
        except ValueError:
            return False

    def save_user(
        self, request: HttpRequest, user: User, form: BaseForm, commit: bool = True
    ) -> User:
        """The first account of an installation is its administrator's."""
        # Hash the password before taking the lock, because it takes a good part of a second.
        super().save_user(request, user, form, commit=False)
        if commit:
            save_under_sign_up_lock(request, user)
        return user

    # Signing in

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Return the account of this address if the password is correct, also a deactivated one.
        Raises ValidationError when a limit of attempts is reached."""
        return self._check_attempt(request, credentials, renew=True)

    def _check_attempt(
        self, request: HttpRequest, credentials: dict[str, Any], *, renew: bool
    ) -> User | None:
        address, password = credentials.get("email") or "", credentials.get("password") or ""
        guess = LoginAttempt.from_request(request, self.get_client_network(request), address)
        if not guess.try_consume():
            log_failed_sign_in("password", "too many attempts", guess.user)
            raise self.validation_error("too_many_login_attempts")
        user = guess.user
        if not check_password(user, password, renew=renew) or user is None:
            log_failed_sign_in("password", "wrong password", user)
            return None
        guess.give_back()
        setattr(request, KNOWN_ATTRIBUTE, guess.device_id is not None)
        user.backend = AUTH_BACKEND
        return user

    def reauthenticate(self, user: User, password: str) -> bool:
        """An old hash is renewed by the next sign-in, not here."""
        typed = {"email": user.email, "password": password}
        return self._check_attempt(current.request, typed, renew=False) == user

    def get_reauthentication_methods(self, user: User | AnonymousUser) -> list[dict[str, Any]]:
        return describe_methods(super().get_reauthentication_methods(user))

    def login(self, request: HttpRequest, user: User) -> None:
        """allauth looks only before the steps after the password, which may take minutes."""
        if not user.is_active:
            raise ImmediateHttpResponse(self.respond_user_inactive(request, user))
        super().login(request, user)

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        log_failed_sign_in("password, passkey or code", "deactivated", user)
        return super().respond_user_inactive(request, user)

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        response = super().post_login(request, user, **kwargs)
        if not kwargs.get("signup"):
            report_new_device(request, user)
        remember_device(request, response, user)
        return response

    def _delete_login_attempts_cached_email(self, request: HttpRequest, **credentials: Any) -> None:
        LoginAttempt.from_request(
            request, self.get_client_network(request), credentials.get("email") or ""
        ).clear_counters()

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address that sockets and turns count too. Never raises, whatever a proxy
        sends."""
        meta = request.META
        address = parse_client_address(
            meta.get("REMOTE_ADDR", ""), meta.get("HTTP_X_FORWARDED_FOR", "")
        )
        return str(address or "unknown")

    def get_client_network(self, request: HttpRequest) -> str:
        """Return the key of rate limits: an IPv4 address, or a /64 of IPv6."""
        name = self.get_client_ip(request)
        if name == "unknown":
            return name
        address = ipaddress.ip_address(name)
        network = ipaddress.ip_network((address, 64 if address.version == 6 else 32), strict=False)
        return str(network)

    def get_login_stages(self) -> list[str]:
        return replace_verification_stage(super().get_login_stages())

    def set_password(self, user: User, password: str) -> None:
        """allauth's saves the whole row as it was before the hashing."""
        try:
            store_password(user, password)
        except AccountChanged:
            sentence = _("The account was changed meanwhile. Your new password is not stored.")
            messages.error(current.request, sentence)
            raise ImmediateHttpResponse(redirect("account_login")) from None

    # Addresses

    def can_delete_email(self, email_address: EmailAddress) -> bool:
        """Refuse the primary address: the account would switch to another one, confirmed or not."""
        if email_address.email == email_address.user.email:
            return False
        return bool(super().can_delete_email(email_address))

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Confirm it, unless another account has confirmed it meanwhile, and notify the older
        addresses."""
        user = email_address.user
        before = list_user_emails(user)
        with transaction.atomic():
            lock_sign_up()
            if not self._confirm_email_unless_taken(request, email_address):
                return False
        others = [address for address in before if address != email_address.email]
        about = {"added": email_address.email}
        self.notify_addresses("account/email/email_confirmed", others, about)
        return True

    def _confirm_email_unless_taken(self, request: HttpRequest, address: EmailAddress) -> bool:
        if is_email_taken(address.email, exclude=address.user):
            self.add_message(
                request,
                messages.ERROR,
                "account/messages/email_confirmation_failed.txt",
                {"email": address.email},
            )
            return False
        ensure_primary_email(address.user)
        if address.pk:  # an address that waits for its code is not stored yet
            address.refresh_from_db()
        return bool(super().confirm_email(request, address))

    # Mails

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Send the mail to every address of the account, and to its previous primary address."""
        to = [*([email] if email else []), *list_user_emails(user)]
        self.notify_addresses(template_prefix, to, context or {})

    def notify_addresses(
        self, template: str, addresses: list[str], context: dict[str, Any]
    ) -> None:
        """Send a notice to these addresses, with the time and the network address of the change."""
        where = {
            "timestamp": timezone.now(),
            "ip": self.get_client_ip(self.request),
            "user_agent": self.get_http_user_agent(self.request)[:HTTP_USER_AGENT_MAX_LENGTH],
        }
        notification_mails.send_notification_mails(template, addresses, where | context)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """allauth's needs a request, which a command does not have."""
        context = {"request": current.request, "email": email} | context
        self.render_mail(template_prefix, email, context).send()

    def render_mail(
        self,
        template_prefix: str,
        email: str | list[str],
        context: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> EmailMessage:
        request = current.request  # None in a command
        host = get_site_host(request) if request else urlsplit(guess_site_origin()).netloc
        context = context | {"host": host}
        return super().render_mail(template_prefix, email, context, headers)

    def send_confirmation_mail(
        self, request: HttpRequest, emailconfirmation: Any, signup: bool
    ) -> None:
        """Not too often to one address, which may be a stranger's. The page stays the same."""
        counter = ADDRESS_CODES_LIMIT.counter_for(emailconfirmation.email_address.email)
        if counter.try_consume(allow_if_full=True):
            super().send_confirmation_mail(request, emailconfirmation, signup)

    def get_reset_password_from_key_url(self, key: str) -> str:
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
        return build_absolute_url(self.request, path.replace("UID-KEY", key))

    def get_email_confirmation_url(
        self, request: HttpRequest, emailconfirmation: EmailConfirmationHMAC
    ) -> str:
        path = reverse("account_confirm_email", args=[emailconfirmation.key])
        return build_absolute_url(request, path)

    def send_account_already_exists_mail(self, email: str) -> None:
        reset = build_absolute_url(current.request, reverse("account_reset_password"))
        context = {"password_reset_url": reset}
        with limit_unrequested_mails("account exists", email) as is_allowed:
            if is_allowed:
                self.send_mail("account/email/account_already_exists", email, context)


@contextmanager
def limit_unrequested_mails(*identity: object) -> Iterator[bool]:
    """Count one more mail of this kind. A mail that can't be sent does not count."""
    counter = UNREQUESTED_MAIL_LIMIT.counter_for(*identity)
    is_allowed = counter.try_consume(allow_if_full=True)
    try:
        yield is_allowed
    except Exception:
        counter.give_back()
        raise
