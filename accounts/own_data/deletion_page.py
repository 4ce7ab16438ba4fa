"""The page on which people delete their account."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.allauth_views import has_recent_confirmation, redirect_to_reauthenticate
from accounts.decorators import UserRequest, sign_in_and_return, signed_in
from accounts.deletion.erasure import LastAdministrator, request_deletion
from accounts.models import User, UserManager


class AccountDeletionForm(forms.Form):
    """The person types the address of the account, so that no single click deletes it."""

    email = forms.CharField(
        label=gettext_lazy("To confirm, type the email address of this account"),
        max_length=254,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )

    def __init__(self, user: User, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._user = user

    def clean_email(self) -> str:
        typed = UserManager.normalize_email(self.cleaned_data["email"])
        if typed != self._user.email:
            raise forms.ValidationError(_("This is not the address of this account."))
        return typed


@signed_in(sign_in_and_return)
@never_cache
def account_deletion_page(request: UserRequest) -> HttpResponse:
    """Deletes the account of a person who has just given the password and types the address."""
    if not has_recent_confirmation(request):
        return redirect_to_reauthenticate(request, request.path)
    form = AccountDeletionForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            request_deletion(request.user, actor=request.user, request=request)
        except LastAdministrator as refusal:
            form.add_error(None, str(refusal))
        else:
            return _sign_out(request)
    status = 422 if form.is_bound else 200
    context = {"form": form, "audit_days": settings.AUDIT_DAYS}
    return render(request, "settings/account_deletion.html", context, status=status)


def _sign_out(request: UserRequest) -> HttpResponse:
    logout(request)
    response = redirect("account-deletion-begun")
    # Drafts and the mark of a known browser name the account in this browser.
    response.headers["Clear-Site-Data"] = '"cookies", "storage"'
    return response


@require_safe
@never_cache
def account_deletion_begun_page(request: HttpRequest) -> HttpResponse:
    """For everybody: the browser is signed out by now."""
    return render(request, "settings/account_deletion_begun.html")
