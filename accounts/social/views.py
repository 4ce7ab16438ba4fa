"""The addresses of a sign-in with another server: the way there, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account.utils import get_request_param
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.views import LoginCancelledView, SignupView
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from requests import RequestException

from accounts.anonymous_limits import try_consume_session
from accounts.outbound.requests_session import limit_total_seconds
from accounts.social.configuration import find_server
from accounts.social.confirming import find_refusal
from accounts.social.failures import SignInFailed
from accounts.social.github import GitHubAdapter
from accounts.social.oauth2 import CarefulAdapter
from accounts.social.openid import OpenIDAdapter
from accounts.too_many_requests import respond_too_many_requests

MAX_REQUEST_SECONDS = 6
"""The time that all requests to the other server have together, while the page waits for them."""


class CallbackView(OAuth2CallbackView):
    def _get_state(
        self, request: HttpRequest, provider: Any
    ) -> tuple[dict[str, Any] | None, HttpResponse | None]:
        """Also tell the adapter what belongs to this sign-in."""
        state, response = super()._get_state(request, provider)
        if state:
            self.adapter.expect_answer(request, state)
        return state, response


@never_cache
def start_sign_in(request: HttpRequest, provider_id: str, kind: str) -> HttpResponseBase:
    """A link shows a page with a button. The button redirects to the other server."""
    adapter = find_adapter(request, provider_id, kind)
    if request.method == "POST":
        process = get_request_param(request, "process", AuthProcess.LOGIN)
        if refusal := find_refusal(request, process):
            return refusal
        # allauth saves the session itself, so that the middleware does not see a new one.
        is_new = request.session.session_key is None
        if is_new and not try_consume_session(request):
            return respond_too_many_requests(request)
    elif request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "POST"])
    return _run(OAuth2LoginView.adapter_view(adapter), request, adapter)


@never_cache
def finish_sign_in(request: HttpRequest, provider_id: str, kind: str) -> HttpResponseBase:
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET"])
    adapter = find_adapter(request, provider_id, kind)
    return _run(CallbackView.adapter_view(adapter), request, adapter)


def find_adapter(request: HttpRequest, provider_id: str, kind: str) -> CarefulAdapter:
    """Raises Http404 for a server that is not configured."""
    server = find_server(settings.SIGN_IN_SERVERS, provider_id)
    if server is None or server.kind != kind:
        raise Http404
    is_github = kind == "github"
    return GitHubAdapter(request) if is_github else OpenIDAdapter(request, provider_id)


def _run(
    view: Callable[[HttpRequest], HttpResponseBase], request: HttpRequest, adapter: Any
) -> HttpResponseBase:
    """allauth catches these errors only in a part of the way."""
    try:
        with limit_total_seconds(MAX_REQUEST_SECONDS):
            return view(request)
    except (RequestException, OAuth2Error, SignInFailed) as error:
        response: HttpResponse = render_authentication_error(
            request, adapter.get_provider(), exception=error
        )
        return response


class SocialSignUpView(SignupView):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The server of a sign-up that waits in the session may be gone."""
        try:
            response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        except SocialApp.DoesNotExist:
            return redirect("account_login")
        return response


sign_up = never_cache(SocialSignUpView.as_view())
cancelled = LoginCancelledView.as_view()
