"""Signing in and confirming with a passkey or a code."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.decorators import login_stage_required
from allauth.account.internal.flows.login import perform_login
from allauth.account.models import Login
from allauth.account.utils import get_login_redirect_url, get_next_redirect_url
from allauth.core.internal import ratelimit
from allauth.mfa.models import Authenticator
from allauth.mfa.stages import AuthenticateStage
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts.decorators import UserRequest, sign_in_and_return, signed_in
from accounts.factors import passkeys
from accounts.factors.addresses import find_passkey_obstacle
from accounts.factors.codes import is_app_unreadable
from accounts.factors.confirmation import finish_confirmation
from accounts.factors.forms import CodeForm, PasskeyForm
from accounts.factors.use import record_use
from accounts.models import User

REMOVED_MEANWHILE = _("This way to confirm was removed meanwhile. Use another one.")


@never_cache
def sign_in_with_passkey(request: HttpRequest) -> HttpResponse:
    """GET returns the options for the browser, POST signs in."""
    if request.user.is_authenticated:
        return redirect(get_login_redirect_url(request))
    sign_in_page = _add_next(reverse("account_login"), get_next_redirect_url(request))
    if request.method != "POST":
        if request.accepts("text/html"):
            return redirect(sign_in_page)
        return JsonResponse(passkeys.begin_use(None))
    if refusal := ratelimit.consume_or_429(request, app="allauth.mfa", action="webauthn_login"):
        return refusal
    form = PasskeyForm(request.POST, user=None)
    if not form.is_valid():
        messages.error(request, form.problem)
        return redirect(sign_in_page)
    passkey: Authenticator = form.cleaned_data["credential"]
    if not record_use(request, passkey, passwordless=True):
        messages.error(request, passkeys.UNKNOWN_PASSKEY)
        return redirect(sign_in_page)
    login = Login(user=passkey.user, redirect_url=get_next_redirect_url(request))
    return perform_login(request, login)


def _add_next(address: str, next_url: str | None) -> str:
    return f"{address}?{urlencode({'next': next_url})}" if next_url else address


@sensitive_post_parameters("code")
@login_stage_required(stage=AuthenticateStage.key, redirect_urlname="account_login")
def sign_in_step(request: HttpRequest) -> HttpResponse:
    """The step after the password."""
    stage = request._login_stage  # type: ignore[attr-defined]
    user: User = stage.login.user
    code_form, passkey_form = _build_forms(request, user)
    factor = _find_used_factor(code_form, passkey_form)
    if factor is None:
        return _render_forms(request, "mfa/sign_in_step.html", user, code_form, passkey_form)
    factor.user = user
    if not record_use(request, factor):
        messages.error(request, REMOVED_MEANWHILE)
        return redirect(request.path)
    response: HttpResponse = stage.exit()
    return response


@sensitive_post_parameters("code")
@signed_in(sign_in_and_return)
@never_cache
def confirm_with_code(request: UserRequest) -> HttpResponse:
    return _confirm(request, "mfa/confirm_with_code.html")


@signed_in(sign_in_and_return)
@never_cache
def confirm_with_passkey(request: UserRequest) -> HttpResponse:
    return _confirm(request, "mfa/confirm_with_passkey.html")


def _confirm(request: UserRequest, template: str) -> HttpResponse:
    methods = get_adapter().get_reauthentication_methods(request.user)
    if request.path not in [method["url"] for method in methods]:
        return redirect(_add_next(reverse("account_reauthenticate"), _read_next(request)))
    code_form, passkey_form = _build_forms(request, request.user)
    factor = _find_used_factor(code_form, passkey_form)
    if factor is None:
        return _render_forms(
            request,
            template,
            request.user,
            code_form,
            passkey_form,
            alternatives=[
                method | {"url": _add_next(method["url"], _read_next(request))}
                for method in methods
                if method["url"] != request.path
            ],
        )
    if response := finish_confirmation(request, factor):
        return response
    messages.error(request, REMOVED_MEANWHILE)
    return redirect(_add_next(reverse("account_reauthenticate"), _read_next(request)))


def _read_next(request: HttpRequest) -> str | None:
    return get_next_redirect_url(request)


def _build_forms(request: HttpRequest, user: User) -> tuple[CodeForm, PasskeyForm]:
    """Only the form that was sent is bound."""
    sent = request.POST if request.method == "POST" else None
    is_passkey = sent is not None and "credential" in sent
    return (
        CodeForm(None if is_passkey else sent, user=user),
        PasskeyForm(sent if is_passkey else None, user=user),
    )


def _find_used_factor(code_form: CodeForm, passkey_form: PasskeyForm) -> Authenticator | None:
    if code_form.is_bound and code_form.is_valid():
        return code_form.factor
    if passkey_form.is_bound and passkey_form.is_valid():
        passkey: Authenticator = passkey_form.cleaned_data["credential"]
        return passkey
    return None


def _render_forms(
    request: HttpRequest,
    template: str,
    user: User,
    code_form: CodeForm,
    passkey_form: PasskeyForm,
    **more: Any,
) -> HttpResponse:
    has_passkeys = bool(passkeys.list_passkeys(user))
    others = Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.WEBAUTHN)
    context = {
        "form": code_form,
        "has_codes": others.exists(),
        "app_is_unreadable": is_app_unreadable(user),
        "passkey_problem": passkey_form.problem,
        "passkey_options": passkeys.begin_use(user) if has_passkeys else None,
        "passkey_obstacle": find_passkey_obstacle(request),
        "next": _read_next(request) or "",
    }
    is_refused = code_form.is_bound or passkey_form.is_bound
    return render(request, template, context | more, status=422 if is_refused else 200)
