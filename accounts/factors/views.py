"""The pages of factors in the settings: an overview, the authenticator app and recovery codes."""

from __future__ import annotations

import base64
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.internal.flows import delete_dangling_recovery_codes
from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from accounts.decorators import UserRequest, sign_in_and_return, signed_in
from accounts.factors import events, passkeys, totp
from accounts.factors.addresses import find_localhost_address, find_passkey_obstacle
from accounts.factors.confirmation import email_confirmed, recently_confirmed
from accounts.factors.forms import AppSetupForm
from accounts.factors.recovery_codes import count_recovery_codes, create_recovery_codes
from accounts.models import User


@signed_in(sign_in_and_return)
@never_cache
def factors_page(request: UserRequest) -> HttpResponse:
    user = request.user
    app = find_app(user)
    context = {
        "passkeys": passkeys.list_passkeys(user),
        "app": app,
        "app_is_readable": app is not None and totp.is_readable(app),
        "codes_left": count_recovery_codes(user),
        "has_factor": has_factor(user),
        **build_passkey_context(request),
    }
    return render(request, "mfa/index.html", context)


def build_passkey_context(request: HttpRequest) -> dict[str, Any]:
    return {
        "passkey_obstacle": find_passkey_obstacle(request),
        "localhost_address": find_localhost_address(request),
    }


def find_app(user: User) -> Authenticator | None:
    return Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()


def has_factor(user: User) -> bool:
    """Return whether signing in with the password needs one more step."""
    rows = Authenticator.objects.filter(user=user)
    return rows.exclude(type=Authenticator.Type.RECOVERY_CODES).exists()


@sensitive_post_parameters("code")
@sensitive_variables("secret", "form")
@signed_in(sign_in_and_return)
@recently_confirmed
@email_confirmed
@never_cache
def add_app(request: UserRequest) -> HttpResponse:
    """The only page that shows the secret. It is a new one for each visit."""
    user = request.user
    if find_app(user):
        return redirect("mfa_index")
    secret = totp.read_setup(request, user) if request.method == "POST" else None
    form = AppSetupForm(
        request.POST if secret else None,
        user=user,
        secret=secret or totp.start_setup(request, user),
    )
    if not form.is_valid():
        return _render_setup(request, form)
    totp.activate_totp(user, form.secret, form.cleaned_data["code"])
    totp.end_setup(request)
    events.report_event(events.APP_ADDED, user, request)
    messages.success(request, _("The authenticator app is set up."))
    return show_first_codes(request, user) or redirect("mfa_index")


@sensitive_variables("form", "uri", "image")
def _render_setup(request: UserRequest, form: AppSetupForm) -> HttpResponse:
    adapter = get_adapter()
    uri = adapter.build_totp_url(request.user, form.secret)
    image = base64.b64encode(adapter.build_totp_svg(uri).encode()).decode()
    context = {
        "form": form,
        "secret": form.secret,
        "qr_code": f"data:image/svg+xml;base64,{image}",
        "first": not has_factor(request.user),
    }
    return render(request, "mfa/app/add.html", context, status=422 if form.is_bound else 200)


@signed_in(sign_in_and_return)
@recently_confirmed
@never_cache
def remove_app(request: UserRequest) -> HttpResponse:
    user = request.user
    app = find_app(user)
    if app is None:
        return redirect("mfa_index")
    if request.method != "POST":
        is_last = not passkeys.list_passkeys(user)
        return render(request, "mfa/app/remove.html", {"is_last": is_last})
    if remove_factor(user, app.pk):
        events.report_event(events.APP_REMOVED, user, request)
        messages.success(request, _("The authenticator app is removed."))
    return redirect("mfa_index")


def remove_factor(user: User, factor_id: int) -> bool:
    """Remove it, and recovery codes with the last one. Return False if another request was
    first."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        is_removed = bool(Authenticator.objects.filter(user=user, pk=factor_id).delete()[0])
        delete_dangling_recovery_codes(user)
    return is_removed


@signed_in(sign_in_and_return)
@recently_confirmed
@never_cache
def recovery_codes_page(request: UserRequest) -> HttpResponse:
    """GET says how many are left, POST creates new ones and shows them once."""
    user = request.user
    if not has_factor(user):
        return redirect("mfa_index")
    if request.method != "POST":
        context = {"codes_left": count_recovery_codes(user)}
        return render(request, "mfa/recovery_codes/index.html", context)
    return show_new_codes(request, user, events_of_change=True)


def show_first_codes(request: HttpRequest, user: User) -> HttpResponse | None:
    """Create codes with the first factor. None if there are some already."""
    return None if count_recovery_codes(user) else show_new_codes(request, user)


@sensitive_variables("codes")
def show_new_codes(
    request: HttpRequest, user: User, *, events_of_change: bool = False, **context: Any
) -> HttpResponse:
    """The codes are in this response, and nowhere else. The mail about a new factor is enough when
    they come with it."""
    codes = create_recovery_codes(user)
    if events_of_change:
        events.report_event(events.CODES_CREATED, user, request)
    context |= {"codes": codes, "text": "\n".join(codes)}
    response = render(request, "mfa/recovery_codes/new.html", context)
    response.headers["Cache-Control"] = "no-store, private"
    return response
