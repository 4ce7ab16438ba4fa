"""The page on which a user adds, replaces and removes the keys of providers."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from accounts import keys
from accounts.forms import KeyForm
from accounts.models import ApiKey, User
from streaming.providers.catalog import Provider


class SignedInRequest(HttpRequest):
    """What `login_required` lets through."""

    user: User


@dataclass(frozen=True, slots=True)
class Row:
    """A provider on the page, with the key there is for it."""

    provider: Provider
    key: ApiKey | None
    form: KeyForm


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
    """POST: add or replace the key of this provider."""
    offered = _offered_or_404(provider)
    if request.method != "POST":
        return redirect("keys")
    form = KeyForm(offered, request.POST)
    if not form.is_valid():
        return _page(request, refused=(offered, form))
    keys.save(request.user, provider, form.cleaned_data["key"])
    messages.success(request, f"Your {offered.name} key is saved.")
    return redirect("keys")


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
    held = {key.provider: key for key in ApiKey.objects.filter(user=request.user)}
    forms = {provider: KeyForm(provider) for provider in keys.offered()}
    if refused:
        forms |= dict([refused])
    rows = [Row(provider, held.get(provider.id), form) for provider, form in forms.items()]
    status = 422 if refused else 200
    return render(request, "accounts/keys.html", {"rows": rows}, status=status)
