"""The page “Your data”: how long chats are kept, and links to all else about one's data."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache

from accounts.audit.events import record_event
from accounts.audit.kinds import RETENTION_CHANGED
from accounts.decorators import UserRequest, sign_in_and_return, signed_in
from accounts.models import User
from chat.retention import expiry
from chat.retention.expiry import RetentionRule

MAX_RETENTION_DAYS = 3_650
SHOWN_PERIOD = timedelta(days=7)


class RetentionForm(forms.Form):
    """The days after which a person's chats are deleted. If that would delete chats at once, the
    form asks for a confirmation first."""

    days = forms.IntegerField(
        label=gettext_lazy("Days after the last message"), required=False, min_value=1
    )
    confirmed = forms.BooleanField(required=False)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = user
        self.due_count = 0
        """Chats that the new rule deletes at once, if that is not confirmed."""
        self.fields["days"].widget.attrs["max"] = settings.RETENTION_DAYS or MAX_RETENTION_DAYS

    def clean_days(self) -> int | None:
        days: int | None = self.cleaned_data["days"]
        longest = settings.RETENTION_DAYS
        if days and longest and days > longest:
            raise forms.ValidationError(
                ngettext(
                    "This installation keeps chats for %(count)d day at most.",
                    "This installation keeps chats for %(count)d days at most.",
                    longest,
                )
                % {"count": longest}
            )
        if days and days > MAX_RETENTION_DAYS:
            raise forms.ValidationError(
                _("Choose at most %(count)d days, or leave this empty to keep chats.")
                % {"count": MAX_RETENTION_DAYS}
            )
        return days

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "days" in data and not data.get("confirmed"):
            rule = RetentionRule.for_user(self._user, data["days"])
            self.due_count = expiry.count_due(self._user, rule)
            before = RetentionRule.for_user(self._user, self._user.retention_days)
            if self.due_count and self.due_count > expiry.count_due(self._user, before):
                self.add_error("confirmed", _("Nothing is saved yet."))
            else:
                self.due_count = 0
        return data


@signed_in(sign_in_and_return)
@never_cache
def data_page(request: UserRequest) -> HttpResponse:
    user = request.user
    form = RetentionForm(user, request.POST or None, initial={"days": user.retention_days})
    if request.method == "POST" and form.is_valid():
        _save_days(request, form.cleaned_data["days"])
        messages.success(request, _("Your settings are saved."))
        return redirect("data")
    rule = RetentionRule.for_user(user, user.retention_days)
    context = {
        "form": form,
        "installation_days": settings.RETENTION_DAYS,
        "expiring": expiry.list_expiring(user, rule, within=SHOWN_PERIOD),
        "expiring_count": expiry.count_due(user, rule, within=SHOWN_PERIOD),
        "has_rule": rule.get_days(pinned=False) is not None,
    }
    return render(request, "settings/data.html", context, status=422 if form.errors else 200)


def _save_days(request: UserRequest, days: int | None) -> None:
    user = request.user
    with transaction.atomic():
        changed = User.objects.filter(pk=user.pk).exclude(retention_days=days)
        if changed.update(retention_days=days):
            record_event(RETENTION_CHANGED, user, request=request, days=days)
