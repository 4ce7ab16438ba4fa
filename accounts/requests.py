"""The type of a request whose user is known."""

from __future__ import annotations

from django.http import HttpRequest

from accounts.models import User


class SignedInRequest(HttpRequest):
    """A request that `login_required` has passed."""

    user: User
