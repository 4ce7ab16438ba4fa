"""The form of a new access token."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import AccessToken
from accounts.tokens.models import Scope

DEFAULT_DAYS = 90
LIFETIMES = [
    (7, _("7 days")),
    (30, _("30 days")),
    (DEFAULT_DAYS, _("90 days")),
    (365, _("1 year")),
    (0, _("No end")),
]


class TokenForm(forms.ModelForm):
    """`cleaned_data` has a list of scopes, and `days` as a number; 0 means no end."""

    scopes = forms.TypedMultipleChoiceField(
        label=_("Rights"),
        choices=Scope.choices,
        coerce=Scope,
        initial=[Scope.READ],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one right.")},
    )
    days = forms.TypedChoiceField(
        label=_("Valid for"), choices=LIFETIMES, coerce=int, initial=DEFAULT_DAYS
    )

    class Meta:
        model = AccessToken
        fields = ["name"]

    @property
    def lifetime(self) -> timedelta | None:
        days = self.cleaned_data["days"]
        return timedelta(days=days) if days else None
