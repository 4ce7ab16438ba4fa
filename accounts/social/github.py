"""GitHub, which speaks OAuth 2 but not OpenID Connect."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.providers.github.provider import GitHubProvider as AllauthProvider
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter

from accounts.social.oauth2 import CarefulAdapter, CarefulProvider, clean_name, clean_subject


class GitHubAdapter(CarefulAdapter, GitHubOAuth2Adapter):
    pass


class GitHubProvider(CarefulProvider, AllauthProvider):
    oauth2_adapter_class = GitHubAdapter

    def extract_uid(self, data: dict[str, Any]) -> str:
        id = data["id"]
        return clean_subject(str(id) if type(id) is int else None)

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """Nothing but the words under which the page shows the account."""
        return {"username": clean_name(data.get("login")), "name": clean_name(data.get("name"))}

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        """The address of the public profile is not used: `emails` says which one is confirmed."""
        return {"name": clean_name(data.get("name"))}

    def extract_email_addresses(self, data: dict[str, Any]) -> list[EmailAddress]:
        """The primary address only; the others are none of our business."""
        return [
            EmailAddress(email=row["email"], verified=row["verified"] is True, primary=True)
            for row in data.get("emails", [])
            if row["primary"] is True
        ][:1]
