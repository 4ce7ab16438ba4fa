"""Forms of accounts: signing up, and passwords."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import (
    ChangePasswordForm,
    ConfirmEmailVerificationCodeForm,
    ConfirmLoginCodeForm,
    RequestLoginCodeForm,
    ResetPasswordForm,
    ResetPasswordKeyForm,
    SignupForm,
)
from allauth.account.models import EmailAddress
from allauth.core import context
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from accounts import setup
from accounts.adapter import limit_unrequested_mails
from accounts.code_mails import (
    try_consume_code_attempt,
    try_consume_code_mail,
    try_use_code,
)
from accounts.email_addresses import ensure_primary_email, find_user_by_email, is_email_taken
from accounts.failed_sign_ins import log_failed_sign_in
from accounts.invitations.links import InvitationGone, find_usable_invitation
from accounts.models import User, UserManager
from accounts.sign_up import SignUpClosed


class RepeatedPasswordMixin:
    """For a form of allauth with a new password, typed twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password2"].label = _("Repeat password")  # type: ignore[attr-defined]

    def add_error(self, field: str | None, error: Any) -> None:
        """Of all errors, only allauth's about two different passwords is no ValidationError."""
        if field == "password2" and not isinstance(error, forms.ValidationError):
            error = _("The passwords don’t match.")
        super().add_error(field, error)  # type: ignore[misc]


class NewAccountMixin:
    """For a form that makes an account: its address is free, and the one of the invitation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bind_email_of_invitation()

    def _bind_email_of_invitation(self) -> None:
        """An invitation may be for one address. Only setting `disabled` on the field would be
        enough, but a screen reader would skip it."""
        invitation = find_usable_invitation(context.request)
        self.invited_email = invitation.email if invitation else ""
        if self.invited_email:
            self.initial["email"] = self.invited_email  # type: ignore[attr-defined]
            self.fields["email"].widget.attrs["readonly"] = True  # type: ignore[attr-defined]

    def clean_email(self) -> str:
        email = str(super().clean_email())  # type: ignore[misc]
        if self.invited_email and email != self.invited_email:
            raise forms.ValidationError(_("This invitation is for another address."))
        return email

    def validate_unique_email(self, email: str) -> str:
        """An address that was added to an account and never confirmed can still sign up."""
        if not is_email_taken(email):
            return email
        if settings.ACCOUNT_EMAIL_VERIFICATION != "mandatory":
            raise get_adapter().validation_error("email_taken")
        self.account_already_exists = True  # reported by mail, to its owner only
        return email

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        try:
            saved: tuple[User | None, HttpResponse | None] = super().try_save(request)  # type: ignore[misc]
        except IntegrityError:
            # The same address twice at once, as after a double click: the other request was first.
            messages.info(request, _("There is already an account with this address."))
            return None, redirect("account_login")
        except (SignUpClosed, InvitationGone):
            return None, redirect("account_signup")
        return saved


class SignUpForm(NewAccountMixin, SignupForm):
    """A new account. The first one needs a setup code, unless a person at this machine creates
    it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if setup.needs_setup_code(context.request):
            self.fields["setup_code"] = forms.CharField(
                label=_("Setup code"),
                max_length=100,
                help_text=_(
                    "The server log shows it. You can also run <code>manage.py setup_code</code>."
                ),
                widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
            )

    def is_first_account(self) -> bool:
        return not setup.has_any_account()

    def clean_setup_code(self) -> str:
        """The code proves access to the server's log, so its sender may own the installation."""
        typed = str(self.cleaned_data["setup_code"])
        tries = setup.SETUP_CODE_LIMIT.counter_for(
            get_adapter().get_client_network(context.request)
        )
        if not tries.try_consume():
            raise forms.ValidationError(_("Too many wrong codes. Wait ten minutes and try again."))
        if not setup.is_valid_setup_code(typed):
            raise forms.ValidationError(
                _("This is not the setup code of this installation. Find it in the server log.")
            )
        tries.give_back()
        return typed

    def save(self, request: HttpRequest) -> User:
        user: User = super().save(request)
        ensure_primary_email(user)
        own = list(EmailAddress.objects.filter(user=user))
        EmailAddress.objects.fill_cache_for_user(user, own)
        return user

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        if self.account_already_exists:
            # As much work as for a new account, so that the duration tells nothing.
            make_password(self.cleaned_data.get("password1"))
        return super().try_save(request)


class LoginCodeForm(RequestLoginCodeForm):
    """Sends a code to an address of an account. An address that was added and not confirmed gets
    none, because it does not sign in."""

    def clean_email(self) -> str:
        email = UserManager.normalize_email(self.cleaned_data["email"])
        account = find_user_by_email(email)
        self._user = account if account and account.is_active else None
        if not try_consume_code_mail(context.request, email, self._user):
            raise get_adapter().validation_error("too_many_login_attempts")
        return email


class MailedCodeMixin:
    """For a form with a code of a mail, which takes three attempts and works once, also for
    requests of the same moment."""

    expected_code: str | None

    def clean_code(self) -> str:
        code = self.expected_code or ""
        if not try_consume_code_attempt(context.request, code):
            raise get_adapter().validation_error("too_many_login_attempts")
        typed = str(super().clean_code())  # type: ignore[misc]
        if not try_use_code(context.request, code):
            raise get_adapter().validation_error("incorrect_code")
        return typed


class EmailCodeEntryForm(MailedCodeMixin, ConfirmEmailVerificationCodeForm):
    """Confirms an address."""


class LoginCodeEntryForm(MailedCodeMixin, ConfirmLoginCodeForm):
    """Signs in."""

    def clean_code(self) -> str:
        try:
            return str(super().clean_code())
        except forms.ValidationError:
            user = context.request._login_stage.login.user
            log_failed_sign_in("mailed code", "wrong code", user)
            raise


class PasswordResetForm(ResetPasswordForm):
    """Sends a link for a new password to an address of an account, and to no other.

    No request is refused, because strangers could use up any limit. After too many requests no
    further mail is sent, because the earlier ones are in the inbox already.
    """

    def clean_email(self) -> str:
        """Use the stored address: other spellings may lead to another inbox."""
        email = UserManager.normalize_email(self.cleaned_data["email"])
        account = find_user_by_email(email)
        self.users = [account] if account and account.is_active else []
        return email

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        if not self.users:
            return str(super().save(request, **kwargs))
        [user] = self.users
        # A sign-in makes earlier links void. So does a new password, but it does not renew the
        # count: a reader of the mails could set one after the other.
        links = ("reset", user.pk, user.last_login)
        with limit_unrequested_mails(*links) as is_allowed:
            self.users = [user] if is_allowed else []
            return str(super().save(request, **kwargs))


class PasswordResetFromKeyForm(RepeatedPasswordMixin, ResetPasswordKeyForm):
    """Sets a new password after a link in a mail."""


class PasswordChangeForm(RepeatedPasswordMixin, ChangePasswordForm):
    """Changes the password of a person who knows the old one, with the usual limit of attempts."""

    def clean_oldpassword(self) -> str:
        typed = str(self.cleaned_data["oldpassword"])
        if not get_adapter().reauthenticate(self.user, typed):
            raise get_adapter().validation_error("enter_current_password")
        return typed
