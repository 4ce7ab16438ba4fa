"""The page of a user's provider keys."""

from __future__ import annotations

from dataclasses import dataclass

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.db import transaction
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from accounts.api_keys import checking, keys
from accounts.api_keys.checking import KeyCheck
from accounts.api_keys.forms import KeyForm
from accounts.audit.events import record_event
from accounts.audit.kinds import KEY_REMOVED, KEY_SAVED
from accounts.connections.rows import build_shared_rows
from accounts.decorators import UserRequest, sign_in_and_return, signed_in
from accounts.models import ApiKey, KeyStatus
from accounts.rate_limits import RateLimit
from accounts.sealing import SealBroken
from streaming.providers.catalog import PROVIDERS, Provider

KEY_CHECK_LIMIT = RateLimit("key-check", 10, 60)
"""Checks of one person at all providers. Without a limit this server would tell thieves which keys
work."""
TOO_MANY_CHECKS_MESSAGE = gettext_lazy(
    "Too many keys were checked in a short time. Wait a minute and try again."
)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A provider on the page, with its key if there is one."""

    provider: Provider
    key: ApiKey | None
    form: KeyForm
    model_count: int = 0


@signed_in(sign_in_and_return)
@never_cache
def keys_page(request: UserRequest) -> HttpResponse:
    return _render_keys_page(request)


@sensitive_post_parameters("key")
@sensitive_variables("form")
@signed_in(sign_in_and_return)
@never_cache
def save_key(request: UserRequest, provider: str) -> HttpResponse:
    """A key that the provider does not accept is not saved. A key that can't be checked is
    saved."""
    offered = _get_provider_or_404(provider)
    if request.method != "POST":
        return redirect("keys")
    form = KeyForm(offered, request.POST)
    if not form.is_valid():
        return _render_keys_page(request, invalid=(offered, form))
    if not KEY_CHECK_LIMIT.counter_for(request.user.pk).try_consume():
        form.add_error("key", f"{_('Not saved.')} {TOO_MANY_CHECKS_MESSAGE}")
        return _render_keys_page(request, invalid=(offered, form))
    verdict = checking.check_key(provider, form.cleaned_data["key"])
    if verdict.status == KeyStatus.INVALID:
        form.add_error("key", verdict.status_text)
        return _render_keys_page(request, invalid=(offered, form))
    with transaction.atomic():
        saved = keys.save(request.user, provider, form.cleaned_data["key"])
        record_event(KEY_SAVED, request.user, request=request, provider=provider)
    checking.save_result(saved, verdict)
    # A thief of the session may have saved a key of their own, to see the chats at the provider.
    get_adapter().send_notification_mail(
        "account/email/key_saved", request.user, {"provider": offered.name}
    )
    _add_status_message(request, verdict, _describe_saved(verdict), _build_chat_link(verdict))
    return redirect("keys")


def _describe_saved(result: KeyCheck) -> str:
    names = {"provider": PROVIDERS[result.provider].name}
    if result.status == KeyStatus.VALID:
        saved = _("%(provider)s key saved and verified.") % names
        return f"{saved} {result.list_text}".strip()
    return f"{_('%(provider)s key saved.') % names} {result.status_text}"


@signed_in(sign_in_and_return)
@never_cache
def recheck_key(request: UserRequest, provider: str) -> HttpResponse:
    _get_provider_or_404(provider)
    held = ApiKey.objects.owned_by(request.user).filter(provider=provider).first()
    if (
        request.method == "POST"
        and held
        and not KEY_CHECK_LIMIT.counter_for(request.user.pk).try_consume()
    ):
        messages.error(request, TOO_MANY_CHECKS_MESSAGE)
    elif request.method == "POST" and held:
        try:
            verdict = checking.recheck_key(held)
            _add_status_message(request, verdict, verdict.status_text)
        except SealBroken as problem:
            messages.error(request, _(problem.user_message))
    return redirect("keys")


def _add_status_message(request: HttpRequest, result: KeyCheck, text: str, link: str = "") -> None:
    level = messages.SUCCESS if result.status == KeyStatus.VALID else messages.WARNING
    messages.add_message(request, level, format_html("{} {}", text, link) if link else text)


def _build_chat_link(result: KeyCheck) -> str:
    first = checking.pick_first_model(result)
    if first is None or result.status == KeyStatus.NO_CREDIT:
        return ""
    address = f"{reverse('home')}?{urlencode({'model': first.form_value})}"
    label = _("Start a chat with %(model)s") % {"model": first.label}
    return format_html('<a href="{}">{}</a>', address, label)


@signed_in(sign_in_and_return)
@never_cache
def remove_key(request: UserRequest, provider: str) -> HttpResponse:
    offered = _get_provider_or_404(provider)
    if request.method == "POST" and _remove_and_record(request, provider):
        messages.success(
            request, _("Your %(provider)s key is removed.") % {"provider": offered.name}
        )
    return redirect("keys")


def _remove_and_record(request: UserRequest, provider: str) -> bool:
    with transaction.atomic():
        if not keys.remove(request.user, provider):
            return False
        record_event(KEY_REMOVED, request.user, request=request, provider=provider)
        return True


def _get_provider_or_404(provider: str) -> Provider:
    for offered in keys.providers_needing_keys():
        if offered.id == provider:
            return offered
    raise Http404


def _render_keys_page(
    request: UserRequest, *, invalid: tuple[Provider, KeyForm] | None = None
) -> HttpResponse:
    mine = ApiKey.objects.owned_by(request.user).annotate(models=Count("listed"))
    held = {key.provider: key for key in mine}
    forms = {provider: KeyForm(provider) for provider in keys.providers_needing_keys()}
    if invalid:
        forms |= dict([invalid])
    rows = [_build_row(provider, held.get(provider.id), form) for provider, form in forms.items()]
    context = {"rows": rows, "shared": build_shared_rows(request.user, set(held))}
    return render(request, "settings/keys.html", context, status=422 if invalid else 200)


def _build_row(provider: Provider, key: ApiKey | None, form: KeyForm) -> KeyRow:
    return KeyRow(provider, key, form, model_count=getattr(key, "models", 0))
