"""OpenID Connect: allauth's provider, with every check of the standard."""

from __future__ import annotations

import hmac
import secrets
from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialLogin, SocialToken
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_variables

from accounts.social.configuration import SignInServer, find_server
from accounts.social.failures import SignInFailed, reject_malformed_answers
from accounts.social.id_tokens import Expectation, verify_id_token
from accounts.social.oauth2 import (
    CONFIRM,
    CarefulAdapter,
    CarefulProvider,
    clean_name,
    clean_subject,
)
from accounts.social.openid_documents import load_configuration

CONFIRM_PARAMETERS = {"prompt": "login", "max_age": "0"}
"""The server asks for its password again, and says when that was."""


class OpenIDAdapter(CarefulAdapter, OpenIDConnectOAuth2Adapter):
    nonce = ""
    """That of the sign-in, which the callback finds in the session."""

    @property
    def server(self) -> SignInServer:
        server = find_server(settings.SIGN_IN_SERVERS, self.provider_id)
        assert server is not None  # allauth has found its app
        return server

    @property
    def openid_config(self) -> dict[str, Any]:
        return load_configuration(self.server)

    @property
    def basic_auth(self) -> bool:
        """The standard's default is `client_secret_basic`."""
        methods = self.openid_config.get("token_endpoint_auth_methods_supported", [])
        return "client_secret_post" not in methods and bool(self.server.client_secret)

    def expect_answer(self, request: HttpRequest, state: dict[str, Any]) -> None:
        """A server may name itself, so that the answer of another one is noticed (RFC 9207)."""
        self.nonce = state["nonce"]
        if request.GET.get("iss", self.openid_config["issuer"]) != self.openid_config["issuer"]:
            raise SignInFailed("The answer comes from another server.")

    @sensitive_variables("token", "response")
    def complete_login(
        self, request: HttpRequest, app: Any, token: SocialToken, **kwargs: Any
    ) -> SocialLogin:
        with reject_malformed_answers():
            claims = verify_id_token(kwargs["response"]["id_token"], self._expect(app.client_id))
            if "email" not in claims and "userinfo_endpoint" in self.openid_config:
                claims = self._fetch_own_user_info(claims["sub"], token) | claims
            login: SocialLogin = self.get_provider().sociallogin_from_response(request, claims)
        login.authenticated_at = claims.get("auth_time")
        return login

    def _expect(self, client_id: str) -> Expectation:
        configuration = self.openid_config
        return Expectation(
            configuration["issuer"], client_id, self.nonce, configuration["jwks_uri"]
        )

    def _fetch_own_user_info(self, subject: str, token: SocialToken) -> dict[str, Any]:
        info: dict[str, Any] = self._fetch_user_info(token.token)
        if not hmac.compare_digest(str(info["sub"]).encode(), subject.encode()):
            raise SignInFailed("The user information is about another person.")
        return info


class OpenIDProvider(CarefulProvider, OpenIDConnectProvider):
    oauth2_adapter_class = OpenIDAdapter

    def get_scope(self) -> list[str]:
        return list(self.app.settings["scopes"])

    def redirect(self, request: HttpRequest, process: str, **kwargs: Any) -> HttpResponse:
        nonce = secrets.token_urlsafe(24)
        parameters = {"nonce": nonce} | (CONFIRM_PARAMETERS if process == CONFIRM else {})
        return super().redirect(request, process, auth_params=parameters, nonce=nonce, **kwargs)

    def extract_uid(self, data: dict[str, Any]) -> str:
        return clean_subject(data.get("sub"))

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """Nothing but the words under which the page shows the account."""
        return {"name": clean_name(data.get("name")), "email": clean_name(data.get("email"))}

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"email": data.get("email"), "name": clean_name(data.get("name"))}

    def extract_email_addresses(self, data: dict[str, Any]) -> list[EmailAddress]:
        """Some servers send the answer as a text, and “false” would be true."""
        verified = data.get("email_verified")
        is_verified = verified is True or verified == "true"
        email = data.get("email")
        return [EmailAddress(email=email, verified=is_verified, primary=True)] if email else []
