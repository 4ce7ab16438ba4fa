"""The pages of a user's settings: the keys of providers, and how replies are asked for."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from accounts import checking, keys
from accounts.checking import Verdict
from accounts.forms import KeyForm, RepliesForm
from accounts.limits import Limit
from accounts.models import ApiKey, Check, User
from accounts.sealing import Unsealable
from streaming.providers.catalog import Provider

CHECKS = Limit("key-check", 10, 60)
"""Of a person, over all providers. Without it this server would tell thieves which keys work."""
TOO_MANY_CHECKS = "Too many keys were checked in a short time. Wait a minute and try again."


class SignedInRequest(HttpRequest):
    """What `login_required` lets through."""

    user: User


@dataclass(frozen=True, slots=True)
class Row:
    """A provider on the page, with the key there is for it."""

    provider: Provider
    key: ApiKey | None
    form: KeyForm
    models: int = 0


@login_required
@never_cache
def keys_page(request: SignedInRequest) -> HttpResponse:
    """All providers that take a key, and what is known of this user's."""
    return _page(request)


@sensitive_post_parameters("key")
@sensitive_variables("form")
@login_required
@never_cache
def key(request: SignedInRequest, provider: str) -> HttpResponse:
    """POST: add or replace the key of this provider, once it was asked about it. One that it
    does not accept is not saved; what can't be asked is no reason not to save it."""
    offered = _offered_or_404(provider)
    if request.method != "POST":
        return redirect("keys")
    form = KeyForm(offered, request.POST)
    if not form.is_valid():
        return _page(request, refused=(offered, form))
    if not CHECKS.of(request.user.pk).take():
        form.add_error("key", f"Not saved. {TOO_MANY_CHECKS}")
        return _page(request, refused=(offered, form))
    verdict = checking.check(provider, form.cleaned_data["key"])
    if verdict.result == Check.INVALID:
        form.add_error("key", verdict.sentence)
        return _page(request, refused=(offered, form))
    checking.note(keys.save(request.user, provider, form.cleaned_data["key"]), verdict)
    _tell(request, f"Your {offered.name} key is saved.", verdict, _invitation(verdict))
    return redirect("keys")


@login_required
@never_cache
def key_check(request: SignedInRequest, provider: str) -> HttpResponse:
    """POST: ask the provider about the key again, and for its list of models."""
    offered = _offered_or_404(provider)
    held = ApiKey.objects.filter(user=request.user, provider=provider).first()
    if request.method == "POST" and held and not CHECKS.of(request.user.pk).take():
        messages.error(request, TOO_MANY_CHECKS)
    elif request.method == "POST" and held:
        try:
            _tell(request, f"Your {offered.name} key:", checking.check_again(held))
        except Unsealable as problem:
            messages.error(request, str(problem))
    return redirect("keys")


def _tell(request: HttpRequest, before: str, verdict: Verdict, after: str = "") -> None:
    level = messages.SUCCESS if verdict.result == Check.GOOD else messages.WARNING
    said = format_html("{} {} {}", before, verdict.sentence, after) if after else None
    messages.add_message(request, level, said or f"{before} {verdict.sentence}")


def _invitation(verdict: Verdict) -> str:
    """A link to a new chat with a model that the key is good for; empty where there is none."""
    first = checking.first_model(verdict)
    if first is None or verdict.result == Check.NO_CREDIT:
        return ""
    address = f"{reverse('home')}?{urlencode({'model': first.id})}"
    return format_html('<a href="{}">Start a chat with {}</a>', address, first.label)


@login_required
@never_cache
def key_removal(request: SignedInRequest, provider: str) -> HttpResponse:
    """POST: forget the key of this provider."""
    offered = _offered_or_404(provider)
    if request.method == "POST" and keys.remove(request.user, provider):
        messages.success(request, f"Your {offered.name} key is removed.")
    return redirect("keys")


def _offered_or_404(provider: str) -> Provider:
    for offered in keys.offered():
        if offered.id == provider:
            return offered
    raise Http404


def _page(
    request: SignedInRequest, *, refused: tuple[Provider, KeyForm] | None = None
) -> HttpResponse:
    mine = ApiKey.objects.filter(user=request.user).annotate(models=Count("listed"))
    held = {key.provider: key for key in mine}
    forms = {provider: KeyForm(provider) for provider in keys.offered()}
    if refused:
        forms |= dict([refused])
    rows = [_row(provider, held.get(provider.id), form) for provider, form in forms.items()]
    status = 422 if refused else 200
    return render(request, "accounts/keys.html", {"rows": rows}, status=status)


def _row(provider: Provider, key: ApiKey | None, form: KeyForm) -> Row:
    return Row(provider, key, form, models=getattr(key, "models", 0))


@login_required
@never_cache
def replies_page(request: SignedInRequest) -> HttpResponse:
    """How this user's replies are asked for; POST changes it."""
    form = RepliesForm(request.POST if request.method == "POST" else None, instance=request.user)
    if not form.is_valid():
        return render(request, "accounts/replies.html", {"form": form})
    form.instance.save(update_fields=["background_replies"])  # the rest may have moved on
    messages.success(request, "Your settings are saved.")
    return redirect("replies")
