"""The page of a person's access tokens."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables

from accounts.account_page.rows import AccountRow, register_row
from accounts.allauth_views import has_recent_confirmation, redirect_to_reauthenticate
from accounts.decorators import UserRequest, require_post_or_redirect, sign_in_and_return, signed_in
from accounts.models import AccessToken
from accounts.tokens.forms import TokenForm
from accounts.tokens.tokens import MAX_TOKENS_PER_USER, TooManyTokens, create_token, revoke_tokens

MAX_ID_CHARS = 18


@register_row("tokens")
def build_tokens_row(request: UserRequest) -> AccountRow:
    count = AccessToken.objects.owned_by(request.user).count()
    status = ngettext("%(count)s token", "%(count)s tokens", count) % {"count": count}
    return AccountRow(
        _("Access tokens"), status if count else _("None"), reverse("tokens"), _("Manage")
    )


@signed_in(sign_in_and_return)
@never_cache
@sensitive_variables("token")
def tokens_page(request: UserRequest) -> HttpResponse:
    """List the tokens, and create one after a recent confirmation. The answer to the form shows
    the new token: a redirect would have to store it somewhere."""
    if request.method == "POST" and not has_recent_confirmation(request):
        return redirect_to_reauthenticate(request, request.path)
    form, token, status = TokenForm(request.POST or None), "", 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            values = form.cleaned_data
            try:
                _row, token = create_token(
                    request.user, values["name"], values["scopes"], form.lifetime, request
                )
            except TooManyTokens:
                text = _("You have %(count)s tokens. Revoke one first.")
                form.add_error(None, text % {"count": MAX_TOKENS_PER_USER})
            else:
                _send_mail(request, values["name"])
                form, status = TokenForm(), 200
    context = {
        "form": form,
        "new_token": token,
        "tokens": AccessToken.objects.owned_by(request.user),
    }
    return render(request, "settings/tokens.html", context, status=status)


def _send_mail(request: UserRequest, name: str) -> None:
    prefix = "account/email/token_created"
    get_adapter().send_notification_mail(prefix, request.user, {"name": name})


@require_post_or_redirect("tokens")
@signed_in(sign_in_and_return)
def revoke_token(request: UserRequest) -> HttpResponse:
    """Revoke the token whose id the form names. This needs no password: an owner who has just
    noticed a thief should not have to look for it first."""
    named = request.POST.get("token", "")
    is_id = named.isascii() and named.isdecimal() and len(named) <= MAX_ID_CHARS
    if is_id and revoke_tokens(request.user, [int(named)], request):
        messages.success(request, _("The token is revoked."))
    return redirect("tokens")
