"""The common parts of all sign-ins with other servers: PKCE, few data, no options in links."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.models import SocialLogin, SocialToken
from allauth.socialaccount.providers.base import AuthProcess
from allauth.utils import get_request_param
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from accounts.social.failures import SignInFailed, reject_malformed_answers

CONFIRM = "confirm"
"""The process of a person who is signed in and confirms that with the other server."""
PROCESSES = (AuthProcess.LOGIN, AuthProcess.CONNECT, CONFIRM)
MAX_ID_CHARS = 191
MAX_NAME_CHARS = 150


class CarefulAdapter:
    """For an adapter of allauth: answers of the server may be malformed, and its tokens are not
    kept."""

    def expect_answer(self, request: HttpRequest, state: dict[str, Any]) -> None:
        """Raises SignInFailed for an answer that does not belong to this sign-in."""

    @sensitive_variables("data")
    def parse_token(self, data: dict[str, Any]) -> SocialToken:
        token = data["access_token"]
        if not isinstance(token, str):
            raise TypeError
        return SocialToken(token=token)

    @sensitive_variables("data")
    def get_access_token_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        with reject_malformed_answers():
            data: dict[str, Any] = super().get_access_token_data(*args, **kwargs)  # type: ignore[misc]
            self.parse_token(data)
        return data

    @sensitive_variables("token")
    def complete_login(
        self, request: HttpRequest, app: Any, token: SocialToken, **kwargs: Any
    ) -> SocialLogin:
        with reject_malformed_answers():
            return super().complete_login(request, app, token, **kwargs)  # type: ignore[misc]


class CarefulProvider:
    """For a provider of allauth."""

    pkce_enabled_default = True
    supports_token_authentication = False

    def get_redirect_from_request_kwargs(self, request: HttpRequest) -> dict[str, Any]:
        """allauth also takes scopes and parameters from the link, even another `redirect_uri`."""
        kwargs = super().get_redirect_from_request_kwargs(request)  # type: ignore[misc]
        process = get_request_param(request, "process", AuthProcess.LOGIN)
        chosen = {"process": process if process in PROCESSES else AuthProcess.LOGIN}
        return chosen | ({"next_url": kwargs["next_url"]} if "next_url" in kwargs else {})

    def serialize(self) -> dict[str, Any]:
        """Two servers may have the same client id, but not the same id of their row."""
        return {"id": self.sub_id}  # type: ignore[attr-defined]


def clean_subject(value: Any) -> str:
    """Return the id of the person at the other server. Raises SignInFailed."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_CHARS or not value.isprintable():
        raise SignInFailed("The answer has no usable id of the person.")
    return value


def clean_name(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(character for character in text if character.isprintable())[:MAX_NAME_CHARS]
