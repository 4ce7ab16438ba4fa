"""The form for people whose other server told no address."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.socialaccount.forms import SignupForm
from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from accounts.adapter import SignUpClosed
from accounts.email_addresses import is_email_taken
from accounts.models import User


class SocialSignUpForm(SignupForm):
    def validate_unique_email(self, email: str) -> str:
        """As on the sign-up page."""
        if not is_email_taken(email):
            return email
        if settings.ACCOUNT_EMAIL_VERIFICATION != "mandatory":
            raise get_adapter().validation_error("email_taken")
        self.account_already_exists = True
        return email

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        try:
            saved: tuple[Any, Any] = super().try_save(request)
        except IntegrityError:
            messages.info(request, _("There is already an account with this address."))
            return None, redirect("account_login")
        except SignUpClosed:
            return None, redirect("account_signup")
        return saved
