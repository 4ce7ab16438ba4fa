"""The form for a person without an address at the other server."""

from __future__ import annotations

from allauth.socialaccount.forms import SignupForm

from accounts.forms import NewAccountMixin


class SocialSignUpForm(NewAccountMixin, SignupForm):
    """As on the sign-up page, without a password."""
