"""The pages of passkeys: add, rename and remove them, and sign up with one."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.decorators import login_stage_required
from allauth.mfa.base.internal.flows import delete_dangling_recovery_codes
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal.auth import WebAuthn
from allauth.mfa.webauthn.stages import PasskeySignupStage
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from accounts.audit.events import record_event
from accounts.decorators import UserRequest, sign_in_and_return, signed_in
from accounts.factors import events, passkeys
from accounts.factors.confirmation import email_confirmed, recently_confirmed
from accounts.factors.forms import NewPasskeyForm, PasskeyNameForm
from accounts.factors.views import (
    build_passkey_context,
    has_factor,
    show_first_codes,
    show_new_codes,
)
from accounts.models import User
from accounts.sign_in_ways import LAST_WAY, can_sign_in_without


@signed_in(sign_in_and_return)
@recently_confirmed
@email_confirmed
@never_cache
def add_passkey(request: UserRequest) -> HttpResponse:
    user = request.user
    if not passkeys.has_room_for_passkey(user):
        messages.error(request, _("You have the most passkeys possible. Remove one first."))
        return redirect("mfa_index")
    form = NewPasskeyForm(request.POST if request.method == "POST" else None, user=user)
    if not form.is_valid():
        return _render_creation(request, "mfa/passkeys/add.html", user, form)
    WebAuthn.add(user, form.cleaned_data["name"], form.cleaned_data["credential"])
    events.report_event(events.PASSKEY_ADDED, user, request)
    messages.success(request, _("The passkey is added."))
    return show_first_codes(request, user) or redirect("mfa_index")


@login_stage_required(stage=PasskeySignupStage.key, redirect_urlname="account_signup")
def sign_up_with_passkey(request: HttpRequest) -> HttpResponse:
    """The last step of a sign-up without a password. The account has no other way to sign in, so
    the page after it shows recovery codes."""
    stage = request._login_stage  # type: ignore[attr-defined]
    user: User = stage.login.user
    form = NewPasskeyForm(request.POST if request.method == "POST" else None, user=user)
    if not form.is_valid():
        return _render_creation(request, "mfa/passkeys/sign_up.html", user, form)
    WebAuthn.add(user, form.cleaned_data["name"], form.cleaned_data["credential"])
    record_event(events.PASSKEY_ADDED.kind, user, request=request)
    signed_in_response = stage.exit()
    shown = show_new_codes(request, user, next=signed_in_response.headers.get("Location", "/"))
    shown.cookies = signed_in_response.cookies
    return shown


def _render_creation(
    request: HttpRequest, template: str, user: User, form: NewPasskeyForm
) -> HttpResponse:
    context: dict[str, Any] = build_passkey_context(request)
    can_create = not context["passkey_obstacle"]
    context |= {
        "form": form,
        "passkey_problem": form.problem,
        "passkey_options": passkeys.begin_creation(user) if can_create else None,
        "first": not has_factor(user),
        "has_password": user.has_usable_password(),
    }
    return render(request, template, context, status=422 if form.is_bound else 200)


@signed_in(sign_in_and_return)
@recently_confirmed
@never_cache
def rename_passkey(request: UserRequest, pk: int) -> HttpResponse:
    passkey = _get_passkey_or_404(request.user, pk)
    sent = request.POST if request.method == "POST" else None
    form = PasskeyNameForm(sent, initial={"name": passkey.wrap().name})
    if not form.is_valid():
        context = {"form": form, "passkey": passkey}
        status = 422 if form.is_bound else 200
        return render(request, "mfa/passkeys/rename.html", context, status=status)
    data = passkey.data | {"name": form.cleaned_data["name"]}
    if not Authenticator.objects.filter(pk=passkey.pk).update(data=data):
        raise Http404  # another request has removed it
    record_event(events.PASSKEY_RENAMED, request.user, request=request)
    messages.success(request, _("The passkey is renamed."))
    return redirect("mfa_index")


@signed_in(sign_in_and_return)
@recently_confirmed
@never_cache
def remove_passkey(request: UserRequest, pk: int) -> HttpResponse:
    user = request.user
    passkey = _get_passkey_or_404(user, pk)
    if request.method != "POST":
        others = Authenticator.objects.filter(user=user).exclude(pk=pk)
        context = {
            "passkey": passkey,
            "is_last": not others.exclude(type=Authenticator.Type.RECOVERY_CODES).exists(),
            "is_needed": not can_sign_in_without(user, passkey),
        }
        return render(request, "mfa/passkeys/remove.html", context)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        if not can_sign_in_without(user, passkey):
            messages.error(request, LAST_WAY)
            return redirect("mfa_index")
        passkey.delete()
        delete_dangling_recovery_codes(user)
    events.report_event(events.PASSKEY_REMOVED, user, request)
    messages.success(request, _("The passkey is removed."))
    return redirect("mfa_index")


def _get_passkey_or_404(user: User, pk: int) -> Authenticator:
    mine = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN)
    return get_object_or_404(mine, pk=pk)
