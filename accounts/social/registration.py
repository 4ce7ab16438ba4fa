"""Registers the kinds of sign-in. Without a configured server none of them can be used."""

from __future__ import annotations

from allauth.socialaccount.providers import registry

from accounts.social import events  # noqa: F401 - it listens to allauth
from accounts.social.github import GitHubProvider
from accounts.social.openid import OpenIDProvider


def register_providers() -> None:
    for provider in (OpenIDProvider, GitHubProvider):
        registry.register(provider)
