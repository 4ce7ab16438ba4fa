"""Buttons that lead to another server, and the pages that have them."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from accounts.social.configuration import SignInServer

PAGES_WITH_BUTTONS = {
    "account_login",
    "account_signup",
    "github_login",
    "openid_connect_login",
    "socialaccount_confirmation",
    "socialaccount_connections",
}
"""Names of addresses. Forms of no other page may lead to another site."""


@dataclass(frozen=True, slots=True)
class SignInButton:
    id: str
    name: str
    action: str


def build_button(server: SignInServer) -> SignInButton:
    if server.kind == "github":
        return SignInButton(server.id, server.name, reverse("github_login"))
    return SignInButton(server.id, server.name, reverse("openid_connect_login", args=[server.id]))


def list_form_origins(request: HttpRequest) -> list[str]:
    """The other sites to which forms of this page may lead, for its content security policy. The
    policy counts for the redirect after the form too."""
    match = request.resolver_match
    if match is None or match.url_name not in PAGES_WITH_BUTTONS:
        return []
    origins = (origin for server in settings.SIGN_IN_SERVERS for origin in server.form_origins)
    return list(dict.fromkeys(origins))
