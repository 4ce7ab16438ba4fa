"""The account page: the name of a person, and links to all that changes the account."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from accounts.account_page.rows import build_rows
from accounts.audit.events import record_event
from accounts.audit.kinds import SETTINGS_CHANGED
from accounts.decorators import UserRequest, sign_in_and_return, signed_in
from accounts.models import User


class NameForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ["name"]


@signed_in(sign_in_and_return)
@never_cache
def account_page(request: UserRequest) -> HttpResponse:
    shown_user = User.objects.get(pk=request.user.pk)  # a rejected name is not shown elsewhere
    form = NameForm(request.POST if request.method == "POST" else None, instance=shown_user)
    if not form.is_valid():
        return render(request, "settings/account.html", {"form": form, "rows": build_rows(request)})
    form.instance.save(update_fields=["name"])  # others may have changed
    if form.has_changed():
        record_event(SETTINGS_CHANGED, form.instance, request=request, fields="name")
    messages.success(request, _("Your name is saved."))
    return redirect("account")
